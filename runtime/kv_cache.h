// Keys and values of the tokens so far, in blocks of positions (what a block
// holds, see ternary_kernels/cache_block.h).  The blocks of all layers and
// heads for the same positions lie together, so that the memory in use grows
// with the number of tokens and not with the capacity, whatever the size of a
// page.
#ifndef TERN_RUNTIME_KV_CACHE_H_
#define TERN_RUNTIME_KV_CACHE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tern/model.h>
#include <tern/session.h>

#include "runtime/aligned_buffer.h"
#include "ternary_kernels/cache_block.h"

namespace tern {

class KvCache {
 public:
  // Takes address space for `capacity` positions; pages come as they are used.
  KvCache(const ModelConfig& config, std::size_t capacity, KvType type);
  // Of that address space; blocks are whole.
  static std::uint64_t Bytes(const ModelConfig& config, std::size_t capacity,
                             KvType type);

  // Stores key and value [head_dim] of one position; different positions or
  // heads may be stored by different threads at once.  A value that the type
  // cannot hold (not finite, or beyond f16) is remembered: see TakeUnfit.
  void Store(std::size_t layer, std::size_t kv_head, std::size_t position,
             const float* key, const float* value);
  // Asks for the memory that Store will write.
  void Prefetch(std::size_t layer, std::size_t kv_head,
                std::size_t position) const;
  [[nodiscard]] kernels::HeadCache Head(std::size_t layer,
                                        std::size_t kv_head) const;
  // True if something that could not be held was stored since the last call.
  [[nodiscard]] bool TakeUnfit() { return unfit_.exchange(false); }

  // The blocks of all layers and heads for the 64 positions from 64 * `group`
  // on; what was never stored in them is undefined.
  [[nodiscard]] std::span<std::uint8_t> Group(std::size_t group);
  // A copy of the group in which the last of `positions` lies, with zeros where
  // the positions after it have their place.
  [[nodiscard]] std::vector<std::uint8_t> GroupUpTo(
      std::size_t positions) const;
  // Gives the memory of all positions from `position` on back to the system,
  // but for those of its group that come before; what they hold is undefined
  // then.
  void Release(std::size_t position);
  // Makes the first `positions` those of another cache of the same model and
  // type; both have room for them.
  void CopyFrom(const KvCache& other, std::size_t positions);

 private:
  // Bytes to the first block of a layer's head, and to that of a position.
  [[nodiscard]] std::size_t First(std::size_t layer, std::size_t head) const {
    return (layer * kv_heads_ + head) * block_bytes_;
  }
  [[nodiscard]] std::size_t BlockAt(std::size_t layer, std::size_t head,
                                    std::size_t position) const {
    return First(layer, head) +
           position / kernels::kBlockPositions * block_stride_;
  }

  kernels::CacheType type_;
  std::size_t kv_heads_;
  std::size_t head_dim_;
  std::size_t block_bytes_;
  std::size_t block_stride_;  // from a head's block to its next
  // [capacity / kBlockPositions][layers][kv_heads][block_bytes], and padding
  AlignedBuffer<std::uint8_t> blocks_;
  std::atomic<bool> unfit_ = false;
};

}  // namespace tern

#endif  // TERN_RUNTIME_KV_CACHE_H_
