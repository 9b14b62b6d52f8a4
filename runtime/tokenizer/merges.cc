#include "runtime/tokenizer/merges.h"

#include <bit>
#include <string>

#include "runtime/files/quote.h"
#include "runtime/tokenizer/byte_level.h"
#include "runtime/tokenizer/probing.h"

namespace tern::tokenizer {
namespace {

std::string Place(const TokenizerSpec& spec, std::size_t rank) {
  return spec.merges_key + "[" + std::to_string(rank) + "]";
}

Token FindToken(const TokenizerSpec& spec, const Vocabulary& vocabulary,
                std::size_t rank, std::string_view spelling) {
  const auto bytes = BytesOfSpelling(spelling);
  const Token token = bytes.has_value() ? vocabulary.Find(*bytes) : -1;
  if (token < 0) {
    Refuse(ErrorCode::kMalformed, spec.file, Place(spec, rank),
           files::Quote(spelling) +
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
    const Token left = FindToken(spec, vocabulary, rank, merge.left);
    const Token right = FindToken(spec, vocabulary, rank, merge.right);
    both.assign(merge.left).append(merge.right);
    results_.push_back(FindToken(spec, vocabulary, rank, both));
    const std::size_t place = FindSlot(left, right);
    if (((place - FirstSlot(left, right)) & (slots_.size() - 1)) > kMaxProbes) {
      RefuseCollisions(spec, spec.merges_key);
    }
    Slot& slot = slots_[place];
    if (slot.rank != kNoRank) {
      Refuse(ErrorCode::kMalformed, spec.file, Place(spec, rank),
             "the same pair as merge " + std::to_string(slot.rank) +
                 "; convert the model again");
    }
    slot = {
        .left = left, .right = right, .rank = static_cast<std::uint32_t>(rank)};
  }
  const auto is_free = [](const Slot& slot) { return slot.rank == kNoRank; };
  if (LongestRun(slots_, is_free) > kMaxProbes) {
    RefuseCollisions(spec, spec.merges_key);
  }
}

std::size_t Merges::FirstSlot(Token left, Token right) const {
  const std::uint64_t pair = static_cast<std::uint64_t>(left) << 32 |
                             static_cast<std::uint32_t>(right);
  const std::uint64_t hash = pair * 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio
  return (hash ^ hash >> 32) & (slots_.size() - 1);
}

std::size_t Merges::FindSlot(Token left, Token right) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = FirstSlot(left, right);
  while (slots_[slot].rank != kNoRank &&
         (slots_[slot].left != left || slots_[slot].right != right)) {
    slot = (slot + 1) & mask;
  }
  return slot;
}

}  // namespace tern::tokenizer
