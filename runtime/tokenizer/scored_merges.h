// The merges that SentencePiece's scores imply: any two pieces that are a third
// one together merge into it, pieces of higher scores first.
#ifndef TERN_RUNTIME_TOKENIZER_SCORED_MERGES_H_
#define TERN_RUNTIME_TOKENIZER_SCORED_MERGES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include <tern/tokenizer.h>

#include "runtime/tokenizer/tokenizer_spec.h"
#include "runtime/tokenizer/vocabulary.h"

namespace tern::tokenizer {

struct ScoredMerges {
  struct Pair {
    Token left;
    Token right;
    Token result;
    std::uint32_t rank;
  };
  std::vector<Pair> pairs;  // no two of the same left and right
  std::size_t ranks = 0;    // 0 is the highest score; equal scores share one
};

// The pieces are the kText tokens.  Throws Error (kMalformed) for a score that
// is no number, a piece too long to be one, one with a character that no piece
// stands for (it could not be reached from single characters), and for scores
// that are all the same: some converters write such instead of the real ones.
[[nodiscard]] ScoredMerges FindScoredMerges(const TokenizerSpec& spec,
                                            const Vocabulary& vocabulary);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_SCORED_MERGES_H_
