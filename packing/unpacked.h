// Float matrices whose weights are ternary already: every one is -s, 0 or +s.
// Models are published so where no packed format fits (TriLM, with one scale
// for each part of a matrix that was trained on a device of its own) or for
// programs that have no other (Bonsai "unpacked", one scale for 128 columns).
#ifndef TERN_PACKING_UNPACKED_H_
#define TERN_PACKING_UNPACKED_H_

#include <cstddef>
#include <span>
#include <vector>

#include "packing/fault.h"
#include "packing/ternary_matrix.h"

namespace tern::packing {

// True if `row` [cols] could be one of a ternary matrix: within it the
// magnitude of the non-zero weights changes nowhere or only between blocks of
// columns of one size, a multiple of 4 that divides cols, 32 or more (or cols
// itself).  A row of zeros could.
bool LooksTernary(std::span<const float> row);

// weights [rows][cols], finite.  One scale for each row and block of columns,
// with the largest block that fits all rows, then widened (WidenScales).
// Lossless: (code - 1) * scale is bit-equal to each weight (-0 counts as 0).
// Fault: the matrix is not ternary in this sense; the offset is that of the
// weight, in floats.
MaybeFault UnpackFloats(std::span<const float> weights, std::size_t rows,
                        std::size_t cols, TernaryMatrix& matrix);

// The sizes of a block of columns that still explain everything seen.  Two
// neighbours among the non-zero weights of a row, at columns a < b, that differ
// in magnitude leave only the sizes with a and b in different blocks.  Looking
// at neighbours is enough, and there are few such pairs in a ternary matrix, so
// that it is read once, whatever its blocks.
class BlockSizes {
 public:
  explicit BlockSizes(std::size_t cols);

  // False if no size is left.
  bool Separate(std::size_t a, std::size_t b);
  [[nodiscard]] std::size_t largest() const { return sizes_.front(); }

 private:
  std::vector<std::size_t> sizes_;  // descending
};

// UnpackFloats for a matrix that is never in memory as a whole: all weights go
// once through TakeCodes and then once through TakeScales, in pieces of whole
// rows in their order.
class FloatUnpacker {
 public:
  // rows and cols not 0
  FloatUnpacker(std::size_t rows, std::size_t cols, TernaryMatrix& matrix);

  MaybeFault TakeCodes(std::span<const float> weights);
  void TakeScales(std::span<const float> weights);

 private:
  TernaryMatrix& matrix_;
  BlockSizes sizes_;
  std::size_t coded_ = 0;   // rows
  std::size_t scaled_ = 0;  // groups
};

}  // namespace tern::packing

#endif  // TERN_PACKING_UNPACKED_H_
