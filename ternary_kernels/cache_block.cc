#include "ternary_kernels/cache_block.h"

#include <algorithm>

#include "ternary_kernels/elementwise.h"

namespace tern::kernels {
namespace {

std::size_t ElementBytes(CacheType type) {
  switch (type) {
    case CacheType::kF32:
      return 4;
    case CacheType::kF16:
      return 2;
    case CacheType::kQ8:
      return 1;
  }
  return 4;
}

// Stores one key or value as it lies in memory, position after position.
bool StoreRow(CacheType type, std::size_t head_dim, const float* x,
              std::uint8_t* row, float* scale) {
  switch (type) {
    case CacheType::kF32:
      std::copy_n(x, head_dim, reinterpret_cast<float*>(row));
      return AllFinite(x, head_dim);
    case CacheType::kF16:
      return StoreF16(x, head_dim, reinterpret_cast<std::uint16_t*>(row));
    case CacheType::kQ8:
      return StoreQ8(x, head_dim, reinterpret_cast<std::int8_t*>(row), scale);
  }
  return false;
}

// One column of keys [size][kBlockPositions].
template <class T>
void StoreColumn(const std::uint8_t* row, std::size_t size,
                 std::size_t position, std::uint8_t* keys) {
  const T* from = reinterpret_cast<const T*>(row);
  T* to = reinterpret_cast<T*>(keys) + position;
  for (std::size_t i = 0; i < size; ++i) to[i * kBlockPositions] = from[i];
}

}  // namespace

std::size_t CacheBlockBytes(CacheType type, std::size_t head_dim) {
  const std::size_t scales = type == CacheType::kQ8 ? sizeof(float) : 0;
  return 2 * kBlockPositions * (head_dim * ElementBytes(type) + scales);
}

bool StorePosition(CacheType type, std::size_t head_dim, std::size_t position,
                   const float* key, const float* value, std::uint8_t* block) {
  const std::size_t row_bytes = head_dim * ElementBytes(type);
  std::uint8_t* values = block + kBlockPositions * row_bytes;
  std::uint8_t* row = values + position * row_bytes;
  float* scales =
      reinterpret_cast<float*>(values + kBlockPositions * row_bytes);
  // The value's place holds the key for as long as it is spread.
  const bool key_fits = StoreRow(type, head_dim, key, row, scales + position);
  switch (type) {
    case CacheType::kF32:
      StoreColumn<float>(row, head_dim, position, block);
      break;
    case CacheType::kF16:
      StoreColumn<std::uint16_t>(row, head_dim, position, block);
      break;
    case CacheType::kQ8:
      StoreColumn<std::int8_t>(row, head_dim, position, block);
      break;
  }
  const bool value_fits =
      StoreRow(type, head_dim, value, row, scales + kBlockPositions + position);
  return key_fits && value_fits;
}

void PrefetchPosition(CacheType type, std::size_t head_dim,
                      std::size_t position, const std::uint8_t* block) {
  constexpr std::size_t kLine = 64;
  const std::size_t element = ElementBytes(type);
  for (std::size_t i = 0; i < head_dim; ++i) {
    const std::uint8_t* row = block + i * kBlockPositions * element;
    for (std::size_t at = 0; at <= position * element; at += kLine) {
      __builtin_prefetch(row + at, /*for writing*/ 1);
    }
  }
  const std::size_t row_bytes = head_dim * element;
  const std::uint8_t* value = block + (kBlockPositions + position) * row_bytes;
  for (std::size_t at = 0; at < row_bytes; at += kLine) {
    __builtin_prefetch(value + at, /*for writing*/ 1);
  }
}

void ClearFrom(CacheType type, std::size_t head_dim, std::size_t positions,
               std::uint8_t* block) {
  // From position `positions` to the end of an array of positions.
  const auto clear = [&](std::uint8_t* array, std::size_t position_bytes) {
    std::fill(array + positions * position_bytes,
              array + kBlockPositions * position_bytes, std::uint8_t{0});
  };
  const std::size_t element = ElementBytes(type);
  std::uint8_t* values = block + kBlockPositions * head_dim * element;
  for (std::size_t i = 0; i < head_dim; ++i) {
    clear(block + i * kBlockPositions * element, element);
  }
  clear(values, head_dim * element);
  if (type != CacheType::kQ8) return;
  std::uint8_t* scales = values + kBlockPositions * head_dim * element;
  clear(scales, sizeof(float));
  clear(scales + kBlockPositions * sizeof(float), sizeof(float));
}

}  // namespace tern::kernels
