// How far a dense product in float32 may be from one in double.
#ifndef TERN_RUNTIME_DENSE_TOLERANCE_H_
#define TERN_RUNTIME_DENSE_TOLERANCE_H_

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "ternary_kernels/dense.h"

namespace tern {

// For a sum over `cols` columns, `magnitude` being the sum of the absolute
// values of its products.  Every addition is off by at most 2^-24 of its
// result, so an output by that times the longest chain of additions that a
// product goes through: the columns of a block (with vectors of one lane; more
// lanes make it shorter), then the blocks (ternary_kernels/dense.h).  16 more
// for the rounding of the products, and of the result.
inline double DenseTolerance(std::size_t cols, double magnitude) {
  const std::size_t terms = std::min(cols, kernels::kDenseBlockCols) +
                            cols / kernels::kDenseBlockCols + 16;
  return std::ldexp(static_cast<double>(terms) * magnitude, -24);
}

}  // namespace tern

#endif  // TERN_RUNTIME_DENSE_TOLERANCE_H_
