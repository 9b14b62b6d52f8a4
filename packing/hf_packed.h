// The packed layout of Hugging Face's `bitnet` quantisation: uint8 [R][cols],
// R = ceil(rows / 4); the code of row i * R + j is in bits 2i..2i+1 of byte
// [j][c].  The scale is a tensor of its own.
#ifndef TERN_PACKING_HF_PACKED_H_
#define TERN_PACKING_HF_PACKED_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "packing/fault.h"
#include "packing/ternary_matrix.h"

namespace tern::packing {

constexpr std::size_t HfPackedBytes(std::size_t rows, std::size_t cols) {
  return (rows + 3) / 4 * cols;
}

// Fault: wrong size, code 3 in a row that exists, a scale that is negative or
// not finite, or 0 over weights that are not 0.  `scale` is the multiplier,
// already turned from a divisor into one where the file stores a divisor.
MaybeFault UnpackHf(std::span<const std::uint8_t> bytes, std::size_t rows,
                    std::size_t cols, float scale, TernaryMatrix& matrix);

// The codes alone; rows that do not exist get bits 0.  Fault: more than one
// scale, of which the layout's companion tensor holds one.
MaybeFault PackHf(const TernaryMatrix& matrix,
                  std::vector<std::uint8_t>& bytes);

}  // namespace tern::packing

#endif  // TERN_PACKING_HF_PACKED_H_
