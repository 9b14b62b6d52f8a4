// T2, tern's own layout (GGUF type number 29746): the tiles that the kernels
// read (tiles.h), so that a mapped file is used where it lies, and beside them
// a tensor of multipliers.  See README.md.
#ifndef TERN_PACKING_T2_H_
#define TERN_PACKING_T2_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "packing/fault.h"
#include "packing/ternary_matrix.h"
#include "packing/tiles.h"

namespace tern::packing {

// The multipliers of a matrix, as in TernaryMatrix.
struct T2Scales {
  ScaleGroup group = ScaleGroup::kMatrix;
  std::size_t block = 0;  // columns a scale covers if group is kBlock
  std::vector<float> scales;
};

// The shape of the tensor that holds the multipliers of `matrix`, outermost
// first: [1], [rows] or [rows][blocks].  Empty if there is none: blocks that do
// not divide the columns, or that are no multiple of 4 columns.
std::vector<std::uint64_t> T2ScaleShape(const TernaryMatrix& matrix);

// From such a tensor: what each multiplier is for.  Fault (its offset is that
// in the tensor): a shape that is none of those above, a scale that is negative
// or not finite.
MaybeFault UnpackT2Scales(const std::vector<std::uint64_t>& shape,
                          std::vector<float> scales, std::size_t rows,
                          std::size_t cols, T2Scales& unpacked);

// The tiles of a matrix with these multipliers.  Fault: as CheckTiles, or one
// scale for all of the matrix that is 0 over weights that are not.
MaybeFault CheckT2(std::span<const std::uint8_t> tiles, std::size_t rows,
                   std::size_t cols, const T2Scales& scales);

// Fault: as CheckT2.
MaybeFault UnpackT2(std::span<const std::uint8_t> tiles, std::size_t rows,
                    std::size_t cols, const T2Scales& scales,
                    TernaryMatrix& matrix);

// The tiles; the multipliers are matrix.scales as they are.  Fault: code 3, a
// scale that is negative or not finite, blocks without a T2ScaleShape.
MaybeFault PackT2(const TernaryMatrix& matrix,
                  std::vector<std::uint8_t>& tiles);

}  // namespace tern::packing

#endif  // TERN_PACKING_T2_H_
