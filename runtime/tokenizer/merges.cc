#include "runtime/tokenizer/merges.h"

#include <bit>
#include <string>

#include "runtime/files/quote.h"
#include "runtime/tokenizer/probing.h"
#include "runtime/tokenizer/scored_merges.h"

namespace tern::tokenizer {
namespace {

std::string Place(const TokenizerSpec& spec, std::size_t rank) {
  return spec.merges_key + "[" + std::to_string(rank) + "]";
}

Token FindToken(const TokenizerSpec& spec, const Vocabulary& vocabulary,
                std::size_t rank, std::string_view spelling) {
  const auto bytes = BytesOf(spec.kind, spelling);
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
  if (spec.merges_by_score) {
    AddScored(spec, vocabulary);
  } else {
    AddList(spec, vocabulary);
  }
  const auto is_free = [](const Slot& slot) { return slot.rank == kNoRank; };
  if (LongestRun(slots_, is_free) > kMaxProbes) {
    RefuseCollisions(spec, spec.merges_key);
  }
}

void Merges::AddList(const TokenizerSpec& spec, const Vocabulary& vocabulary) {
  const std::size_t count = spec.merges.size();
  Reserve(count);
  results_.reserve(count);
  std::string both;
  for (std::size_t rank = 0; rank < count; ++rank) {
    const MergeSpelling& merge = spec.merges[rank];
    Slot pair{.left = FindToken(spec, vocabulary, rank, merge.left),
              .right = FindToken(spec, vocabulary, rank, merge.right),
              .rank = static_cast<std::uint32_t>(rank)};
    both.assign(merge.left).append(merge.right);
    pair.result = FindToken(spec, vocabulary, rank, both);
    Insert(spec, pair);
    results_.push_back(pair.result);
  }
}

void Merges::AddScored(const TokenizerSpec& spec,
                       const Vocabulary& vocabulary) {
  const ScoredMerges scored = FindScoredMerges(spec, vocabulary);
  Reserve(scored.pairs.size());
  results_.assign(scored.ranks, -1);
  std::vector<bool> is_shared(scored.ranks);
  for (const ScoredMerges::Pair& pair : scored.pairs) {
    Insert(spec, {.left = pair.left,
                  .right = pair.right,
                  .result = pair.result,
                  .rank = pair.rank});
    Token& result = results_[pair.rank];
    if (result >= 0 && result != pair.result) is_shared[pair.rank] = true;
    result = pair.result;
  }
  for (std::size_t rank = 0; rank < scored.ranks; ++rank) {
    if (is_shared[rank]) results_[rank] = -1;
  }
}

void Merges::Reserve(std::size_t pairs) {
  slots_.assign(std::bit_ceil(pairs + pairs / 2 + 1), Slot{});
}

void Merges::Insert(const TokenizerSpec& spec, const Slot& pair) {
  const std::size_t place = FindSlot(pair.left, pair.right);
  const std::size_t first = FirstSlot(pair.left, pair.right);
  if (((place - first) & (slots_.size() - 1)) > kMaxProbes) {
    RefuseCollisions(spec, spec.merges_key);
  }
  Slot& slot = slots_[place];
  if (slot.rank != kNoRank) {
    Refuse(ErrorCode::kMalformed, spec.file, Place(spec, pair.rank),
           "the same pair as merge " + std::to_string(slot.rank) +
               "; convert the model again");
  }
  slot = pair;
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
