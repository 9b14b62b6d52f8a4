// BPE of one long piece: a megabyte without a space, say.
//
// Places where two symbols may merge wait in buckets, one for each rank, and a
// heap holds the ranks whose bucket is not empty.  So the heap stays as small
// as the number of *different* pairs, where a heap of places would have an
// entry for every byte and a cache miss for every step.  Within a rank places
// are taken from left to right.  Most are also found from left to right, and a
// bucket is just a list; the few that are not, the stragglers of all ranks,
// share one heap of their own.
//
// A merge can make a pair of a lower rank than the one at hand (Llama 3's list
// is not in order of length).  That rank is then the lowest and goes first,
// while the bucket at hand waits as it is.
#ifndef TERN_RUNTIME_TOKENIZER_LONG_PIECE_ENCODER_H_
#define TERN_RUNTIME_TOKENIZER_LONG_PIECE_ENCODER_H_

#include <cstdint>
#include <functional>
#include <queue>
#include <string_view>
#include <vector>

#include <tern/tokenizer.h>

#include "runtime/tokenizer/merges.h"
#include "runtime/tokenizer/vocabulary.h"

namespace tern::tokenizer {

// Keeps its memory from one piece to the next; belongs to one thread.
class LongPieceEncoder {
 public:
  // Both must outlive it.
  LongPieceEncoder(const Vocabulary& vocabulary, const Merges& merges);

  // Appends the tokens of `piece` (not empty).
  void Encode(std::string_view piece, std::vector<Token>& tokens);

 private:
  template <typename T>
  using MinHeap = std::priority_queue<T, std::vector<T>, std::greater<>>;

  // What a first symbol has become; they form a list.
  struct Symbol {
    Token token;
    std::uint32_t previous;
    std::uint32_t next;
    // Of this symbol and the next; kNoRank also for one that has become part of
    // another.  A place that waits is only a guess: it counts while
    // this still says the same rank.
    std::uint32_t rank;
  };
  struct Entry {
    std::uint32_t place;
    std::uint32_t next;  // into entries_
  };
  struct Bucket {
    std::uint32_t rank;
    std::uint32_t head;  // into entries_
    std::uint32_t tail;
  };

  void Start(std::string_view piece);
  // Looks up the rank of the pair at `place`, and lets it wait.
  void Queue(std::uint32_t place);
  void Push(std::uint32_t rank, std::uint32_t place);
  // The lowest rank that waits, kNoRank if none does.
  [[nodiscard]] std::uint32_t LowestRank() const;
  // Takes the leftmost place of the lowest rank.
  std::uint32_t Pop(std::uint32_t lowest_rank);
  void Merge(std::uint32_t place, std::uint32_t rank);

  const Vocabulary* vocabulary_;
  const Merges* merges_;
  std::vector<Token> first_symbols_;
  std::vector<Symbol> symbols_;  // one for each first symbol
  std::vector<Entry> entries_;
  std::vector<Bucket> buckets_;
  std::vector<std::uint32_t> bucket_of_rank_;  // [merges], into buckets_
  MinHeap<std::uint32_t> ranks_;               // of buckets that are not empty
  MinHeap<std::uint64_t> stragglers_;          // rank << 32 | place
};

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_LONG_PIECE_ENCODER_H_
