// Causal attention of one token over the keys and values of one head group.
#ifndef TERN_TERNARY_KERNELS_ATTENTION_H_
#define TERN_TERNARY_KERNELS_ATTENTION_H_

#include <cstddef>
#include <cstdint>

namespace tern::kernels {

// Element type of a key/value cache.
enum class CacheType { kF32, kF16, kQ8 };

// Keys and values of one layer and one key/value head, position after position.
// kQ8 is int8 with a float32 scale for each position.
struct HeadCache {
  CacheType type = CacheType::kF32;
  const void* keys = nullptr;           // [positions][head_dim]
  const void* values = nullptr;         // [positions][head_dim]
  const float* key_scales = nullptr;    // [positions], kQ8 only
  const float* value_scales = nullptr;  // [positions], kQ8 only
  std::size_t head_dim = 0;
};

// Floats of scratch that Attend needs for each query.
std::size_t AttentionScratch(std::size_t positions);

// One token's query heads that share the key/value head.
struct AttendArgs {
  std::size_t positions = 0;     // that the token sees, itself included
  const float* query = nullptr;  // [queries][head_dim]
  std::size_t queries = 0;
  float scale = 1;           // of the dot products
  float* scratch = nullptr;  // [queries][AttentionScratch(positions)]
  float* out = nullptr;      // [queries][head_dim]
};

// out[g] = softmax(scale * query[g] . keys) . values over the first `positions`
// positions.  Each query's result depends on nothing but its own arguments.
// Any thread, no allocation, no exception.
void Attend(const HeadCache& cache, const AttendArgs& args);

}  // namespace tern::kernels

#endif  // TERN_TERNARY_KERNELS_ATTENTION_H_
