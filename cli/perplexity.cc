// `tern perplexity`: how well a model predicts a text.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <tern/error.h>
#include <tern/model.h>
#include <tern/session.h>

#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/interrupt.h"
#include "cli/io.h"
#include "cli/loading.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/scoring.h"
#include "cli/text.h"

namespace tern::cli {
namespace {

struct PerplexityOptions {
  std::string model;
  std::string text_file;
  std::string ids_file;
  std::optional<std::size_t> stride;
  ComputeOptions compute;
  bool json = false;
};

// What is fed to the model: tokens, and the windows over them.
struct Task {
  std::vector<Token> tokens;
  std::vector<ScoringWindow> windows;
  std::string protocol;
  // Takes the place of the first token of each window.
  std::optional<Token> first_token;
};

struct Score {
  std::size_t tokens = 0;
  double sum = 0;  // of negative log-likelihoods, nats
  [[nodiscard]] double mean() const {
    return sum / static_cast<double>(tokens);
  }
};

constexpr std::size_t kDefaultContext = 512;
// Fewer tokens have nothing to score in their second half.
constexpr std::size_t kShortestChunk = 4;

bool ParseOptions(const Arguments& arguments, PerplexityOptions* options) {
  CommandLine line(
      {"tern perplexity [-m PATH] (-f TEXT | --tokens IDS) [options]",
       "Default protocol, that of llama-perplexity: the text with its "
       "beginning-of-text\ntoken is cut into chunks of --ctx tokens, the first "
       "token of each is replaced by\nthe beginning-of-text token (if the "
       "model "
       "adds one), and the logits at positions\nctx/2 .. ctx-2 score the token "
       "that follows; the rest of the text is dropped.\n"
       "--stride N: windows of --ctx tokens that advance by N, each scoring "
       "its "
       "last N;\nevery token but the first is scored once, nothing is "
       "replaced.\n"
       "--tokens: ids are treated as those of a text; in a JSON array of "
       "arrays "
       "each\ninner one is fed whole and every token but its first is "
       "scored.\n"
       "nll is the mean over the scored tokens in nats, perplexity is "
       "exp(nll).",
       "  tern perplexity -f book.txt --ctx 512 --json"});
  AddModelOption(line.options(), &options->model);
  line.options().add_options()("file,f",
                               Name(&options->text_file, "--file", "FILE"),
                               "the text, - for standard input")(
      "tokens", Name(&options->ids_file, "--tokens", "FILE"),
      "token ids instead of a text, as `tern tokenize` prints them with "
      "--ids or --json")(
      "stride",
      Number<std::size_t>(&options->stride, "--stride", 1, std::size_t{1} << 30,
                          "a whole number of at least 1"),
      "sliding windows that advance by N")(
      "json", po::bool_switch(&options->json),
      "print {\"tokens\", \"nll\", \"perplexity\", \"protocol\"} as one JSON "
      "document");
  AddComputeOptions(line.options(), &options->compute,
                    "tokens of a window (default: 512, or the model's own if "
                    "that is less); the longest list that may come (default: "
                    "the model's own)");
  return line.Parse(arguments);
}

void CheckStride(const PerplexityOptions& options, std::size_t context) {
  if (options.stride && *options.stride >= context) {
    throw UsageError("--stride: must be less than --ctx, which is " +
                     std::to_string(context));
  }
}

void CheckOptions(const PerplexityOptions& options) {
  if (options.text_file.empty() == options.ids_file.empty()) {
    throw UsageError(options.text_file.empty()
                         ? "--file or --tokens: one of them is needed"
                         : "--tokens: cannot be combined with --file");
  }
  const std::optional<std::size_t>& context = options.compute.context_length;
  if (context && !options.stride && *context < kShortestChunk) {
    throw UsageError("--ctx: a chunk needs at least 4 tokens");
  }
  CheckStride(options, context.value_or(kDefaultContext));
}

// Windows of the user's own: each list fed whole.
Task WholeLists(const std::vector<std::vector<Token>>& lists,
                const Model& model, const PerplexityOptions& options) {
  const std::size_t longest =
      options.compute.context_length.value_or(model.config().max_context);
  Task task;
  task.protocol = "each list of ids fed whole, all but its first scored";
  for (std::size_t i = 0; i < lists.size(); ++i) {
    const std::vector<Token>& list = lists[i];
    if (list.size() > longest) {
      throw Error(ErrorCode::kInvalidArgument,
                  InputName(options.ids_file) + ": list " + std::to_string(i) +
                      " has " + std::to_string(list.size()) +
                      " ids, more than the context of " +
                      std::to_string(longest) + "; " +
                      AdviceForLonger(longest, model));
    }
    task.windows.push_back({task.tokens.size(), list.size(), 1});
    task.tokens.insert(task.tokens.end(), list.begin(), list.end());
  }
  return task;
}

Task OneText(std::vector<Token> tokens, const Model& model,
             const PerplexityOptions& options) {
  Task task;
  const std::size_t context = options.compute.context_length.value_or(
      std::min(kDefaultContext, model.config().max_context));
  CheckStride(options, context);
  const std::size_t needed = options.stride ? 2 : context;
  if (tokens.size() < needed) {
    const bool smaller = tokens.size() >= kShortestChunk;
    throw Error(ErrorCode::kInvalidArgument,
                InputName(options.text_file.empty() ? options.ids_file
                                                    : options.text_file) +
                    ": has " + std::to_string(tokens.size()) +
                    " tokens, fewer than the " + std::to_string(needed) +
                    " of one window; give a longer text" +
                    (smaller ? " or a smaller --ctx" : ""));
  }
  const std::string size = std::to_string(context);
  if (options.stride) {
    task.windows = SlidingWindows(tokens.size(), context, *options.stride);
    task.protocol = "windows of " + size + " tokens, stride " +
                    std::to_string(*options.stride);
  } else {
    task.windows = ChunkWindows(tokens.size(), context);
    task.protocol = "as llama-perplexity: chunks of " + size +
                    " tokens, second half scored";
    if (model.has_tokenizer() && model.tokenizer().adds_bos()) {
      task.first_token = model.tokenizer().bos();
    }
  }
  task.tokens = std::move(tokens);
  return task;
}

// What the files say, read and checked before the model is loaded.
struct Input {
  std::string text;
  TokenLists ids;  // instead of the text, if --tokens is given
};

Input ReadFiles(const PerplexityOptions& options) {
  Input input;
  if (options.ids_file.empty()) {
    input.text = ReadInput(options.text_file);
    return input;
  }
  try {
    input.ids = ParseTokenLists(ReadInput(options.ids_file));
  } catch (const std::invalid_argument& error) {
    throw Error(ErrorCode::kMalformed, InputName(options.ids_file) + ": " +
                                           error.what() +
                                           "; give ids, or a JSON array of "
                                           "arrays of ids");
  }
  if (!input.ids.nested) return input;
  if (options.stride) {
    throw UsageError(
        "--stride: has no meaning for lists of ids, which are fed whole");
  }
  for (std::size_t i = 0; i < input.ids.lists.size(); ++i) {
    const std::size_t size = input.ids.lists[i].size();
    if (size >= 2) continue;
    throw Error(ErrorCode::kInvalidArgument,
                InputName(options.ids_file) + ": list " + std::to_string(i) +
                    " has " + std::to_string(size) + " ids; give at least 2");
  }
  return input;
}

Task MakeTask(Input input, const Model& model,
              const PerplexityOptions& options) {
  CheckContext(options.compute.context_length, model.config());
  if (options.ids_file.empty()) {
    return OneText(model.tokenizer().Encode(input.text), model, options);
  }
  for (const std::vector<Token>& list : input.ids.lists) {
    if (const auto wrong = WrongToken(list, model)) {
      throw Error(ErrorCode::kInvalidArgument,
                  InputName(options.ids_file) + ": " + *wrong +
                      "; give ids of this model's tokenizer");
    }
  }
  return input.ids.nested
             ? WholeLists(input.ids.lists, model, options)
             : OneText(std::move(input.ids.lists[0]), model, options);
}

// Adds the scores of one window.  Logits are computed only where one is scored.
void ScoreWindow(const Task& task, const ScoringWindow& window,
                 Session& session, Score* score) {
  std::vector<Token> tokens(
      task.tokens.begin() + static_cast<std::ptrdiff_t>(window.begin),
      task.tokens.begin() +
          static_cast<std::ptrdiff_t>(window.begin + window.length));
  if (task.first_token) tokens[0] = *task.first_token;
  const std::span<const Token> all = tokens;
  session.Truncate(0);
  if (window.first_scored > 1) {
    session.Append(all.first(window.first_scored - 1));
  }
  const auto scored =
      all.subspan(window.first_scored - 1, window.length - window.first_scored);
  std::size_t next = window.first_scored;
  session.Append(scored, [&](std::size_t, std::span<const float> logits) {
    ThrowIfInterrupted();
    score->sum += NegativeLogLikelihood(logits, tokens[next++]);
    ++score->tokens;
  });
}

Score ScoreAll(const Task& task, Session& session) {
  Progress bar("perplexity");
  Score score;
  for (std::size_t i = 0; i < task.windows.size(); ++i) {
    ScoreWindow(task, task.windows[i], session, &score);
    if (std::isnan(score.sum)) {
      throw Error(ErrorCode::kMalformed,
                  "window " + std::to_string(i) +
                      ": a logit is not a number; the model is damaged");
    }
    bar.Update(
        static_cast<double>(i + 1) / static_cast<double>(task.windows.size()),
        "perplexity " + Fixed(std::exp(score.mean()), 4));
  }
  return score;
}

void PrintScore(const Score& score, const std::string& protocol, bool json) {
  const double perplexity = std::exp(score.mean());
  if (json) {
    WriteResult(DumpJson({{"tokens", score.tokens},
                          {"nll", score.mean()},
                          {"perplexity", perplexity},
                          {"protocol", protocol}}));
  } else {
    WriteResult("tokens      " + std::to_string(score.tokens) +
                "\nnll         " + Fixed(score.mean(), 6) + "\nperplexity  " +
                Fixed(perplexity, 4) + "\n");
  }
}

}  // namespace

int Perplexity(const Arguments& arguments) {
  PerplexityOptions options;
  if (!ParseOptions(arguments, &options)) return kDone;
  CheckOptions(options);
  CatchInterrupts();
  Input input = ReadFiles(options);
  const std::filesystem::path path = ChooseModel(options.model);
  const auto model = LoadModel(path, options.compute);
  Note(ModelLine(path, *model));
  const Task task = MakeTask(std::move(input), *model, options);
  Note("protocol: " + task.protocol);
  std::size_t longest = 0;
  for (const ScoringWindow& window : task.windows) {
    longest = std::max(longest, window.length);
  }
  Session session = OpenSession(model, options.compute, longest);
  PrintScore(ScoreAll(task, session), task.protocol, options.json);
  return kDone;
}

}  // namespace tern::cli
