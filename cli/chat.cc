// `tern chat`: a conversation, one line a turn.
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include <tern/chat.h>
#include <tern/error.h>
#include <tern/model.h>
#include <tern/sampler.h>
#include <tern/session.h>

#include "cli/commands.h"
#include "cli/errors.h"
#include "cli/interrupt.h"
#include "cli/io.h"
#include "cli/line_reader.h"
#include "cli/loading.h"
#include "cli/options.h"
#include "cli/stop_filter.h"
#include "cli/text.h"

namespace tern::cli {
namespace {

struct ChatOptions {
  std::string model;
  std::optional<std::string> system;
  std::string template_file;
  std::optional<bool> thinking;
  std::size_t max_tokens = std::numeric_limits<std::size_t>::max();
  std::vector<std::string> stops;
  bool json = false;
  ComputeOptions compute;
  SamplerOptions sampling;
  std::optional<std::uint64_t> seed;
};

constexpr const char* kHelp =
    "/help        this\n"
    "/reset       begin a new conversation\n"
    "/save FILE   write the conversation to FILE: JSON if its name ends in "
    ".json, else Markdown\n"
    "/exit        end; Ctrl-D and Ctrl-C at the prompt do the same\n"
    "//...        say what begins with a slash\n"
    "Ctrl-C       stop an answer";

bool ParseThinking(const std::string& text) {
  if (text == "on") return true;
  if (text == "off") return false;
  throw UsageError("--thinking: '" + text + "' is not on or off");
}

void AddChatOptions(po::options_description& options, ChatOptions* out) {
  options.add_options()("system", Text(&out->system, "TEXT"),
                        "the system message, which says how to answer")(
      "chat-template", Name(&out->template_file, "--chat-template", "FILE"),
      "a Jinja chat template instead of the model's own")(
      "thinking",
      po::value<std::string>()->value_name("on|off")->notifier(
          [out](const std::string& text) {
            out->thinking = ParseThinking(text);
          }),
      "for models that can think aloud first (default: as the model likes)")(
      "max-tokens,n",
      Number<std::size_t>(&out->max_tokens, "--max-tokens", 1,
                          std::size_t{1} << 30, "a whole number of at least 1"),
      "end an answer after N tokens (default: when the model ends it or the "
      "context is full)")(
      "stop",
      po::value<std::vector<std::string>>(&out->stops)->value_name("TEXT"),
      "end an answer before TEXT; may be given several times")(
      "json", po::bool_switch(&out->json),
      "print one JSON document at the end instead of streaming");
}

bool ParseOptions(const Arguments& arguments, ChatOptions* options) {
  CommandLine line(
      {"tern chat [-m PATH] [--system TEXT] [options]",
       "A conversation with a model, in the form that it was trained with: its "
       "chat\ntemplate.  Each line of the input, a terminal or a pipe, is a "
       "message; answers\nstream to stdout.  Ctrl-C stops an answer.  /help "
       "lists the commands.\nThe model that ships goes on with stories: it was "
       "not trained to chat.",
       "  tern chat -m model.gguf --system \"Answer in one sentence.\""});
  AddModelOption(line.options(), &options->model);
  AddChatOptions(line.options(), options);
  AddComputeOptions(line.options(), &options->compute,
                    "positions to make room for (default: the model's own)");
  AddSamplingOptions(line.options(), &options->sampling, &options->seed);
  if (!line.Parse(arguments)) return false;
  for (const std::string& stop : options->stops) {
    if (stop.empty()) throw UsageError("--stop: the text is empty");
  }
  options->sampling.seed =
      options->seed ? *options->seed : std::random_device()();
  return true;
}

// One question and what came of it.
struct Turn {
  std::string text;
  std::size_t prompt_tokens = 0;  // read, beside those that were kept
  std::size_t reused_tokens = 0;
  std::size_t generated_tokens = 0;
  // "end" of the answer, "stop" string, "length", "context" or "interrupted"
  std::string stopped_by;
};

Json MessagesJson(const Chat& chat) {
  Json messages = Json::array();
  for (const ChatMessage& message : chat.messages()) {
    messages.push_back({{"role", message.role}, {"content", message.content}});
  }
  return messages;
}

std::string Markdown(const Chat& chat) {
  std::string text;
  for (const ChatMessage& message : chat.messages()) {
    text += "**" + message.role + "**\n\n" + message.content + "\n\n";
  }
  return text;
}

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\v\f\r") == std::string_view::npos;
}

class Conversation {
 public:
  Conversation(const ChatOptions& options, const Model& model, Session& session,
               Chat chat)
      : options_(options),
        model_(model),
        session_(session),
        chat_(std::move(chat)),
        sampler_(options.sampling),
        on_terminal_(isatty(STDIN_FILENO) != 0 && !options.json) {
    Reset();
  }

  // Until the input ends, or Ctrl-C at the prompt ends it.
  void Run() {
    if (on_terminal_) Note("/help lists the commands");
    while (!done_) {
      if (on_terminal_) WriteResult("> ");
      const std::optional<std::string> line = ReadLine();
      if (!line) break;
      Handle(*line);
    }
    if (on_terminal_) WriteResult("\n");
  }

  void Report() const {
    if (options_.json) {
      WriteResult(DumpJson({{"messages", MessagesJson(chat_)},
                            {"turns", turns_},
                            {"seed", options_.sampling.seed}}));
    }
    Note(std::to_string(turns_.size()) +
         (turns_.size() == 1 ? " answer, " : " answers, ") +
         std::to_string(tokens_) + " tokens at " +
         Fixed(seconds_ > 0 ? static_cast<double>(tokens_) / seconds_ : 0, 1) +
         " tokens/s, seed " + std::to_string(options_.sampling.seed));
  }

  // Whether Ctrl-C ended it.
  [[nodiscard]] bool was_interrupted() const { return was_interrupted_; }

 private:
  std::optional<std::string> ReadLine() {
    try {
      return lines_.Read();
    } catch (const Interrupted&) {
      was_interrupted_ = true;
      return std::nullopt;
    }
  }

  void Reset() {
    chat_.Clear();
    if (options_.system) chat_.Add("system", *options_.system);
  }

  void Handle(const std::string& line) {
    if (IsBlank(line)) return;
    if (line.starts_with("//")) return Ask(line.substr(1));
    if (line.starts_with('/')) return Command(line);
    Ask(line);
  }

  void Command(const std::string& line) {
    constexpr std::string_view kSave = "/save ";
    if (line == "/exit") {
      done_ = true;
    } else if (line == "/reset") {
      Reset();
      Note("a new conversation begins");
    } else if (line == "/help") {
      for (std::string_view rest = kHelp; !rest.empty();) {
        const std::size_t end = rest.find('\n');
        Note(std::string(rest.substr(0, end)));
        rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
      }
    } else if (line == "/save" || (line.starts_with(kSave) &&
                                   IsBlank(line.substr(kSave.size())))) {
      Note("/save: give a file name");
    } else if (line.starts_with(kSave)) {
      Save(line.substr(kSave.size()));
    } else {
      Note("'" + line + "': no such command; /help lists them");
    }
  }

  // On a terminal a conversation survives what goes wrong in it.  No file is
  // overwritten, which might be the model.
  void Save(const std::string& path) {
    try {
      std::error_code ignored;  // writing it says what is wrong
      if (std::filesystem::exists(path, ignored)) {
        throw Error(ErrorCode::kInvalidArgument,
                    path + ": exists already; choose another name");
      }
      const bool json = path.ends_with(".json");
      ResultFile file(path);
      file.Write(json ? DumpJson({{"messages", MessagesJson(chat_)}})
                      : Markdown(chat_));
      file.Commit();
      Note("saved to " + path);
    } catch (const Error& error) {
      if (!on_terminal_) throw;
      Note("tern: " + std::string(error.what()));
    }
  }

  void Ask(const std::string& text) {
    chat_.Add("user", text);
    Turn turn;
    try {
      Answer(&turn);
    } catch (const Interrupted&) {  // while the question was read
      chat_.RemoveLast();
      ForgetInterrupt();
      return Note("stopped; the message was taken back");
    } catch (const Error& error) {
      chat_.RemoveLast();
      if (!on_terminal_) throw;
      if (WasInterrupted()) ForgetInterrupt();
      return Note("tern: " + std::string(error.what()) + Advice(error.code()));
    }
    chat_.Add("assistant", turn.text);
    if (!options_.json) WriteResult("\n");
    // One that came too late to stop it is spent too.
    if (WasInterrupted()) ForgetInterrupt();
    if (turn.stopped_by == "context") {
      Note("the context is full, so the answer ends here" +
           Advice(ErrorCode::kContextFull));
    }
    turns_.push_back({{"text", turn.text},
                      {"prompt_tokens", turn.prompt_tokens},
                      {"reused_tokens", turn.reused_tokens},
                      {"generated_tokens", turn.generated_tokens},
                      {"stopped_by", turn.stopped_by}});
  }

  [[nodiscard]] std::string Advice(ErrorCode code) const {
    if (code != ErrorCode::kContextFull) return "";
    const bool larger = session_.context_length() < model_.config().max_context;
    return std::string("; /reset begins a new conversation") +
           (larger ? ", a larger --ctx holds a longer one" : "");
  }

  // Why the answer may not go on, or nothing.
  [[nodiscard]] std::string ReasonToStop(const Turn& turn) const {
    if (WasInterrupted()) return "interrupted";
    if (turn.generated_tokens >= options_.max_tokens) return "length";
    if (session_.tokens().size() >= session_.context_length()) return "context";
    return "";
  }

  void Answer(Turn* turn) {
    const std::vector<Token> tokens = chat_.Prepare(session_);
    turn->prompt_tokens = tokens.size();
    turn->reused_tokens = session_.tokens().size();
    AppendInPieces(tokens, session_);
    const auto start = std::chrono::steady_clock::now();
    Generate(turn);
    tokens_ += turn->generated_tokens;
    seconds_ +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count();
  }

  void Generate(Turn* turn) {
    StreamDecoder decoder(model_.tokenizer());
    StopFilter filter(options_.stops);
    const auto emit = [&](const std::string& text) {
      turn->text += text;
      if (!options_.json && !text.empty()) WriteResult(text);
    };
    while ((turn->stopped_by = ReasonToStop(*turn)).empty()) {
      const Token token = session_.Next(sampler_);
      ++turn->generated_tokens;
      if (model_.tokenizer().IsEndOfText(token)) {
        turn->stopped_by = "end";
        break;
      }
      emit(filter.Push(decoder.Push(token)));
      if (filter.stopped()) break;
    }
    emit(filter.Push(decoder.Flush()));
    emit(filter.Flush());
    if (filter.stopped()) turn->stopped_by = "stop";
  }

  const ChatOptions& options_;
  const Model& model_;
  Session& session_;
  Chat chat_;
  Sampler sampler_;
  LineReader lines_;
  bool on_terminal_;
  bool done_ = false;
  bool was_interrupted_ = false;
  Json turns_ = Json::array();
  std::size_t tokens_ = 0;
  double seconds_ = 0;
};

ChatTemplate FindTemplate(const std::filesystem::path& model,
                          const ChatOptions& options) {
  return options.template_file.empty()
             ? ChatTemplate::Load(model)
             : ChatTemplate::Load(model, options.template_file);
}

}  // namespace

int RunChat(const Arguments& arguments) {
  ChatOptions options;
  if (!ParseOptions(arguments, &options)) return kDone;
  CatchInterrupts();
  const std::filesystem::path path = ChooseModel(options.model);
  // Before the weights: a base model is refused at once.
  const ChatTemplate chat_template = FindTemplate(path, options);
  const auto model = LoadModel(path, options.compute);
  Session session = OpenSession(model, options.compute);
  Note(ModelLine(path, *model, chat_template.Describe()));
  Chat chat(chat_template, model->tokenizer(),
            {.enable_thinking = options.thinking});
  Conversation conversation(options, *model, session, std::move(chat));
  conversation.Run();
  conversation.Report();
  return conversation.was_interrupted() ? kInterrupted : kDone;
}

}  // namespace tern::cli
