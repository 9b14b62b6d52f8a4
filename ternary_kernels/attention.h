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

// out[g] = softmax(scale * query[g] . keys) . values for the first `positions`
// positions; query and out [queries][head_dim] are those query heads of one
// token that share the key/value head.  scratch
// [queries][AttentionScratch(positions)].  Each query's result depends on
// nothing but its own arguments.  Any thread, no allocation, no exception.
void Attend(const HeadCache& cache, std::size_t positions, const float* query,
            std::size_t queries, float scale, float* scratch, float* out);

}  // namespace tern::kernels

#endif  // TERN_TERNARY_KERNELS_ATTENTION_H_
