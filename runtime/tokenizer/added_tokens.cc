#include "runtime/tokenizer/added_tokens.h"

#include <algorithm>
#include <utility>

namespace tern::tokenizer {

AddedTokens::AddedTokens(std::vector<Entry> entries)
    : entries_(std::move(entries)) {
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.text < b.text; });
  for (Entry& entry : entries_) {
    entry.blank =
        entry.text.find_first_not_of(" \t\n\v\f\r") == std::string_view::npos;
    is_first_byte_[static_cast<unsigned char>(entry.text.front())] = true;
  }
}

AddedTokens::Match AddedTokens::LongestAt(std::string_view text,
                                          std::size_t begin,
                                          const Special& special) const {
  Match best{.begin = begin, .end = begin, .token = -1};
  bool may_be_name = !special.no_names;  // text[begin, i)
  // [low, high): the entries that start with text[begin, i).
  auto low = entries_.begin();
  auto high = entries_.end();
  for (std::size_t i = begin; low != high; ++i) {
    const std::size_t depth = i - begin;
    // An entry of just this prefix sorts before all that go on.
    for (; low != high && low->text.size() == depth; ++low) {
      const bool counts = low->special ? may_be_name && special.parse
                                       : may_be_name || low->blank;
      if (counts) {
        best.end = i;
        best.token = low->token;
      }
    }
    if (i == text.size()) break;
    may_be_name = may_be_name && special.MayBeName(i);
    // string_view orders by unsigned bytes.
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto at = [depth](const Entry& entry) {
      return static_cast<unsigned char>(entry.text[depth]);
    };
    low = std::partition_point(
        low, high, [&](const Entry& entry) { return at(entry) < byte; });
    high = std::partition_point(
        low, high, [&](const Entry& entry) { return at(entry) == byte; });
  }
  return best;
}

AddedTokens::Match AddedTokens::Find(std::string_view text, std::size_t from,
                                     const Special& special) const {
  if (!entries_.empty()) {
    for (std::size_t i = from; i < text.size(); ++i) {
      if (!is_first_byte_[static_cast<unsigned char>(text[i])]) continue;
      const Match match = LongestAt(text, i, special);
      if (match.token >= 0) return match;
    }
  }
  return {.begin = text.size(), .end = text.size(), .token = -1};
}

}  // namespace tern::tokenizer
