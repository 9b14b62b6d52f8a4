#include "cli/loading.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <tern/chat.h>
#include <tern/cpu.h>
#include <tern/error.h>

#include "cli/errors.h"
#include "cli/interrupt.h"
#include "cli/progress.h"

namespace tern::cli {

namespace fs = std::filesystem;

fs::path ShippedModel(const fs::path& program_folder) {
  constexpr const char* kName = "books-79m.gguf";
  const std::array<fs::path, 2> places = {
      (program_folder / "../../models" / kName).lexically_normal(),
      (program_folder / "../share/tern" / kName).lexically_normal()};
  for (const fs::path& place : places) {
    std::error_code ignored;
    if (fs::exists(place, ignored)) return place;
  }
  throw Error(ErrorCode::kNotFound,
              std::string(kName) + ": the model that ships is neither " +
                  places[0].string() + " nor " + places[1].string() +
                  "; name a model with -m or in TERN_MODEL");
}

fs::path ChooseModel(const std::string& given) {
  if (!given.empty()) return given;
  const char* variable = std::getenv("TERN_MODEL");
  std::error_code error;
  if (variable != nullptr && *variable != '\0') {
    if (fs::exists(variable, error)) return variable;
    throw Error(
        ErrorCode::kNotFound,
        std::string(variable) +
            ": no such file, but TERN_MODEL names it; correct TERN_MODEL "
            "or give -m");
  }
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return ShippedModel(program.parent_path());
}

void ChooseTarget(const std::string& target) {
  if (target.empty()) return;
  const std::vector<std::string> supported = SupportedTargets();
  if (std::find(supported.begin(), supported.end(), target) ==
      supported.end()) {
    std::string names;
    for (const std::string& name : supported) {
      names += (names.empty() ? "" : ", ") + name;
    }
    throw UsageError("--target: '" + target + "' is not one of " + names +
                     ", which this CPU can run");
  }
  ForceTarget(target);
}

void RefuseOverwriting(const fs::path& model, const fs::path& output) {
  std::error_code ignored;  // what is not there is not the same
  const fs::path folder =
      output.has_parent_path() ? output.parent_path() : fs::path(".");
  const bool in_model = fs::is_directory(model, ignored) &&
                        fs::exists(output, ignored) &&
                        fs::equivalent(folder, model, ignored);
  if (!in_model && !fs::equivalent(output, model, ignored)) return;
  throw Error(ErrorCode::kInvalidArgument,
              output.string() +
                  ": is part of the model that is read; choose another name");
}

std::shared_ptr<const Model> LoadModel(const fs::path& path,
                                       const ComputeOptions& options) {
  ChooseTarget(options.target);
  Progress bar("loading");
  LoadOptions load;
  load.num_threads = options.num_threads;
  load.input_type = options.format.input_type;
  load.i2s_layout = options.format.i2s_layout.value_or(I2SLayout::kA);
  load.head = options.head;
  load.verify = options.file.verify;
  load.map = options.file.map;
  load.progress = [&bar](double fraction) {
    ThrowIfInterrupted();
    bar.Update(fraction);
  };
  try {
    std::shared_ptr<const Model> model = Model::Load(path, load);
    ThrowIfInterrupted();
    return model;
  } catch (const Error&) {
    ThrowIfInterrupted();  // Ctrl-C may be why a pipe could not be opened
    throw;
  }
}

std::string ShortDescription(const Model& model) {
  std::string text = model.Describe();
  if (!model.has_tokenizer()) return text;
  const std::string& all = model.tokenizer().description();
  const std::string end = "; " + all;
  if (text.ends_with(end)) {
    text.resize(text.size() - end.size());
    text += "; " + all.substr(0, all.find(';'));
  }
  return text;
}

std::string ModelLine(const fs::path& path, const Model& model,
                      const std::optional<std::string>& chat_template) {
  std::string text = ShortDescription(model);
  if (model.has_tokenizer()) {
    text += "; chat template: " +
            chat_template.value_or(DescribeChatTemplate(path));
  }
  return path.filename().string() + ": " + text;
}

Session OpenSession(const std::shared_ptr<const Model>& model,
                    const ComputeOptions& options,
                    std::size_t default_context) {
  CheckContext(options.context_length, model->config());
  const std::size_t context = options.context_length.value_or(default_context);
  return Session(model, {.context_length = context,
                         .kv_type = options.kv_type,
                         .num_threads = options.num_threads});
}

void CheckContext(const std::optional<std::size_t>& context,
                  const ModelConfig& config) {
  if (!context || *context <= config.max_context) return;
  throw UsageError("--ctx: " + std::to_string(*context) + " is more than the " +
                   std::to_string(config.max_context) +
                   " positions that the model was trained for");
}

std::string AdviceForLonger(std::size_t context, const Model& model) {
  return context < model.config().max_context
             ? "shorten it or give a larger --ctx"
             : "shorten it, for the model has no more positions";
}

void AppendInPieces(std::span<const Token> tokens, Session& session) {
  while (!tokens.empty()) {
    ThrowIfInterrupted();
    const std::size_t count = std::min(kPieceTokens, tokens.size());
    session.Append(tokens.first(count));
    tokens = tokens.subspan(count);
  }
  ThrowIfInterrupted();
}

std::optional<std::string> WrongToken(const std::vector<Token>& tokens,
                                      const Model& model) {
  const std::size_t size = model.config().vocab_size;
  for (const Token token : tokens) {
    if (token < 0 || static_cast<std::size_t>(token) >= size) {
      return "id " + std::to_string(token) + " is not below " +
             std::to_string(size) + ", the size of the model's vocabulary";
    }
  }
  return std::nullopt;
}

}  // namespace tern::cli
