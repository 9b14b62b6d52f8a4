#include <algorithm>
#include <cstddef>
#include <utility>

#include <tern/chat.h>
#include <tern/error.h>

namespace tern {

namespace {

// A template that reads another key than "content", say, would have the model
// answer to nothing.
void CheckWritesMessages(const std::vector<ChatMessage>& messages,
                         const RenderedChat& rendered,
                         const std::string& place) {
  const auto has_text = [](const std::string& text) {
    return text.find_first_not_of(" \t\n\v\f\r") != std::string::npos;
  };
  if (messages.empty() || !has_text(messages.back().content)) return;
  if (rendered.mask.find('0') != std::string::npos) return;
  throw Error(ErrorCode::kInvalidArgument,
              place +
                  ": the chat template writes nothing of the messages; use the "
                  "template as it was published");
}

}  // namespace

std::vector<Token> EncodeChat(const RenderedChat& chat,
                              const Tokenizer& tokenizer) {
  return tokenizer.Encode(
      chat.text,
      {.add_bos = true, .parse_special = true, .special_mask = chat.mask});
}

Chat::Chat(ChatTemplate chat_template, const Tokenizer& tokenizer,
           RenderOptions options)
    : template_(std::move(chat_template)),
      tokenizer_(&tokenizer),
      options_(options) {}

void Chat::Add(std::string role, std::string content) {
  messages_.push_back({std::move(role), std::move(content)});
}

std::vector<Token> Chat::Prepare(Session& session) const {
  const RenderedChat rendered = template_.Render(messages_, options_);
  CheckWritesMessages(messages_, rendered, template_.Place());
  const std::vector<Token> whole = EncodeChat(rendered, *tokenizer_);
  if (whole.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "conversation: renders to no token; add a message");
  }
  if (whole.size() >= session.context_length()) {
    throw Error(ErrorCode::kContextFull,
                "conversation: has " + std::to_string(whole.size()) +
                    " tokens, which leave no room in the context of " +
                    std::to_string(session.context_length()) +
                    "; begin a new one or make the context larger");
  }
  const std::span<const Token> held = session.tokens();
  const auto end =
      std::mismatch(held.begin(), held.end(), whole.begin(), whole.end());
  // The last token is read again if need be, for the logits after it.
  const std::size_t common = std::min(
      static_cast<std::size_t>(end.second - whole.begin()), whole.size() - 1);
  session.Truncate(common);
  return {whole.begin() + static_cast<std::ptrdiff_t>(common), whole.end()};
}

}  // namespace tern
