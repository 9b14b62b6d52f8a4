// Q6_K, ggml's 6-bit blocks (GGUF type number 14): 256 weights with an 8-bit
// scale for every 16 and an f16 scale for all.  Many files hold embeddings and
// heads so.  tern multiplies the two scales out once, when it reads a file.
#ifndef TERN_PACKING_Q6_K_H_
#define TERN_PACKING_Q6_K_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "packing/fault.h"

namespace tern::packing {

inline constexpr std::size_t kQ6Block = 256;       // weights
inline constexpr std::size_t kQ6BlockBytes = 210;  // see README.md

constexpr std::size_t Q6RowBytes(std::size_t cols) {
  return cols / kQ6Block * kQ6BlockBytes;
}

// What the kernels read (DenseType::kInt8x16 of ternary_kernels/dense.h):
// blocks of a float32 scale and 16 int8.
inline constexpr std::size_t kInt8x16Block = 16;  // weights
inline constexpr std::size_t kInt8x16BlockBytes = 20;

constexpr std::size_t Int8x16RowBytes(std::size_t cols) {
  return cols / kInt8x16Block * kInt8x16BlockBytes;
}

// row [cols], cols a multiple of 256; bytes [Q6RowBytes(cols)].  Each weight is
// (d * scale) * value, rounded once, by the second product.
void DequantizeQ6(std::span<const std::uint8_t> bytes, std::span<float> row);
// A row of cols weights, bytes [Q6RowBytes(cols)], to `out`
// [Int8x16RowBytes(cols)]; exact, since a product of f16 and int8 fits float32.
// Fault: wrong size, cols not a multiple of 256, a d that is not finite.
// Scales may be negative.
MaybeFault Q6ToInt8x16(std::span<const std::uint8_t> bytes, std::size_t cols,
                       std::span<std::uint8_t> out);

}  // namespace tern::packing

#endif  // TERN_PACKING_Q6_K_H_
