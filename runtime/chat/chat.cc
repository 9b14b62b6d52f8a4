#include <algorithm>
#include <cstddef>
#include <utility>

#include <tern/chat.h>
#include <tern/error.h>

namespace tern {

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
  const std::vector<Token> whole =
      EncodeChat(template_.Render(messages_, options_), *tokenizer_);
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
