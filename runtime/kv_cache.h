// Keys and values of the tokens so far: for every layer and key/value head the
// positions lie one after another, so that attention streams through them.
#ifndef TERN_RUNTIME_KV_CACHE_H_
#define TERN_RUNTIME_KV_CACHE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <tern/model.h>
#include <tern/session.h>

#include "runtime/aligned_buffer.h"
#include "ternary_kernels/attention.h"

namespace tern {

class KvCache {
 public:
  // Takes address space for `capacity` positions; pages come as they are used.
  KvCache(const ModelConfig& config, std::size_t capacity, KvType type);

  // Stores key and value [head_dim] of one position; different positions or
  // heads may be stored by different threads at once.  A value that the type
  // cannot hold (not finite, or beyond f16) is remembered: see TakeUnfit.
  void Store(std::size_t layer, std::size_t kv_head, std::size_t position,
             const float* key, const float* value);
  [[nodiscard]] kernels::HeadCache Head(std::size_t layer,
                                        std::size_t kv_head) const;
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  // True if something that could not be held was stored since the last call.
  [[nodiscard]] bool TakeUnfit() { return unfit_.exchange(false); }

 private:
  // Index of the first position of a layer's head.
  [[nodiscard]] std::size_t First(std::size_t layer, std::size_t head) const {
    return (layer * kv_heads_ + head) * capacity_;
  }
  // False if the type cannot hold x.
  bool StoreOne(const float* x, std::size_t index, std::uint8_t* data,
                float* scales) const;

  kernels::CacheType type_;
  std::size_t kv_heads_;
  std::size_t head_dim_;
  std::size_t capacity_;
  std::size_t row_bytes_;             // of one position's key
  AlignedBuffer<std::uint8_t> keys_;  // [layers][kv_heads][capacity][row_bytes]
  AlignedBuffer<std::uint8_t> values_;
  AlignedBuffer<float> key_scales_;  // [layers][kv_heads][capacity], kQ8 only
  AlignedBuffer<float> value_scales_;
  std::atomic<bool> unfit_ = false;
};

}  // namespace tern

#endif  // TERN_RUNTIME_KV_CACHE_H_
