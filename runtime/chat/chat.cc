#include <algorithm>
#include <cstddef>
#include <utility>

#include <tern/chat.h>
#include <tern/error.h>

namespace tern {
namespace {

struct SpecialName {
  std::string name;
  Token token = 0;
};

// The control tokens of a vocabulary, longest name first: where two begin at
// the same byte, the longer one is meant.
std::vector<SpecialName> SpecialNames(const Tokenizer& tokenizer) {
  std::vector<SpecialName> names;
  for (std::size_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const auto token = static_cast<Token>(id);
    if (!tokenizer.IsSpecial(token)) continue;
    names.push_back({tokenizer.Decode(token), token});
  }
  std::erase_if(names,
                [](const auto& special) { return special.name.empty(); });
  std::stable_sort(names.begin(), names.end(),
                   [](const auto& a, const auto& b) {
                     return a.name.size() > b.name.size();
                   });
  return names;
}

// The special token that begins at `at` and is the template's, or null.
const SpecialName* FindAt(const RenderedChat& chat, std::size_t at,
                          const std::vector<SpecialName>& names) {
  for (const SpecialName& special : names) {
    const std::size_t size = special.name.size();
    if (chat.text.compare(at, size, special.name) != 0) continue;
    if (chat.mask.find_first_not_of('1', at) >= at + size) return &special;
  }
  return nullptr;
}

}  // namespace

std::vector<Token> EncodeChat(const RenderedChat& chat,
                              const Tokenizer& tokenizer) {
  const std::vector<SpecialName> names = SpecialNames(tokenizer);
  std::vector<Token> tokens;
  std::size_t begin = 0;  // of text that is not encoded yet
  const auto encode_until = [&](std::size_t end) {
    const auto text = std::string_view(chat.text).substr(begin, end - begin);
    const std::vector<Token> more =
        tokenizer.Encode(text, {.add_bos = false, .parse_special = false});
    tokens.insert(tokens.end(), more.begin(), more.end());
  };
  for (std::size_t at = 0; at < chat.text.size();) {
    const SpecialName* special =
        chat.mask[at] == '1' ? FindAt(chat, at, names) : nullptr;
    if (special == nullptr) {
      ++at;
      continue;
    }
    encode_until(at);
    tokens.push_back(special->token);
    at += special->name.size();
    begin = at;
  }
  encode_until(chat.text.size());
  const std::optional<Token> bos = tokenizer.bos();
  if (tokenizer.adds_bos() && (tokens.empty() || tokens[0] != *bos)) {
    tokens.insert(tokens.begin(), *bos);
  }
  return tokens;
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
