// `tern embed`: texts as vectors.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <tern/embedding.h>
#include <tern/error.h>
#include <tern/model.h>

#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/interrupt.h"
#include "cli/io.h"
#include "cli/loading.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/text.h"

namespace tern::cli {
namespace {

struct EmbedOptions {
  std::string model;
  std::string file;
  std::vector<std::string> texts;
  std::string pooling = "last";
  bool json = false;
  ComputeOptions compute;
};

bool ParseOptions(const Arguments& arguments, EmbedOptions* options) {
  CommandLine line(
      {"tern embed [-m PATH] [options] [TEXT...]",
       "Prints a vector of length 1 for each TEXT, or for each line of a file "
       "or of\nstandard input: the hidden state after the final norm, of the "
       "last token or the\nmean over all. The dot product of two is the cosine "
       "of their angle. A line a\ntext, its numbers separated by spaces. Names "
       "of special tokens are plain text.",
       "  tern embed --pooling mean --json \"The sea\" \"A ship\""});
  AddModelOption(line.options(), &options->model);
  line.options().add_options()("file,f", Name(&options->file, "--file", "FILE"),
                               "read texts from FILE, a line each; - for "
                               "standard input")(
      "pooling",
      po::value<std::string>(&options->pooling)->value_name("last|mean"),
      "which token's state the vector is (default: last)")(
      "json", po::bool_switch(&options->json), "print one JSON document");
  AddComputeOptions(line.options(), &options->compute,
                    "tokens of the longest text (default: the model's own)");
  constexpr std::size_t kAnyNumber = 1U << 20U;
  line.TakeWords(kAnyNumber, &options->texts);
  if (!line.Parse(arguments)) return false;
  if (!options->texts.empty() && !options->file.empty()) {
    throw UsageError("--file: cannot be combined with '" + options->texts[0] +
                     "'");
  }
  if (options->pooling != "last" && options->pooling != "mean") {
    throw UsageError("--pooling: '" + options->pooling +
                     "' is neither last nor mean");
  }
  return true;
}

// Lines, without the ends of them; the last one may have none.
std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    if (lines.back().ends_with('\r')) lines.back().pop_back();
    at = end + 1;
  }
  return lines;
}

// The texts' tokens, none of which is empty or too long.
std::vector<std::vector<Token>> EncodeAll(const std::vector<std::string>& texts,
                                          const Model& model,
                                          std::size_t room) {
  std::vector<std::vector<Token>> all;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string place = "text " + std::to_string(i + 1) + ": ";
    all.push_back(model.tokenizer().Encode(texts[i]));
    if (all.back().empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  place +
                      "is empty, and the model has no token that begins a "
                      "text; leave it out");
    }
    if (all.back().size() > room) {
      throw Error(ErrorCode::kContextFull,
                  place + "has " + std::to_string(all.back().size()) +
                      " tokens, more than the context of " +
                      std::to_string(room) + "; " +
                      AdviceForLonger(room, model));
    }
  }
  return all;
}

std::string NumbersLine(const std::vector<float>& vector) {
  std::string line;
  for (const float value : vector) {
    // Nine decimals: half of a float's last bit at 0.02, which is what the
    // numbers of a unit vector are like.
    line += (line.empty() ? "" : " ") + Fixed(value, 9);
  }
  return line + "\n";
}

}  // namespace

int Embed(const Arguments& arguments) {
  EmbedOptions options;
  if (!ParseOptions(arguments, &options)) return kDone;
  CatchInterrupts();
  if (options.texts.empty()) {
    options.texts = Lines(ReadInput(options.file.empty() ? "-" : options.file));
  }
  if (options.texts.empty()) throw UsageError("no text: give at least one");
  const std::filesystem::path path = ChooseModel(options.model);
  const auto model = LoadModel(path, options.compute);
  CheckContext(options.compute.context_length, model->config());
  const std::size_t room =
      options.compute.context_length.value_or(model->config().max_context);
  const auto texts = EncodeAll(options.texts, *model, room);
  std::size_t longest = 0;
  std::size_t tokens = 0;
  for (const std::vector<Token>& text : texts) {
    longest = std::max(longest, text.size());
    tokens += text.size();
  }
  Embedder embedder(
      model,
      {.pooling = options.pooling == "mean" ? Pooling::kMean : Pooling::kLast,
       .context_length = longest,
       .kv_type = options.compute.kv_type,
       .num_threads = options.compute.num_threads});
  Json vectors = Json::array();
  std::string lines;
  Progress bar("embedding");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    ThrowIfInterrupted();
    bar.Update(static_cast<double>(i) / static_cast<double>(texts.size()));
    const std::vector<float> vector = embedder.Embed(texts[i]);
    if (options.json) {
      vectors.push_back(vector);
    } else {
      lines += NumbersLine(vector);
    }
  }
  WriteResult(options.json
                  ? DumpJson({{"embeddings", vectors},
                              {"dimensions", model->config().hidden_size},
                              {"pooling", options.pooling},
                              {"tokens", tokens}})
                  : lines);
  return kDone;
}

}  // namespace tern::cli
