// Byte-pair encoding (Sennrich et al. 2016): the bytes of a piece of text are
// tokens at first; of all neighbouring pairs that the merge list knows, the one
// earliest in the list (of equal ones the leftmost) becomes one token, until
// there is no such pair.
#ifndef TERN_RUNTIME_TOKENIZER_BPE_H_
#define TERN_RUNTIME_TOKENIZER_BPE_H_

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include <tern/tokenizer.h>

#include "runtime/tokenizer/long_piece_encoder.h"
#include "runtime/tokenizer/merges.h"
#include "runtime/tokenizer/vocabulary.h"

namespace tern::tokenizer {

// Belongs to one thread; costs nothing to make.
class BytePairEncoder {
 public:
  // Up to this size a plain scan for the lowest rank, quadratic in the size, is
  // faster than LongPieceEncoder.
  static constexpr std::size_t kShortPiece = 64;

  // Both must outlive it.  With `ignore_merges` a piece that is a token of the
  // vocabulary is taken as it is, even if no merges lead there (Llama 3).
  BytePairEncoder(const Vocabulary& vocabulary, const Merges& merges,
                  bool ignore_merges)
      : vocabulary_(&vocabulary),
        merges_(&merges),
        ignore_merges_(ignore_merges) {}

  // Appends the tokens of one piece (not empty).  Time grows with
  // piece.size() times its logarithm.
  void Encode(std::string_view piece, std::vector<Token>& tokens);

 private:
  void EncodeShort(std::string_view piece, std::vector<Token>& tokens) const;

  const Vocabulary* vocabulary_;
  const Merges* merges_;
  bool ignore_merges_;
  std::optional<LongPieceEncoder> long_pieces_;  // made when first needed
};

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_BPE_H_
