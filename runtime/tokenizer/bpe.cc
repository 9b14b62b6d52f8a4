#include "runtime/tokenizer/bpe.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "runtime/tokenizer/byte_level.h"

namespace tern::tokenizer {
namespace {

// Up to here a plain scan for the smallest rank, quadratic in the length, is
// faster than the queue of EncodeLongPiece.
constexpr std::size_t kShortPiece = 48;

Token FindHalf(const TokenizerSpec& spec, const Vocabulary& vocabulary,
               std::size_t rank, std::string_view spelling) {
  const auto bytes = BytesOfSpelling(spelling);
  const Token token = bytes.has_value() ? vocabulary.Find(*bytes) : -1;
  if (token < 0) {
    Refuse(ErrorCode::kMalformed, spec.file,
           spec.merges_key + "[" + std::to_string(rank) + "]",
           Quoted(spelling) +
               " is not an ordinary token of the vocabulary; convert the model "
               "again");
  }
  return token;
}

}  // namespace

Merges::Merges(const TokenizerSpec& spec, const Vocabulary& vocabulary) {
  const std::size_t count = spec.merges.size();
  slots_.assign(std::bit_ceil(count + count / 2 + 1), Slot{});
  results_.reserve(count);
  std::string both;
  for (std::size_t rank = 0; rank < count; ++rank) {
    const MergeSpelling& merge = spec.merges[rank];
    const Token left = FindHalf(spec, vocabulary, rank, merge.left);
    const Token right = FindHalf(spec, vocabulary, rank, merge.right);
    both.assign(merge.left).append(merge.right);
    results_.push_back(FindHalf(spec, vocabulary, rank, both));
    Slot& slot = slots_[FindSlot(left, right)];
    if (slot.rank != kNoRank) {
      Refuse(ErrorCode::kMalformed, spec.file,
             spec.merges_key + "[" + std::to_string(rank) + "]",
             "the same pair as merge " + std::to_string(slot.rank) +
                 "; convert the model again");
    }
    slot = {
        .left = left, .right = right, .rank = static_cast<std::uint32_t>(rank)};
  }
}

std::size_t Merges::FindSlot(Token left, Token right) const {
  const std::size_t mask = slots_.size() - 1;
  const std::uint64_t pair = static_cast<std::uint64_t>(left) << 32 |
                             static_cast<std::uint32_t>(right);
  const std::uint64_t hash = pair * 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio
  std::size_t slot = (hash ^ hash >> 32) & mask;
  while (slots_[slot].rank != kNoRank &&
         (slots_[slot].left != left || slots_[slot].right != right)) {
    slot = (slot + 1) & mask;
  }
  return slot;
}

std::uint32_t Merges::Rank(Token left, Token right) const {
  return slots_[FindSlot(left, right)].rank;
}

void BytePairEncoder::Encode(std::string_view piece,
                             std::vector<Token>& tokens) const {
  if (ignore_merges_) {
    const Token token = vocabulary_->Find(piece);
    if (token >= 0) {
      tokens.push_back(token);
      return;
    }
  }
  if (piece.size() <= kShortPiece) {
    EncodeShort(piece, tokens);
  } else {
    EncodeLongPiece(piece, *vocabulary_, *merges_, tokens);
  }
}

void BytePairEncoder::EncodeShort(std::string_view piece,
                                  std::vector<Token>& tokens) const {
  std::array<Token, kShortPiece> symbols;        // the first `count` are in use
  std::array<std::uint32_t, kShortPiece> ranks;  // of symbol i and i + 1
  std::size_t count = piece.size();
  for (std::size_t i = 0; i < count; ++i) {
    symbols[i] = vocabulary_->ByteToken(static_cast<unsigned char>(piece[i]));
  }
  const auto rank_at = [&](std::size_t i) {
    return i + 1 < count ? merges_->Rank(symbols[i], symbols[i + 1])
                         : Merges::kNoRank;
  };
  for (std::size_t i = 0; i < count; ++i) ranks[i] = rank_at(i);
  while (true) {
    const auto best = static_cast<std::size_t>(
        std::min_element(ranks.begin(), ranks.begin() + count) - ranks.begin());
    if (ranks[best] == Merges::kNoRank) break;
    symbols[best] = merges_->Result(ranks[best]);
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
