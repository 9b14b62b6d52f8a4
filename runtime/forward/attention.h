// Attention of the tokens of a pass, each over its own sequence's cache: how
// the work is cut for the threads.  The arithmetic, and why no cut changes a
// bit of the result, is in ternary_kernels/attention.h.
//
// Runs of tokens are cut into tiles of tokens, one key/value head each, all of
// them in one loop.  One token, or a few, over a long context would give too
// few such tiles: then each head's context is cut into parts, whose states are
// combined afterwards.
// A wave of parts is as many as the scratch holds, so that its size does not
// depend on the context.
#ifndef TERN_RUNTIME_FORWARD_ATTENTION_H_
#define TERN_RUNTIME_FORWARD_ATTENTION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "runtime/aligned_buffer.h"
#include "runtime/forward/token_run.h"
#include "runtime/parallel.h"

namespace tern {

// The largest chunk that attention must have room for.
struct AttentionShape {
  std::size_t tokens = 0;
  std::size_t heads = 0;
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;
  std::size_t threads = 0;

  [[nodiscard]] std::size_t Group() const { return heads / kv_heads; }
  // Tokens of the largest tile.
  [[nodiscard]] std::size_t TileTokens() const;
  // Whether a head for each thread, and some more to even them out, is too much
  // to ask for: contexts must be cut, too.
  [[nodiscard]] bool CutsContexts() const { return kv_heads < 4 * threads; }
};

class AttentionScratch {
 public:
  explicit AttentionScratch(const AttentionShape& shape);
  static std::uint64_t Bytes(const AttentionShape& shape);

  AttentionShape shape;
  std::size_t thread_size;      // floats, a multiple of a cache line
  AlignedBuffer<float> thread;  // [threads][thread_size]
  AlignedBuffer<float> states;  // [kv_heads][parts of a wave][state of a part]
  AlignedBuffer<float> totals;  // [kv_heads][state of all parts so far]
};

// The tokens of some runs in one layer.
struct AttentionBatch {
  std::size_t layer = 0;
  std::span<const TokenRun> runs;
  const float* query = nullptr;  // [tokens of all runs][heads][head_dim]
  float* out = nullptr;          // likewise
};

// Puts the key and value of one of the batch's tokens and of one head into the
// cache; called by all threads.
using StoreKey = std::function<void(std::size_t token, std::size_t kv_head)>;

// Stores all keys and values; then out = softmax(query . keys / sqrt(head_dim))
// . values; each token sees all positions of its sequence up to its own.
// `store` may change the queries of the heads that meet the key.
void StoreAndAttend(const AttentionBatch& batch, const StoreKey& store,
                    AttentionScratch& scratch, Team& team);

// The same where all is stored.
void AttendTokens(const AttentionBatch& batch, AttentionScratch& scratch,
                  Team& team);

}  // namespace tern

#endif  // TERN_RUNTIME_FORWARD_ATTENTION_H_
