// Layer by layer, each as far as it goes; then the verdict.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <tern/chat.h>
#include <tern/cpu.h>
#include <tern/inspect.h>
#include <tern/tokenizer.h>

#include "runtime/inspect/inspection.h"
#include "runtime/load_tokenizer.h"
#include "runtime/memory.h"
#include "runtime/out_of_memory.h"
#include "runtime/tokenizer/tokenizer_gguf.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using inspect::Inspection;

// What it is and what is in its weights; nothing if not even its configuration
// can be read.  `memory` stays empty unless all of it is sound enough to load.
std::optional<Checkpoint> InspectModel(const fs::path& path,
                                       const InspectOptions& options,
                                       Inspection& inspection) {
  std::optional<Checkpoint> model;
  bool has_fault = false;
  const files::OnFault tell = [&](const Error& fault) {
    has_fault = true;
    inspection.faults.Add(fault);
  };
  files::Reporting(tell, [&] {
    model = checkpoint::Open(
        path,
        {.input_type = options.input_type, .i2s_layout = options.i2s_layout},
        tell);
  });
  if (!model) return model;
  ModelReport& report = inspection.report;
  report.config = model->config;
  MemoryReport memory = inspect::ReadWeights(*model, inspection);
  if (has_fault) return model;
  memory.context_length = options.context_length != 0
                              ? options.context_length
                              : model->config.max_context;
  memory.cache_bytes =
      CacheBytes(model->config, memory.context_length, options.kv_type);
  memory.scratch_bytes =
      SessionScratchBytes(model->config, memory.context_length, UsableCores());
  report.format = model->format;
  report.memory = memory;
  return model;
}

// Why text cannot be fed to the model, if so.  A GGUF file's tokenizer is
// looked at whatever is wrong with its tensors.
std::optional<ErrorCode> InspectTokenizer(const fs::path& path,
                                          const inspect::Container& container,
                                          Inspection& inspection) {
  ModelReport& report = inspection.report;
  try {
    const Tokenizer tokenizer =
        container.gguf ? tokenizer::MakeGgufTokenizer(*container.gguf)
                       : Tokenizer::Load(path);
    report.tokenizer = tokenizer.description();
    if (report.config) {
      CheckVocabulary(path, tokenizer, report.config->vocab_size);
    }
    return std::nullopt;
  } catch (const Error& error) {
    report.tokenizer = error.what();
    // A model without a tokenizer can be run on token ids; half of one is a
    // problem.
    if (error.code() != ErrorCode::kNotFound ||
        (container.gguf ? HasTokenizer(*container.gguf) : HasTokenizer(path))) {
      inspection.faults.Add(error);
    }
    return error.code();
  }
}

// What to do about the problems: the ends of their messages, each once.
std::string Advice(const std::vector<std::string>& problems) {
  constexpr std::size_t kMost = 3;
  std::vector<std::string> advice;
  for (const std::string& problem : problems) {
    const std::size_t end = problem.rfind("; ");
    if (end == std::string::npos) continue;
    const std::string words = problem.substr(end + 2);
    if (std::find(advice.begin(), advice.end(), words) == advice.end() &&
        advice.size() < kMost) {
      advice.push_back(words);
    }
  }
  std::string text;
  for (const std::string& words : advice) {
    text += (text.empty() ? "" : "; or: ") + words;
  }
  return text;
}

// The first `blocking` problems keep the model from being loaded.
void Decide(bool has_tokenizer, std::size_t blocking, ModelReport& report) {
  report.runs = blocking == 0;
  if (!report.runs) {
    report.verdict =
        "tern refuses this file: " + std::to_string(blocking) +
        (blocking == 1 ? " problem" : " problems") + ". What to do: " +
        Advice(
            {report.problems.begin(),
             report.problems.begin() + static_cast<std::ptrdiff_t>(blocking)});
  } else if (!has_tokenizer) {
    report.verdict =
        "tern runs this model on token ids alone, because it has no usable "
        "tokenizer";
  } else {
    report.verdict = report.warnings.empty()
                         ? "tern runs this model"
                         : "tern runs this model, but look at the warnings";
  }
}

ModelReport InspectFile(const fs::path& path, const InspectOptions& options) {
  Inspection inspection;
  ModelReport& report = inspection.report;
  const inspect::Container container = inspect::ReadContainer(path, inspection);
  const std::optional<Checkpoint> model =
      InspectModel(path, options, inspection);
  inspect::ReadLooseWeights(path, container.tensors, inspection);
  inspect::JudgeScales(model ? &*model : nullptr, inspection);
  std::size_t blocking = inspection.faults.faults().size();
  const std::optional<ErrorCode> no_tokenizer =
      InspectTokenizer(path, container, inspection);
  if (model) inspect::ListInferred(container, model->config, inspection);
  for (const Error& fault : inspection.faults.faults()) {
    report.problems.emplace_back(fault.what());
  }
  report.chat_template = DescribeChatTemplate(path);
  const bool is_problem =
      std::find(report.problems.begin(), report.problems.end(),
                report.chat_template) != report.problems.end();
  if (is_problem) report.chat_template = "not read, because of the problems";
  // As Model::Load has it: a tokenizer that cannot be read now is not one that
  // is not there.
  if (no_tokenizer == ErrorCode::kIo ||
      no_tokenizer == ErrorCode::kOutOfMemory) {
    blocking = report.problems.size();
  }
  Decide(!no_tokenizer, blocking, report);
  return std::move(inspection.report);
}

}  // namespace

ModelReport Inspect(const fs::path& path, const InspectOptions& options) {
  return NamingOutOfMemory(path, [&] { return InspectFile(path, options); });
}

}  // namespace tern
