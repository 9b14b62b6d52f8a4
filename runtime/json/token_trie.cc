#include "runtime/json/token_trie.h"

#include <algorithm>

namespace tern::json {

TokenTrie::TokenTrie(const Tokenizer& tokenizer)
    : bytes_(tokenizer.vocab_size()),
      end_tokens_(tokenizer.end_tokens().begin(),
                  tokenizer.end_tokens().end()) {
  for (std::size_t t = 0; t < bytes_.size(); ++t) {
    const auto token = static_cast<Token>(t);
    if (tokenizer.IsSpecial(token) || tokenizer.IsEndOfText(token)) continue;
    bytes_[t] = tokenizer.Decode(token);
    if (bytes_[t].empty()) continue;
    sorted_.push_back(token);
    longest_ = std::max(longest_, bytes_[t].size());
  }
  std::sort(sorted_.begin(), sorted_.end(),
            [&](Token a, Token b) { return Bytes(a) < Bytes(b); });
  shared_.reserve(sorted_.size());
  std::string_view before;
  for (const Token token : sorted_) {
    const std::string_view bytes = Bytes(token);
    const std::size_t most = std::min(bytes.size(), before.size());
    std::size_t shared = 0;
    while (shared < most && bytes[shared] == before[shared]) ++shared;
    shared_.push_back(shared);
    before = bytes;
  }
}

}  // namespace tern::json
