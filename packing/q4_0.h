// Q4_0, ggml's 4-bit blocks (GGUF type number 2): 32 weights as an f16 scale
// and 16 bytes.  Some files hold embeddings and heads so; tern turns them into
// Q8_0, which holds the same weights exactly.
#ifndef TERN_PACKING_Q4_0_H_
#define TERN_PACKING_Q4_0_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "packing/fault.h"

namespace tern::packing {

inline constexpr std::size_t kQ4Block = 32;       // weights
inline constexpr std::size_t kQ4BlockBytes = 18;  // f16 scale, 16 bytes

constexpr std::size_t Q4RowBytes(std::size_t cols) {
  return cols / kQ4Block * kQ4BlockBytes;
}

// row [cols], cols a multiple of 32; bytes [Q4RowBytes(cols)].
void DequantizeQ4(std::span<const std::uint8_t> bytes, std::span<float> row);
// A row of cols weights, bytes [Q4RowBytes(cols)], as Q8_0, q8
// [Q8RowBytes(cols)].  Fault: wrong size, cols not a multiple of 32, a scale
// that is not finite.  Scales may be negative.
MaybeFault Q4ToQ8(std::span<const std::uint8_t> bytes, std::size_t cols,
                  std::span<std::uint8_t> q8);

}  // namespace tern::packing

#endif  // TERN_PACKING_Q4_0_H_
