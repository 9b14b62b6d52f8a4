// Float weights to ternary ones by absmean (Ma et al. 2024, arXiv 2402.17764,
// section 2, as Hugging Face transformers computes it for `online` models).
#ifndef TERN_PACKING_QUANTIZE_H_
#define TERN_PACKING_QUANTIZE_H_

#include <array>
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

// The same for a matrix that is never in memory as a whole: all weights go once
// through Measure and then, in the same pieces, through Quantize.  Pieces are
// whole rows in their order, of a multiple of 8 weights but for the last.  The
// result does not depend on where they are cut.
class AbsmeanTernarizer {
 public:
  // Fault: an empty matrix.
  AbsmeanTernarizer(std::size_t rows, std::size_t cols)
      : rows_(rows), cols_(cols) {}

  // Fault: a weight that is not finite; its offset is in bytes of float32 from
  // the matrix's start.
  MaybeFault Measure(std::span<const float> weights);
  // Between the passes: sets everything of `matrix` but the codes, which get
  // their size.  Fault: a mean that has no finite scale.
  MaybeFault Begin(TernaryMatrix& matrix);
  void Quantize(std::span<const float> weights, TernaryMatrix& matrix);

 private:
  std::size_t rows_;
  std::size_t cols_;
  // Eight sums side by side: the additions do not wait for each other, and the
  // order is the same on every machine.
  std::array<double, 8> sums_{};
  double tail_ = 0;
  std::size_t measured_ = 0;   // weights
  std::size_t quantized_ = 0;  // rows
  float inverse_ = 0;
};

}  // namespace tern::packing

#endif  // TERN_PACKING_QUANTIZE_H_
