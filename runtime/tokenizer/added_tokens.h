// Tokens that are found in the text itself, before it is split: control tokens
// such as <|eot_id|>, and words that were added to a finished vocabulary.
#ifndef TERN_RUNTIME_TOKENIZER_ADDED_TOKENS_H_
#define TERN_RUNTIME_TOKENIZER_ADDED_TOKENS_H_

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include <tern/tokenizer.h>

namespace tern::tokenizer {

// The tokens' texts in order, searched by narrowing the range that shares the
// prefix read so far: at most the length of the longest token (times a
// logarithm of their number) at each place where one could begin.
class AddedTokens {
 public:
  struct Entry {
    std::string_view text;  // must outlive the AddedTokens; not empty
    Token token = -1;
    bool special = false;
    bool blank = false;  // white space alone; set by AddedTokens
  };
  explicit AddedTokens(std::vector<Entry> entries);

  struct Match {
    std::size_t begin = 0;  // text.size() if there is none
    std::size_t end = 0;
    Token token = -1;
  };
  // Which tokens count where.  Runs of white space, which GPT-NeoX has as added
  // tokens, are text, and count everywhere.
  struct Special {
    bool parse = false;  // special tokens count at all
    // Empty: all of the text may be part of a name; or [text.size()], with a 1
    // for each byte that may.
    std::string_view mask = {};
    bool no_names = false;  // as a mask without a 1
    [[nodiscard]] bool MayBeName(std::size_t position) const {
      return !no_names && (mask.empty() || mask[position] == '1');
    }
  };
  // The longest token at the leftmost place at or after `from`.
  [[nodiscard]] Match Find(std::string_view text, std::size_t from,
                           const Special& special) const;

 private:
  [[nodiscard]] Match LongestAt(std::string_view text, std::size_t begin,
                                const Special& special) const;

  std::vector<Entry> entries_;  // by text
  std::array<bool, 256> is_first_byte_{};
};

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_ADDED_TOKENS_H_
