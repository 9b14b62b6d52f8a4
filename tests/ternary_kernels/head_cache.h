// A key/value cache of one head for the tests of attention.
#ifndef TERN_TESTS_TERNARY_KERNELS_HEAD_CACHE_H_
#define TERN_TESTS_TERNARY_KERNELS_HEAD_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "packing/half.h"
#include "ternary_kernels/cache_block.h"

namespace tern::kernels {

struct alignas(64) Line {
  float x[16];
};

// Floats aligned to 64 bytes, and NaN, as memory may hold.
class Floats {
 public:
  explicit Floats(std::size_t size) : lines_((size + 15) / 16 + 1) {
    std::memset(data(), 0xFF, lines_.size() * sizeof(Line));
  }
  float* data() { return lines_.front().x; }

 private:
  std::vector<Line> lines_;
};

// Keys and values of one head, of which some number of positions is stored; all
// else is NaN in every type that has one.
class Cache {
 public:
  Cache(CacheType type, std::size_t head_dim, std::size_t capacity)
      : type_(type),
        head_dim_(head_dim),
        stride_(CacheBlockBytes(type, head_dim) + 128),
        bytes_((capacity / kBlockPositions + 1) * stride_ + kCachePadding) {}

  bool Store(std::size_t position, const float* key, const float* value) {
    std::uint8_t* bytes = reinterpret_cast<std::uint8_t*>(bytes_.data());
    return StorePosition(type_, head_dim_, position % kBlockPositions, key,
                         value, bytes + position / kBlockPositions * stride_);
  }

  HeadCache Head() {
    return {type_, head_dim_, reinterpret_cast<std::uint8_t*>(bytes_.data()),
            stride_};
  }

  // Element i of a key (value) as it was rounded.
  double Key(std::size_t position, std::size_t i) {
    return At(position, i * kBlockPositions + position % kBlockPositions, 0);
  }
  double Value(std::size_t position, std::size_t i) {
    const std::size_t element =
        (kBlockPositions + position % kBlockPositions) * head_dim_ + i;
    return At(position, element, kBlockPositions);
  }

 private:
  double At(std::size_t position, std::size_t element, std::size_t scales) {
    const std::uint8_t* block = reinterpret_cast<std::uint8_t*>(bytes_.data()) +
                                position / kBlockPositions * stride_;
    if (type_ == CacheType::kF32) {
      return reinterpret_cast<const float*>(block)[element];
    }
    if (type_ == CacheType::kF16) {
      return packing::F16ToF32(
          reinterpret_cast<const std::uint16_t*>(block)[element]);
    }
    const float* scale =
        reinterpret_cast<const float*>(block + 2 * kBlockPositions * head_dim_);
    return static_cast<double>(
               reinterpret_cast<const std::int8_t*>(block)[element]) *
           scale[scales + position % kBlockPositions];
  }

  CacheType type_;
  std::size_t head_dim_;
  std::size_t stride_;
  Floats bytes_;
};

}  // namespace tern::kernels

#endif  // TERN_TESTS_TERNARY_KERNELS_HEAD_CACHE_H_
