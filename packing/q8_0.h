// Q8_0, ggml's 8-bit blocks (GGUF type number 8): 32 weights as an f16 scale
// and 32 int8.  tern uses it for embeddings and heads.
#ifndef TERN_PACKING_Q8_0_H_
#define TERN_PACKING_Q8_0_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "packing/fault.h"

namespace tern::packing {

inline constexpr std::size_t kQ8Block = 32;       // weights
inline constexpr std::size_t kQ8BlockBytes = 34;  // f16 scale, 32 int8

constexpr std::size_t Q8RowBytes(std::size_t cols) {
  return cols / kQ8Block * kQ8BlockBytes;
}

// row [cols], cols a multiple of 32; bytes [Q8RowBytes(cols)].
void DequantizeQ8(std::span<const std::uint8_t> bytes, std::span<float> row);
// scale = f16(absmax / 127); values round half away from zero against the
// unrounded scale, as ggml's quantiser does.  Fault: a weight that is not
// finite or beyond 127 times the largest f16.
MaybeFault QuantizeQ8(std::span<const float> row,
                      std::span<std::uint8_t> bytes);

}  // namespace tern::packing

#endif  // TERN_PACKING_Q8_0_H_
