// TQ2_0, ggml's 2-bit ternary blocks (GGUF type number 35); see README.md.
#ifndef TERN_PACKING_TQ2_0_H_
#define TERN_PACKING_TQ2_0_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "packing/fault.h"
#include "packing/ternary_matrix.h"

namespace tern::packing {

inline constexpr std::size_t kTq2Block = 256;      // weights
inline constexpr std::size_t kTq2BlockBytes = 66;  // 64 of codes, f16 scale

// cols must be a multiple of 256.
constexpr std::size_t Tq2Bytes(std::size_t rows, std::size_t cols) {
  return rows * (cols / kTq2Block) * kTq2BlockBytes;
}

// Fault: wrong size, cols not a multiple of 256, code 3, a scale that is
// negative or not finite.  Scales come back in the widest group that holds them
// (WidenScales).
MaybeFault UnpackTq2(std::span<const std::uint8_t> bytes, std::size_t rows,
                     std::size_t cols, TernaryMatrix& matrix);

// Fault: cols not a multiple of 256, scales for blocks of columns that are no
// multiple of 256 (one for each row or matrix is fine), a scale that f16 cannot
// hold exactly.
MaybeFault PackTq2(const TernaryMatrix& matrix,
                   std::vector<std::uint8_t>& bytes);

}  // namespace tern::packing

#endif  // TERN_PACKING_TQ2_0_H_
