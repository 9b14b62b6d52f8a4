// The merge list of a BPE tokenizer: a pair's rank is its place in it.
#ifndef TERN_RUNTIME_TOKENIZER_MERGES_H_
#define TERN_RUNTIME_TOKENIZER_MERGES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include <tern/tokenizer.h>

#include "runtime/tokenizer/tokenizer_spec.h"
#include "runtime/tokenizer/vocabulary.h"

namespace tern::tokenizer {

class Merges {
 public:
  static constexpr std::uint32_t kNoRank = UINT32_MAX;

  // Throws Error for a merge of, or into, a token that the vocabulary does not
  // have, and for one that is listed twice.
  Merges(const TokenizerSpec& spec, const Vocabulary& vocabulary);

  [[nodiscard]] std::size_t size() const { return results_.size(); }
  // kNoRank if the two do not merge.
  [[nodiscard]] std::uint32_t Rank(Token left, Token right) const {
    return slots_[FindSlot(left, right)].rank;
  }
  // What the merge of this rank makes.
  [[nodiscard]] Token Result(std::uint32_t rank) const {
    return results_[rank];
  }

 private:
  struct Slot {
    Token left = -1;
    Token right = -1;
    std::uint32_t rank = kNoRank;  // kNoRank: free
  };
  // Where the search for a pair begins.
  [[nodiscard]] std::size_t FirstSlot(Token left, Token right) const;
  [[nodiscard]] std::size_t FindSlot(Token left, Token right) const;

  std::vector<Slot> slots_;  // open addressing, a power of two
  std::vector<Token> results_;
};

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_MERGES_H_
