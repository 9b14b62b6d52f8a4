// Blocks of positions, of which the key/value cache is made, and how keys and
// values get there.  attention.h reads them.
//
// Any thread, no allocation, no exception.
#ifndef TERN_TERNARY_KERNELS_CACHE_BLOCK_H_
#define TERN_TERNARY_KERNELS_CACHE_BLOCK_H_

#include <cstddef>
#include <cstdint>

namespace tern::kernels {

// Element type of a key/value cache; kQ8 is int8 with a float32 scale for each
// position.
enum class CacheType { kF32, kF16, kQ8 };

// The cache of a head is made of blocks of this many positions.
inline constexpr std::size_t kBlockPositions = 64;
// Bytes behind the last block that may be read, and are not used.
inline constexpr std::size_t kCachePadding = 64;

// One block holds, each array aligned to 64 bytes and followed by the next,
//   keys   [head_dim][kBlockPositions], so that one load takes many positions
//   values [kBlockPositions][head_dim]
//   key scales [kBlockPositions], value scales [kBlockPositions]: kQ8 only.
std::size_t CacheBlockBytes(CacheType type, std::size_t head_dim);

// The blocks of one layer and one key/value head: block b starts at first_block
// + b * block_stride.
struct HeadCache {
  CacheType type = CacheType::kF32;
  std::size_t head_dim = 0;
  const std::uint8_t* first_block = nullptr;
  std::size_t block_stride = 0;  // bytes
};

// Stores key and value [head_dim] of one position of the block; threads may
// store different positions at once.  False if the type cannot hold them: some
// value is not finite, or beyond f16.
bool StorePosition(CacheType type, std::size_t head_dim, std::size_t position,
                   const float* key, const float* value, std::uint8_t* block);

// Asks for the memory that StorePosition will write: a key is spread over a
// line for each of its numbers, which other layers have driven out of the
// caches.
void PrefetchPosition(CacheType type, std::size_t head_dim,
                      std::size_t position, const std::uint8_t* block);

// Makes all positions of the block from `positions` on zeros.
void ClearFrom(CacheType type, std::size_t head_dim, std::size_t positions,
               std::uint8_t* block);

}  // namespace tern::kernels

#endif  // TERN_TERNARY_KERNELS_CACHE_BLOCK_H_
