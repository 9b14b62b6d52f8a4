// Which pairs of tokens a BPE tokenizer merges, and which first.
//
// Either from a merge list, where a pair's rank is its place, or from the
// scores of SentencePiece: any two pieces that are a third together merge, and
// the rank is that of the third's score among all.  Then pairs can share a
// rank, and even pieces can: Llama 2's runs of spaces all have the score -1e9.
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
  // have, and for one that is listed twice; of scores see ScoredMerges.
  Merges(const TokenizerSpec& spec, const Vocabulary& vocabulary);

  // Ranks are below this.
  [[nodiscard]] std::size_t size() const { return results_.size(); }
  // kNoRank if the two do not merge.
  [[nodiscard]] std::uint32_t Rank(Token left, Token right) const {
    return slots_[FindSlot(left, right)].rank;
  }
  // What the merge of these two, which has this rank, makes.
  [[nodiscard]] Token Result(std::uint32_t rank, Token left,
                             Token right) const {
    const Token only = results_[rank];
    return only >= 0 ? only : slots_[FindSlot(left, right)].result;
  }

 private:
  struct Slot {
    Token left = -1;
    Token right = -1;
    Token result = -1;
    std::uint32_t rank = kNoRank;  // kNoRank: free
  };
  void AddList(const TokenizerSpec& spec, const Vocabulary& vocabulary);
  void AddScored(const TokenizerSpec& spec, const Vocabulary& vocabulary);
  // An empty table for this many pairs.
  void Reserve(std::size_t pairs);
  void Insert(const TokenizerSpec& spec, const Slot& pair);
  // Where the search for a pair begins.
  [[nodiscard]] std::size_t FirstSlot(Token left, Token right) const;
  [[nodiscard]] std::size_t FindSlot(Token left, Token right) const;

  std::vector<Slot> slots_;     // open addressing, a power of two
  std::vector<Token> results_;  // by rank; -1: several tokens share the rank
};

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_MERGES_H_
