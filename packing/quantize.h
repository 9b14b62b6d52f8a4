// Float weights to ternary ones by absmean (Ma et al. 2024, arXiv 2402.17764,
// section 2, as Hugging Face transformers computes it for `online` models).
#ifndef TERN_PACKING_QUANTIZE_H_
#define TERN_PACKING_QUANTIZE_H_

#include <cstddef>
#include <span>

#include "packing/fault.h"
#include "packing/ternary_matrix.h"

namespace tern::packing {

// weights [rows][cols].  In float32: s = 1 / max(mean|w|, 1e-5), code =
// clamp(round_half_even(w * s), -1, 1) + 1, multiplier 1 / s, one for the whole
// matrix.  The mean is summed in double, so that it does not depend on an
// order.  Fault: a weight that is not finite.
MaybeFault TernarizeAbsmean(std::span<const float> weights, std::size_t rows,
                            std::size_t cols, TernaryMatrix& matrix);

}  // namespace tern::packing

#endif  // TERN_PACKING_QUANTIZE_H_
