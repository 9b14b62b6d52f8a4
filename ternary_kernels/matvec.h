// One token: y = W x, W ternary, x int8, without a multiplication.
//
// A nibble of a tile byte (packing/tiles.h) holds the codes of two neighbouring
// columns, so it is the index of a 16-entry table of the sum that those two
// weights make of their two activations: x0*(c0-1) + x1*(c1-1).  A byte shuffle
// looks up one nibble for 16 rows in each 128-bit part of a vector.  Sums run
// from 0 to 508 after adding 254, too wide for a byte, so a table is two: the
// low 4 bits and the rest.  The tables depend on x alone and are built once for
// all matrices that share it (q, k, v; gate, up).
//
// All functions: any thread, no allocation, no exception.  The sums are the
// exact int32 of reference.h for every input whose activations lie in
// [-127, 127] and cols <= 2^23.
#ifndef TERN_TERNARY_KERNELS_MATVEC_H_
#define TERN_TERNARY_KERNELS_MATVEC_H_

#include <cstddef>
#include <cstdint>

#include "ternary_kernels/ternary_view.h"

namespace tern::kernels {

// Bytes of the tables for an input of `cols` activations: for each 4 columns
// low and high table of columns 0, 1, then those of 2, 3; 64 bytes.
std::size_t NibbleTableBytes(std::size_t cols);

// x [cols], values in [-127, 127]; tables [NibbleTableBytes(cols)], aligned to
// 64 bytes.
void BuildNibbleTables(const std::int8_t* x, std::size_t cols,
                       std::uint8_t* tables);

// sums[r] = sum over columns [col_begin, col_end) of (code(r, c) - 1) * x[c],
// for rows [row_begin, row_end); `sums` is indexed by the row itself.
// row_begin is a multiple of 64, row_end too or w.rows; col_begin is a multiple
// of 4, col_end too or w.cols.
void MatVec(const TernaryView& w, const std::uint8_t* tables,
            std::size_t row_begin, std::size_t row_end, std::size_t col_begin,
            std::size_t col_end, std::int32_t* sums);

}  // namespace tern::kernels

#endif  // TERN_TERNARY_KERNELS_MATVEC_H_
