// PTQ1_0, a shorter relative of TQ1_0 (GGUF type number 143): base-3 blocks of
// 128 weights; see README.md.  Read only.
#ifndef TERN_PACKING_PTQ1_0_H_
#define TERN_PACKING_PTQ1_0_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "packing/fault.h"
#include "packing/ternary_matrix.h"

namespace tern::packing {

inline constexpr std::size_t kPtq1Block = 128;      // weights
inline constexpr std::size_t kPtq1BlockBytes = 28;  // 24 + 2 codes, f16 scale

// cols must be a multiple of 128.
constexpr std::size_t Ptq1Bytes(std::size_t rows, std::size_t cols) {
  return rows * (cols / kPtq1Block) * kPtq1BlockBytes;
}

// Fault: wrong size, cols not a multiple of 128, a byte that no five (or, at
// the end of a block, four) weights give, a scale that is negative or not
// finite.  Scales come back in the widest group that holds them (WidenScales).
MaybeFault UnpackPtq1(std::span<const std::uint8_t> bytes, std::size_t rows,
                      std::size_t cols, TernaryMatrix& matrix);

}  // namespace tern::packing

#endif  // TERN_PACKING_PTQ1_0_H_
