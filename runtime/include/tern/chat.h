// Conversations: the text that a model was trained to see them in, and a chat
// that goes on in one Session.
//
//   tern::Chat chat(tern::ChatTemplate::Load(path), model->tokenizer());
//   chat.Add("user", line);
//   session.Append(chat.Prepare(session));
//   while (...) { tern::Token token = session.Next(sampler); ... }
//   chat.Add("assistant", answer);
//
// A chat template is a small Jinja program that comes with a model.  tern runs
// the part of Jinja that published templates use, and refuses the rest
// (runtime/chat/README.md).
#ifndef TERN_CHAT_H_
#define TERN_CHAT_H_

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tern/api.h>
#include <tern/session.h>
#include <tern/tokenizer.h>

namespace tern {

struct ChatMessage {
  std::string role;  // "system", "user" or "assistant"
  std::string content;
};

struct RenderOptions {
  // End with what begins the assistant's answer.
  bool add_generation_prompt = true;
  // For templates that have a switch for it; absent: as the template likes.
  std::optional<bool> enable_thinking = std::nullopt;
  // What strftime_now() tells; absent: the clock's.
  std::optional<std::chrono::system_clock::time_point> now = std::nullopt;
};

// A conversation as one text.  `mask` is as long as `text`: '1' for a byte that
// the template wrote, '0' for one of a message.  Only where all of its bytes
// have '1' is the name of a special token that token: what somebody typed is
// ordinary text.
struct RenderedChat {
  std::string text;
  std::string mask;
};

// Names of the special tokens that a template writes; empty: there is none.
struct TemplateTokens {
  std::string bos;
  std::string eos;
};

// Immutable: any number of threads may use one, and copies share.
class TERN_API ChatTemplate {
 public:
  // `place` begins every Error, which is thrown for what tern does not know of
  // Jinja too.
  ChatTemplate(std::string_view text, TemplateTokens tokens,
               const std::string& place = "chat template");

  // The one for a model (a GGUF file, a directory in Hugging Face layout, or a
  // .safetensors file beside its config.json): the file's own, unless it has
  // none or a placeholder, and tern knows what the model was trained with.
  // Throws Error (kNotFound) for a model without one, a base model.
  static ChatTemplate Load(const std::filesystem::path& model);
  // The text of `file`, with the special tokens of `model`.
  static ChatTemplate Load(const std::filesystem::path& model,
                           const std::filesystem::path& file);

  // Throws Error: kInvalidArgument for another role, or if the template itself
  // refuses the conversation; kUnsupported beyond the limits of a run.
  [[nodiscard]] RenderedChat Render(std::span<const ChatMessage> messages,
                                    const RenderOptions& options = {}) const;

  // A phrase for people: "the file's own", "2B4T (built in; ...)".
  [[nodiscard]] const std::string& Describe() const;

  // What begins an Error about the template.
  [[nodiscard]] const std::string& Place() const;

  class TERN_PRIVATE Impl;  // private to runtime/chat/
  explicit ChatTemplate(std::shared_ptr<const Impl> impl);

 private:
  std::shared_ptr<const Impl> impl_;
};

// What ChatTemplate::Load would find, as a phrase; "none" for a base model, and
// what is wrong with it for one that Load refuses.
TERN_API std::string DescribeChatTemplate(const std::filesystem::path& model);

// The ids of a conversation.  The beginning-of-text token comes first if the
// tokenizer adds one and the template did not.
TERN_API std::vector<Token> EncodeChat(const RenderedChat& chat,
                                       const Tokenizer& tokenizer);

// A conversation that grows.  Belongs to one thread at a time.
class TERN_API Chat {
 public:
  // The tokenizer must outlive the chat.
  Chat(ChatTemplate chat_template, const Tokenizer& tokenizer,
       RenderOptions options = {});

  void Add(std::string role, std::string content);
  // Takes the last message back.  There must be one.
  void RemoveLast() { messages_.pop_back(); }
  void Clear() { messages_.clear(); }
  [[nodiscard]] std::span<const ChatMessage> messages() const {
    return messages_;
  }

  // Makes `session` ready for the assistant's next answer: keeps what its
  // context has in common with the whole conversation, forgets the rest, and
  // gives the tokens that are to be appended, at least one.  Throws Error as
  // Render does, kInvalidArgument if the template writes nothing of the
  // messages, so that the last one would be lost, and kContextFull, with the
  // session unchanged, if they and one token more do not fit.
  [[nodiscard]] std::vector<Token> Prepare(Session& session) const;

 private:
  ChatTemplate template_;
  const Tokenizer* tokenizer_;
  RenderOptions options_;
  std::vector<ChatMessage> messages_;
};

}  // namespace tern

#endif  // TERN_CHAT_H_
