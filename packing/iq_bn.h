// IQ2_BN and IQ1_BN, the ternary formats of ik_llama.cpp (GGUF type numbers 135
// and 134): one scale for a row, then blocks of 64 weights; see README.md.
// Read only.
#ifndef TERN_PACKING_IQ_BN_H_
#define TERN_PACKING_IQ_BN_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "packing/fault.h"
#include "packing/ternary_matrix.h"

namespace tern::packing {

inline constexpr std::size_t kIqBnBlock = 64;  // weights
inline constexpr std::size_t kIq2BnBlockBytes = 16;
inline constexpr std::size_t kIq1BnBlockBytes = 13;  // 12 of five, 1 of four

// An f32, or f16, then the blocks; cols must be a multiple of 64.
constexpr std::size_t Iq2BnBytes(std::size_t rows, std::size_t cols) {
  return rows * (4 + cols / kIqBnBlock * kIq2BnBlockBytes);
}
constexpr std::size_t Iq1BnBytes(std::size_t rows, std::size_t cols) {
  return rows * (2 + cols / kIqBnBlock * kIq1BnBlockBytes);
}

// A row of scale 0 is zero whatever its codes (files hold code 2 there).
// Fault: wrong size, cols not a multiple of 64, code 3 (IQ2_BN) or a byte that
// no five, or four, weights give (IQ1_BN), a scale that is negative or not
// finite.  Scales come back in the widest group that holds them (WidenScales).
MaybeFault UnpackIq2Bn(std::span<const std::uint8_t> bytes, std::size_t rows,
                       std::size_t cols, TernaryMatrix& matrix);
MaybeFault UnpackIq1Bn(std::span<const std::uint8_t> bytes, std::size_t rows,
                       std::size_t cols, TernaryMatrix& matrix);

}  // namespace tern::packing

#endif  // TERN_PACKING_IQ_BN_H_
