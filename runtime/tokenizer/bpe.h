// Byte-pair encoding (Sennrich et al. 2016): the bytes of a piece of text are
// tokens at first; of all neighbouring pairs that the merge list knows, the one
// earliest in the list (of equal ones the leftmost) becomes one token, until
// there is no such pair.
#ifndef TERN_RUNTIME_TOKENIZER_BPE_H_
#define TERN_RUNTIME_TOKENIZER_BPE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <tern/tokenizer.h>

#include "runtime/tokenizer/tokenizer_spec.h"
#include "runtime/tokenizer/vocabulary.h"

namespace tern::tokenizer {

// The merge list: a pair's rank is its place in it.
class Merges {
 public:
  static constexpr std::uint32_t kNoRank = UINT32_MAX;

  // Throws Error for a merge of, or into, a token that the vocabulary does not
  // have, and for one that is listed twice.
  Merges(const TokenizerSpec& spec, const Vocabulary& vocabulary);

  [[nodiscard]] std::size_t size() const { return results_.size(); }
  // kNoRank if the two do not merge.
  [[nodiscard]] std::uint32_t Rank(Token left, Token right) const;
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
  [[nodiscard]] std::size_t FindSlot(Token left, Token right) const;

  std::vector<Slot> slots_;  // open addressing, a power of two
  std::vector<Token> results_;
};

class BytePairEncoder {
 public:
  // Both must outlive it.
  BytePairEncoder(const Vocabulary& vocabulary, const Merges& merges,
                  bool ignore_merges)
      : vocabulary_(&vocabulary),
        merges_(&merges),
        ignore_merges_(ignore_merges) {}

  // Appends the tokens of one piece (not empty).  Time grows with
  // piece.size() times its logarithm.
  void Encode(std::string_view piece, std::vector<Token>& tokens) const;

 private:
  void EncodeShort(std::string_view piece, std::vector<Token>& tokens) const;

  const Vocabulary* vocabulary_;
  const Merges* merges_;
  // A piece that is a token of the vocabulary is taken as it is, even if no
  // merges lead there (Llama 3).
  bool ignore_merges_;
};

// The same for a piece of any length, made for long ones.
void EncodeLongPiece(std::string_view piece, const Vocabulary& vocabulary,
                     const Merges& merges, std::vector<Token>& tokens);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_BPE_H_
