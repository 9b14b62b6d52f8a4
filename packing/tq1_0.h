// TQ1_0, ggml's base-3 ternary blocks (GGUF type number 34): five weights in
// most bytes; see README.md.
#ifndef TERN_PACKING_TQ1_0_H_
#define TERN_PACKING_TQ1_0_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "packing/fault.h"
#include "packing/ternary_matrix.h"

namespace tern::packing {

inline constexpr std::size_t kTq1Block = 256;      // weights
inline constexpr std::size_t kTq1BlockBytes = 54;  // 48 + 4 codes, f16 scale

// cols must be a multiple of 256.
constexpr std::size_t Tq1Bytes(std::size_t rows, std::size_t cols) {
  return rows * (cols / kTq1Block) * kTq1BlockBytes;
}

// Fault: wrong size, cols not a multiple of 256, a byte that no five (or, at
// the end of a block, four) weights give, a scale that is negative or not
// finite.  Scales come back in the widest group that holds them (WidenScales).
MaybeFault UnpackTq1(std::span<const std::uint8_t> bytes, std::size_t rows,
                     std::size_t cols, TernaryMatrix& matrix);

// Fault: cols not a multiple of 256, scales for blocks of columns that are no
// multiple of 256 (one for each row or matrix is fine), a scale that f16 cannot
// hold exactly.
MaybeFault PackTq1(const TernaryMatrix& matrix,
                   std::vector<std::uint8_t>& bytes);

}  // namespace tern::packing

#endif  // TERN_PACKING_TQ1_0_H_
