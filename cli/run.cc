// `tern run`: completes a prompt, token by token.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <tern/error.h>
#include <tern/model.h>
#include <tern/sampler.h>
#include <tern/session.h>

#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/interrupt.h"
#include "cli/io.h"
#include "cli/loading.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/stop_filter.h"
#include "cli/text.h"

namespace tern::cli {
namespace {

struct RunOptions {
  std::string model;
  std::optional<std::string> prompt;
  std::string file;
  std::size_t max_tokens = std::numeric_limits<std::size_t>::max();
  std::vector<std::string> stops;
  bool special = false;
  bool no_echo = false;
  bool json = false;
  ComputeOptions compute;
  SamplerOptions sampling;
  std::optional<std::uint64_t> seed;
};

// What came of a run.
struct Completion {
  std::string text;  // without the prompt
  std::vector<Token> ids;
  std::size_t prompt_tokens = 0;  // that were read in
  // "end" of the text, "stop" string, "length", "context" or "interrupted"
  std::string stopped_by;
  double load_seconds = 0;
  double prefill_seconds = 0;
  double decode_seconds = 0;
};

class Stopwatch {
 public:
  [[nodiscard]] double Seconds() const {
    return std::chrono::duration<double>(Clock::now() - start_).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

void AddPromptOptions(po::options_description& options, RunOptions* out) {
  options.add_options()("prompt,p", Text(&out->prompt, "TEXT"),
                        "the prompt (default: standard input)")(
      "file,f", Name(&out->file, "--file", "FILE"),
      "read the prompt from FILE, - for standard input; one line end at its "
      "very end is left out")("special", po::bool_switch(&out->special),
                              "read names of special tokens in the prompt, "
                              "such as <|eot_id|>, as those tokens")(
      "max-tokens,n",
      Number<std::size_t>(&out->max_tokens, "--max-tokens", 0,
                          std::size_t{1} << 30, "a whole number of at least 0"),
      "generate at most N tokens (default: until the text ends or the context "
      "is full)")(
      "stop",
      po::value<std::vector<std::string>>(&out->stops)->value_name("TEXT"),
      "end before TEXT; may be given several times")(
      "no-echo", po::bool_switch(&out->no_echo),
      "do not print the prompt before its continuation")(
      "json", po::bool_switch(&out->json),
      "print one JSON document at the end instead of streaming; its text is "
      "the continuation alone");
}

bool ParseOptions(const Arguments& arguments, RunOptions* options) {
  CommandLine line(
      {"tern run [-m PATH] [-p TEXT | -f FILE] [options]",
       "Prints the prompt and continues it, streaming, until the model ends "
       "the "
       "text,\na --stop string comes, --max-tokens are generated or the "
       "context "
       "is full. A\nline of timings follows on stderr. A seed repeats a text "
       "(same model, prompt and\noptions) on any number of threads, and on "
       "other machines with the same\n--target. Ctrl-C ends it with status "
       "130.",
       "  tern run -p \"Once upon a time\" -n 60 --temp 0.7 --seed 42"});
  AddModelOption(line.options(), &options->model);
  AddPromptOptions(line.options(), options);
  AddComputeOptions(line.options(), &options->compute,
                    "positions to make room for (default: the model's own)");
  AddSamplingOptions(line.options(), &options->sampling, &options->seed);
  if (!line.Parse(arguments)) return false;
  if (options->prompt && !options->file.empty()) {
    throw UsageError("--file: cannot be combined with --prompt");
  }
  for (const std::string& stop : options->stops) {
    if (stop.empty()) throw UsageError("--stop: the text is empty");
  }
  // 32 bits: short enough to be typed again, and exact in any JSON reader.
  options->sampling.seed =
      options->seed ? *options->seed : std::random_device()();
  return true;
}

std::string ReadPrompt(const RunOptions& options) {
  if (options.prompt) return *options.prompt;
  std::string text = ReadInput(options.file.empty() ? "-" : options.file);
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

std::vector<Token> EncodePrompt(const Model& model, const std::string& prompt,
                                const RunOptions& options) {
  std::vector<Token> tokens = model.tokenizer().Encode(
      prompt, {.add_bos = true, .parse_special = options.special});
  if (tokens.empty()) {
    throw UsageError(
        "--prompt: is empty, and the model has no token that begins a text");
  }
  return tokens;
}

// A prompt that fills the context leaves no room for a single new token.
void CheckFits(std::size_t tokens, const Session& session, const Model& model,
               const RunOptions& options) {
  const std::size_t room = session.context_length();
  const std::size_t wanted = options.max_tokens > 0 ? 1 : 0;
  if (tokens + wanted <= room) return;
  throw Error(ErrorCode::kContextFull,
              "prompt: has " + std::to_string(tokens) + " tokens, " +
                  (tokens == room ? "as many as" : "more than") +
                  " the context of " + std::to_string(room) + "; " +
                  AdviceForLonger(room, model));
}

void EchoPrompt(const std::string& prompt, const RunOptions& options) {
  if (options.json || options.no_echo) return;
  const bool bold = IsFancyTerminal(STDOUT_FILENO) && !prompt.empty();
  WriteResult(bold ? "\033[1m" + prompt + "\033[0m" : prompt);
}

// In pieces, so that Ctrl-C is heard and the bar moves; the logits do not
// depend on where a prompt is cut.
void Prefill(std::span<const Token> tokens, Session& session,
             Completion* done) {
  Progress bar("reading the prompt");
  const Stopwatch watch;
  const auto total = static_cast<double>(tokens.size());
  while (done->prompt_tokens < tokens.size() && !WasInterrupted()) {
    bar.Update(static_cast<double>(done->prompt_tokens) / total);
    const std::size_t count =
        std::min(kPieceTokens, tokens.size() - done->prompt_tokens);
    session.Append(tokens.subspan(done->prompt_tokens, count));
    done->prompt_tokens += count;
  }
  done->prefill_seconds = watch.Seconds();
}

// Why the loop may not go on, or nothing.
std::string ReasonToStop(const Session& session, const RunOptions& options,
                         const Completion& done) {
  if (WasInterrupted()) return "interrupted";
  if (done.ids.size() >= options.max_tokens) return "length";
  if (session.tokens().size() >= session.context_length()) return "context";
  return "";
}

void Generate(const Model& model, Session& session, const RunOptions& options,
              Completion* done) {
  Sampler sampler(options.sampling);
  StreamDecoder decoder(model.tokenizer());
  StopFilter filter(options.stops);
  const auto emit = [&](const std::string& text) {
    done->text += text;
    if (!options.json && !text.empty()) WriteResult(text);
  };
  const Stopwatch watch;
  while ((done->stopped_by = ReasonToStop(session, options, *done)).empty()) {
    const Token token = session.Next(sampler);
    done->ids.push_back(token);
    if (model.tokenizer().IsEndOfText(token)) {
      done->stopped_by = "end";
      break;
    }
    emit(filter.Push(decoder.Push(token)));
    if (filter.stopped()) {
      done->stopped_by = "stop";
      break;
    }
  }
  done->decode_seconds = watch.Seconds();
  emit(filter.Push(decoder.Flush()));
  emit(filter.Flush());
  if (filter.stopped()) done->stopped_by = "stop";
}

std::uint64_t PeakMemoryBytes() {
  struct rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;  // it is in KiB
}

double Rate(std::size_t tokens, double seconds) {
  return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
}

// Of the head, for a generated token: what a screened one reads depends on it.
double HeadBytesPerToken(const Completion& done, const Session& session) {
  return done.ids.empty() ? 0
                          : static_cast<double>(session.head_bytes_read()) /
                                static_cast<double>(done.ids.size());
}

Json Timing(const Completion& done, const Model& model, const Session& session,
            const RunOptions& options) {
  const double decode_rate = Rate(done.ids.size(), done.decode_seconds);
  const double head_bytes = HeadBytesPerToken(done, session);
  const double bytes = static_cast<double>(model.bytes_per_token() -
                                           model.head_bytes_per_token()) +
                       head_bytes;
  return {{"load_seconds", done.load_seconds},
          {"prefill_seconds", done.prefill_seconds},
          {"prefill_tokens_per_second",
           Rate(done.prompt_tokens, done.prefill_seconds)},
          {"decode_seconds", done.decode_seconds},
          {"decode_tokens_per_second", decode_rate},
          {"weights_read_gb_per_second", bytes * decode_rate / 1e9},
          {"head_bytes_per_token", head_bytes},
          {"mapped_bytes", model.mapped_bytes()},
          {"peak_memory_bytes", PeakMemoryBytes()},
          {"threads", session.num_threads()},
          {"seed", options.sampling.seed}};
}

std::string TimingLine(const Json& timing, const Completion& done) {
  const auto number = [&](const char* key, int decimals) {
    return Fixed(timing[key].get<double>(), decimals);
  };
  std::string decode;  // of nothing: no figures
  if (!done.ids.empty()) {
    decode = "decode " + number("decode_tokens_per_second", 1) + " tokens/s (" +
             std::to_string(done.ids.size()) + "), weights read at " +
             number("weights_read_gb_per_second", 2) + " GB/s, ";
  }
  return "load " + number("load_seconds", 2) + " s, prefill " +
         number("prefill_tokens_per_second", 1) + " tokens/s (" +
         std::to_string(done.prompt_tokens) + "), " + decode + "peak memory " +
         HumanBytes(timing["peak_memory_bytes"].get<std::uint64_t>()) +
         ", threads " + std::to_string(timing["threads"].get<int>()) +
         ", seed " + std::to_string(timing["seed"].get<std::uint64_t>());
}

void Report(const Completion& done, const Json& timing,
            const RunOptions& options) {
  if (options.json) {
    WriteResult(DumpJson({{"text", done.text},
                          {"ids", done.ids},
                          {"prompt_tokens", done.prompt_tokens},
                          {"generated_tokens", done.ids.size()},
                          {"stopped_by", done.stopped_by},
                          {"timing", timing}}));
  } else {
    WriteResult("\n");
  }
  Note(TimingLine(timing, done));
}

}  // namespace

int Run(const Arguments& arguments) {
  RunOptions options;
  if (!ParseOptions(arguments, &options)) return kDone;
  CatchInterrupts();
  const std::string prompt = ReadPrompt(options);
  Completion done;
  const Stopwatch watch;
  const std::filesystem::path path = ChooseModel(options.model);
  const auto model = LoadModel(path, options.compute);
  Session session = OpenSession(model, options.compute);
  done.load_seconds = watch.Seconds();
  Note(ModelLine(path, *model));
  const std::vector<Token> tokens = EncodePrompt(*model, prompt, options);
  CheckFits(tokens.size(), session, *model, options);
  Prefill(tokens, session, &done);  // its bar would wipe the prompt away
  EchoPrompt(prompt, options);
  Generate(*model, session, options, &done);
  Report(done, Timing(done, *model, session, options), options);
  if (done.stopped_by == "context") {
    const bool larger = session.context_length() < model->config().max_context;
    Note(std::string("the context is full; ") +
         (larger ? "a larger --ctx goes on"
                 : "it is the longest that the model has"));
  }
  return done.stopped_by == "interrupted" ? kInterrupted : kDone;
}

}  // namespace tern::cli
