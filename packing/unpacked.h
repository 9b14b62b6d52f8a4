// Float matrices whose weights are ternary already: every one is -s, 0 or +s.
// Models are published so where no packed format fits (TriLM, with one scale
// for each part of a matrix that was trained on a device of its own) or for
// programs that have no other (Bonsai "unpacked", one scale for 128 columns).
#ifndef TERN_PACKING_UNPACKED_H_
#define TERN_PACKING_UNPACKED_H_

#include <cstddef>
#include <span>

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

}  // namespace tern::packing

#endif  // TERN_PACKING_UNPACKED_H_
