// Q2_0 and PQ2_0, one codec with two lengths of block; see README.md.
//
//   Q2_0    64 weights in 18 bytes, GGUF type number 42
//   PQ2_0  128 weights in 34 bytes, GGUF type number 142, or 42 in early files
#ifndef TERN_PACKING_Q2_0_H_
#define TERN_PACKING_Q2_0_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "packing/fault.h"
#include "packing/ternary_matrix.h"

namespace tern::packing {

enum class Q2Block : std::size_t { k64 = 64, k128 = 128 };  // weights

// cols must be a multiple of the block.
constexpr std::size_t Q2Bytes(std::size_t rows, std::size_t cols,
                              Q2Block block) {
  const auto weights = static_cast<std::size_t>(block);
  return rows * (cols / weights) * (2 + weights / 4);
}

// The format has a code 3, twice the scale, which is no ternary weight.  Fault:
// wrong size, cols not a multiple of the block, code 3, a scale that is
// negative or not finite.  Scales come back in the widest group that holds them
// (WidenScales).
MaybeFault UnpackQ2(std::span<const std::uint8_t> bytes, std::size_t rows,
                    std::size_t cols, Q2Block block, TernaryMatrix& matrix);

// Fault: cols not a multiple of the block, scales for blocks of columns that
// are no multiple of it (one for each row or matrix is fine), a scale that f16
// cannot hold exactly.
MaybeFault PackQ2(const TernaryMatrix& matrix, Q2Block block,
                  std::vector<std::uint8_t>& bytes);

}  // namespace tern::packing

#endif  // TERN_PACKING_Q2_0_H_
