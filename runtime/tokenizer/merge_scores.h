// The scores that a merge list stands for: the way back from tokenizer.json to
// SentencePiece's own form, which GGUF has.
#ifndef TERN_RUNTIME_TOKENIZER_MERGE_SCORES_H_
#define TERN_RUNTIME_TOKENIZER_MERGE_SCORES_H_

#include <vector>

#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {

// One score for each token of `spec`, a SentencePiece vocabulary with a merge
// list: minus the place of the piece among all that merges make, 0 for tokens
// that none makes.  A list made from scores names all pairs of a piece together
// and in the order of the scores; throws Error (kUnsupported) for another,
// which scores cannot say: Llama 2's, whose runs of spaces share one score, is
// such.
[[nodiscard]] std::vector<double> ScoresOfMerges(const TokenizerSpec& spec);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_MERGE_SCORES_H_
