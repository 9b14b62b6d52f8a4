#include "runtime/tokenizer/bpe.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace tern::tokenizer {

void BytePairEncoder::Encode(std::string_view piece,
                             std::vector<Token>& tokens) {
  if (ignore_merges_) {
    // Not an added word: what is left of those is what a user typed.
    const Token token = vocabulary_->Find(piece);
    if (token >= 0 && vocabulary_->Kind(token) == TokenKind::kText) {
      tokens.push_back(token);
      return;
    }
  }
  if (piece.size() <= kShortPiece) {
    EncodeShort(piece, tokens);
    return;
  }
  if (!long_pieces_.has_value()) long_pieces_.emplace(*vocabulary_, *merges_);
  long_pieces_->Encode(piece, tokens);
}

void BytePairEncoder::EncodeShort(std::string_view piece,
                                  std::vector<Token>& tokens) const {
  // The first `count` are in use.  Not initialized: that would cost more than
  // most words do.
  std::array<Token, kShortPiece> symbols;
  std::array<std::uint32_t, kShortPiece> ranks;  // of symbols i and i + 1
  std::size_t count = vocabulary_->FirstSymbols(piece, symbols.data());
  const auto rank_at = [&](std::size_t i) {
    return i + 1 < count ? merges_->Rank(symbols[i], symbols[i + 1])
                         : Merges::kNoRank;
  };
  for (std::size_t i = 0; i < count; ++i) ranks[i] = rank_at(i);
  while (true) {
    const std::size_t best =
        std::min_element(ranks.begin(), ranks.begin() + count) - ranks.begin();
    if (ranks[best] == Merges::kNoRank) break;
    symbols[best] =
        merges_->Result(ranks[best], symbols[best], symbols[best + 1]);
    std::copy(symbols.begin() + best + 2, symbols.begin() + count,
              symbols.begin() + best + 1);
    std::copy(ranks.begin() + best + 2, ranks.begin() + count,
              ranks.begin() + best + 1);
    --count;
    ranks[best] = rank_at(best);
    if (best > 0) ranks[best - 1] = rank_at(best - 1);
  }
  tokens.insert(tokens.end(), symbols.begin(), symbols.begin() + count);
}

}  // namespace tern::tokenizer
