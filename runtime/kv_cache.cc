#include "runtime/kv_cache.h"

#include <cstring>

#include "ternary_kernels/elementwise.h"

namespace tern {
namespace {

kernels::CacheType KernelType(KvType type) {
  switch (type) {
    case KvType::kF32:
      return kernels::CacheType::kF32;
    case KvType::kF16:
      return kernels::CacheType::kF16;
    case KvType::kQ8:
      return kernels::CacheType::kQ8;
  }
  return kernels::CacheType::kF32;
}

std::size_t ElementBytes(KvType type) {
  switch (type) {
    case KvType::kF32:
      return 4;
    case KvType::kF16:
      return 2;
    case KvType::kQ8:
      return 1;
  }
  return 4;
}

}  // namespace

KvCache::KvCache(const ModelConfig& config, std::size_t capacity, KvType type)
    : type_(KernelType(type)),
      kv_heads_(config.num_kv_heads),
      head_dim_(config.head_dim),
      capacity_(capacity),
      row_bytes_(config.head_dim * ElementBytes(type)) {
  const std::size_t positions = config.num_layers * kv_heads_ * capacity;
  keys_ = AlignedBuffer<std::uint8_t>(positions * row_bytes_);
  values_ = AlignedBuffer<std::uint8_t>(positions * row_bytes_);
  if (type == KvType::kQ8) {
    key_scales_ = AlignedBuffer<float>(positions);
    value_scales_ = AlignedBuffer<float>(positions);
  }
}

bool KvCache::StoreOne(const float* x, std::size_t index, std::uint8_t* data,
                       float* scales) const {
  std::uint8_t* row = data + index * row_bytes_;
  switch (type_) {
    case kernels::CacheType::kF32:
      std::memcpy(row, x, row_bytes_);
      return kernels::AllFinite(x, head_dim_);
    case kernels::CacheType::kF16:
      return kernels::StoreF16(x, head_dim_,
                               reinterpret_cast<std::uint16_t*>(row));
    case kernels::CacheType::kQ8:
      return kernels::StoreQ8(x, head_dim_, reinterpret_cast<std::int8_t*>(row),
                              scales + index);
  }
  return false;
}

void KvCache::Store(std::size_t layer, std::size_t kv_head,
                    std::size_t position, const float* key,
                    const float* value) {
  const std::size_t index = First(layer, kv_head) + position;
  const bool key_fits = StoreOne(key, index, keys_.data(), key_scales_.data());
  const bool value_fits =
      StoreOne(value, index, values_.data(), value_scales_.data());
  if (!key_fits || !value_fits) unfit_.store(true, std::memory_order_relaxed);
}

kernels::HeadCache KvCache::Head(std::size_t layer, std::size_t kv_head) const {
  const std::size_t first = First(layer, kv_head);
  kernels::HeadCache head;
  head.type = type_;
  head.keys = keys_.data() + first * row_bytes_;
  head.values = values_.data() + first * row_bytes_;
  head.head_dim = head_dim_;
  if (type_ == kernels::CacheType::kQ8) {
    head.key_scales = key_scales_.data() + first;
    head.value_scales = value_scales_.data() + first;
  }
  return head;
}

}  // namespace tern
