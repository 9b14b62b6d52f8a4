#include "runtime/head/rounded_rows.h"

#include <algorithm>
#include <vector>

#include "runtime/head/row_codes.h"

namespace tern {
namespace {

// The largest weight becomes the last code.
float StepOf(const float* w, std::size_t cols) {
  const float step = Largest(w, cols) / 127 * 2;
  return IsStep(step) ? step : 0;
}

// Working memory for a row.
struct RowScratch {
  explicit RowScratch(std::size_t cols)
      : weights(cols), codes(cols), residual(cols) {}
  std::vector<float> weights;
  std::vector<float> codes;
  std::vector<double> residual;
};

void MeasureRow(std::size_t row, RowScratch& scratch, RoundedRows& rounded) {
  const std::size_t cols = rounded.cols;
  const float* w = scratch.weights.data();
  float* codes = scratch.codes.data();
  double* residual = scratch.residual.data();
  const float step = StepOf(w, cols);
  const float levels = kernels::RoundedLevels(step);
  for (std::size_t c = 0; c < cols; ++c) {
    const float position = w[c] * levels + kernels::kRoundingToCodes;
    codes[c] = position - kernels::kRoundingToCodes;
  }
  std::copy_n(w, cols, residual);
  const double norm = Length(residual, cols);
  // A step of 24 bits times a number of 7: exact in double.
  const double spacing = step * 0.5;
  for (std::size_t c = 0; c < cols; ++c) {
    residual[c] -= spacing * codes[c];
  }
  rounded.steps.data()[row] = step;
  rounded.norms.data()[row] = RoundUp(norm);
  rounded.residuals.data()[row] = RoundUp(Length(residual, cols));
}

}  // namespace

RoundedRows MakeRoundedRows(const kernels::DenseView& w, Team& team) {
  RoundedRows rounded;
  rounded.rows = w.rows;
  rounded.cols = w.cols;
  rounded.steps = AlignedBuffer<float>(w.rows);
  rounded.residuals = AlignedBuffer<float>(w.rows);
  rounded.norms = AlignedBuffer<float>(w.rows);
  ForEachRow<RowScratch>(w, team, [&](std::size_t row, RowScratch& scratch) {
    MeasureRow(row, scratch, rounded);
  });
  rounded.longest =
      *std::max_element(rounded.norms.data(), rounded.norms.data() + w.rows);
  return rounded;
}

}  // namespace tern
