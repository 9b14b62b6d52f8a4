// The specification: plain loops that every kernel must equal, bit for bit.
#ifndef TERN_TERNARY_KERNELS_REFERENCE_H_
#define TERN_TERNARY_KERNELS_REFERENCE_H_

#include <cstddef>
#include <cstdint>

#include "ternary_kernels/ternary_view.h"

namespace tern::kernels::reference {

// The code of W[row][col], read from the tiles.
unsigned Code(const TernaryView& w, std::size_t row, std::size_t col);

// sums[r] += or -= x[c] or nothing, column after column, for rows
// [row_begin, row_end) and columns [col_begin, col_end); `sums` is indexed by
// the row itself.  Any bounds.
void MatVec(const TernaryView& w, const std::int8_t* x, std::size_t row_begin,
            std::size_t row_end, std::size_t col_begin, std::size_t col_end,
            std::int32_t* sums);

// As kernels::FloatMatVec, additions in the order of float_sums.h.  Any row
// bounds; col_begin a multiple of 4.
void FloatMatVec(const TernaryView& w, const float* x, std::size_t row_begin,
                 std::size_t row_end, std::size_t col_begin,
                 std::size_t col_end, float* sums);

// As kernels::QuantizeActivations.
float QuantizeActivations(const float* x, std::size_t size, std::int8_t* q);

}  // namespace tern::kernels::reference

#endif  // TERN_TERNARY_KERNELS_REFERENCE_H_
