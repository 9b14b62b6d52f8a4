// BPE of one long piece: a megabyte without a space, say.
//
// Pairs wait in buckets, one for each rank, and a heap holds the ranks that
// have a bucket, so the heap stays as small as the number of *different* pairs,
// where a heap of pairs would have an entry for every byte and a cache miss for
// every step.  Within a bucket places are taken from left to right.  A merge
// can make a pair of a lower rank than the one at hand (Llama 3's list is not
// in order of length); that rank is then on top of the heap and goes first, and
// the bucket at hand waits as it is.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include <tern/error.h>

#include "runtime/tokenizer/bpe.h"

namespace tern::tokenizer {
namespace {

template <typename T>
using MinHeap = std::priority_queue<T, std::vector<T>, std::greater<>>;

constexpr std::uint32_t kNowhere = UINT32_MAX;

// The places of one rank, smallest first.  Most are found from left to right
// and need no more than a vector; only stragglers need a heap.
class Bucket {
 public:
  [[nodiscard]] bool empty() const {
    return next_ == in_order_.size() && stragglers_.empty();
  }
  void Push(std::uint32_t place) {
    if (in_order_.empty() || place >= in_order_.back()) {
      in_order_.push_back(place);
    } else {
      stragglers_.push(place);
    }
  }
  std::uint32_t Pop() {
    if (next_ == in_order_.size() ||
        (!stragglers_.empty() && stragglers_.top() < in_order_[next_])) {
      const std::uint32_t place = stragglers_.top();
      stragglers_.pop();
      return place;
    }
    return in_order_[next_++];
  }
  void Clear() {
    in_order_.clear();
    next_ = 0;
  }

 private:
  std::vector<std::uint32_t> in_order_;
  std::size_t next_ = 0;  // into in_order_
  MinHeap<std::uint32_t> stragglers_;
};

class LongPiece {
 public:
  LongPiece(std::string_view piece, const Vocabulary& vocabulary,
            const Merges& merges);
  void MergeAll();
  void AppendTo(std::vector<Token>& tokens) const;

 private:
  // The symbol that begins at some byte; they form a list.
  struct Symbol {
    Token token;
    std::uint32_t previous;
    std::uint32_t next;
    // Of this symbol and the next; kNoRank also for a byte that is no longer
    // the beginning of a symbol.  What a bucket holds is only a guess: it
    // counts while this still says the same rank.
    std::uint32_t rank;
  };
  // Looks up the rank of the pair at `place`, and queues it.
  void Queue(std::uint32_t place);
  void Merge(std::uint32_t place, std::uint32_t rank);

  const Merges& merges_;
  std::vector<Symbol> symbols_;
  std::vector<Bucket> buckets_;
  std::unordered_map<std::uint32_t, std::uint32_t> bucket_of_rank_;
  MinHeap<std::uint32_t> ranks_;  // those with a bucket that is not empty
};

LongPiece::LongPiece(std::string_view piece, const Vocabulary& vocabulary,
                     const Merges& merges)
    : merges_(merges) {
  const auto size = static_cast<std::uint32_t>(piece.size());
  symbols_.reserve(size);
  for (std::uint32_t i = 0; i < size; ++i) {
    symbols_.push_back(
        {.token = vocabulary.ByteToken(static_cast<unsigned char>(piece[i])),
         .previous = i == 0 ? kNowhere : i - 1,
         .next = i + 1 == size ? kNowhere : i + 1,
         .rank = Merges::kNoRank});
  }
  for (std::uint32_t i = 0; i < size; ++i) Queue(i);
}

void LongPiece::Queue(std::uint32_t place) {
  Symbol& symbol = symbols_[place];
  symbol.rank = symbol.next == kNowhere
                    ? Merges::kNoRank
                    : merges_.Rank(symbol.token, symbols_[symbol.next].token);
  if (symbol.rank == Merges::kNoRank) return;
  const auto [entry, is_new] = bucket_of_rank_.try_emplace(
      symbol.rank, static_cast<std::uint32_t>(buckets_.size()));
  if (is_new) buckets_.emplace_back();
  Bucket& bucket = buckets_[entry->second];
  if (bucket.empty()) ranks_.push(symbol.rank);
  bucket.Push(place);
}

void LongPiece::Merge(std::uint32_t place, std::uint32_t rank) {
  Symbol& left = symbols_[place];
  Symbol& right = symbols_[left.next];
  left.token = merges_.Result(rank);
  left.next = right.next;
  right.rank = Merges::kNoRank;
  if (left.next != kNowhere) symbols_[left.next].previous = place;
  if (left.previous != kNowhere) Queue(left.previous);
  Queue(place);
}

void LongPiece::MergeAll() {
  while (!ranks_.empty()) {
    const std::uint32_t rank = ranks_.top();
    const std::uint32_t index = bucket_of_rank_.at(rank);
    while (ranks_.top() == rank) {
      Bucket& bucket = buckets_[index];
      const std::uint32_t place = bucket.Pop();
      if (bucket.empty()) {
        bucket.Clear();
        ranks_.pop();
      }
      // Merging may add buckets, so `bucket` ends its life here.
      if (symbols_[place].rank == rank) Merge(place, rank);
      if (ranks_.empty()) break;
    }
  }
}

void LongPiece::AppendTo(std::vector<Token>& tokens) const {
  for (std::uint32_t i = 0; i != kNowhere; i = symbols_[i].next) {
    tokens.push_back(symbols_[i].token);
  }
}

}  // namespace

void EncodeLongPiece(std::string_view piece, const Vocabulary& vocabulary,
                     const Merges& merges, std::vector<Token>& tokens) {
  if (piece.size() >= kNowhere) {
    throw Error(ErrorCode::kInvalidArgument,
                "tokenizer: a word of " + std::to_string(piece.size()) +
                    " bytes is too long; encode the text in parts");
  }
  LongPiece symbols(piece, vocabulary, merges);
  symbols.MergeAll();
  symbols.AppendTo(tokens);
}

}  // namespace tern::tokenizer
