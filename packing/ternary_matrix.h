// The one form that every ternary matrix takes between a file and the kernels:
// 2-bit codes row by row, and float32 multipliers.
//
//   W[r][c] = (code(r, c) - 1) * multiplier(r, c),   code in {0, 1, 2}
//
// Readers make it from any stored layout, writers take it apart again; two
// files hold the same weights exactly if their TernaryMatrix values are equal.
#ifndef TERN_PACKING_TERNARY_MATRIX_H_
#define TERN_PACKING_TERNARY_MATRIX_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tern::packing {

// How far one multiplier reaches.
enum class ScaleGroup {
  kMatrix,  // scales[1]
  kRow,     // scales[rows]
  kBlock,   // scales[rows][ceil(cols / block)], `block` columns each
};

struct TernaryMatrix {
  std::size_t rows = 0;  // outputs, M
  std::size_t cols = 0;  // inputs, K
  // [rows][RowBytes(cols)]: column c of a row is in byte c / 4 at bits
  // 2 * (c % 4); the unused high bits of a row's last byte are code 1 (zero).
  std::vector<std::uint8_t> codes;
  ScaleGroup group = ScaleGroup::kMatrix;
  std::size_t block = 0;  // columns a scale covers if group is kBlock
  // Finite and >= 0.  A scale of 0 appears only over a group whose codes are
  // all 1 (readers normalise: a stored scale of 0 means zeros, whatever the
  // codes).
  std::vector<float> scales;

  static constexpr std::size_t RowBytes(std::size_t cols) {
    return (cols + 3) / 4;
  }
  [[nodiscard]] unsigned Code(std::size_t row, std::size_t col) const {
    return (codes[row * RowBytes(cols) + col / 4] >> (2 * (col % 4))) & 3U;
  }
  bool operator==(const TernaryMatrix&) const = default;
};

// Brings the scales to the widest group that says the same: kBlock to wider
// blocks, kRow and kMatrix where all non-zero scales of the group are
// bit-equal.  Groups of
// scale 0 get code 1 and agree with any neighbour; a matrix of nothing but
// zeros has scale 0.  This is what makes TQ2_0, which repeats one scale in
// every block, equal to I2_S, which stores it once.
void WidenScales(TernaryMatrix& matrix);

}  // namespace tern::packing

#endif  // TERN_PACKING_TERNARY_MATRIX_H_
