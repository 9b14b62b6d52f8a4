#include "packing/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "packing/checks.h"
#include "packing/interleave.h"

namespace tern::packing {
namespace {

// Rounding half to even and clamping to -1..1 leaves three cases: |x| <= 0.5
// goes to 0 (the tie too, 0 is even), anything beyond to the sign.
unsigned Code(float x) {
  return 1U + static_cast<unsigned>(x > 0.5F) -
         static_cast<unsigned>(x < -0.5F);
}

void QuantizeRow(std::span<const float> row, float inverse,
                 std::uint8_t* codes) {
  const std::size_t whole = row.size() / 4 * 4;
  for (std::size_t c = 0; c < whole; c += 4) {
    codes[c / 4] = static_cast<std::uint8_t>(
        Code(row[c] * inverse) | Code(row[c + 1] * inverse) << 2 |
        Code(row[c + 2] * inverse) << 4 | Code(row[c + 3] * inverse) << 6);
  }
  if (whole == row.size()) return;
  unsigned last = kZeroCodes;
  for (std::size_t c = whole; c < row.size(); ++c) {
    const std::size_t shift = 2 * (c - whole);
    last = (last & ~(3U << shift)) | Code(row[c] * inverse) << shift;
  }
  codes[whole / 4] = static_cast<std::uint8_t>(last);
}

Fault NotFiniteFault(std::span<const float> weights, std::size_t first,
                     std::size_t cols) {
  const auto at = std::find_if(weights.begin(), weights.end(),
                               [](float w) { return !std::isfinite(w); });
  const auto index = first + static_cast<std::size_t>(at - weights.begin());
  return Fault{"the weight in row " + std::to_string(index / cols) +
                   ", column " + std::to_string(index % cols) + " is " +
                   std::to_string(*at),
               index * sizeof(float)};
}

}  // namespace

MaybeFault AbsmeanTernarizer::Measure(std::span<const float> weights) {
  const std::size_t whole = weights.size() / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) {
      sums_[lane] += static_cast<double>(std::fabs(weights[i + lane]));
    }
  }
  for (std::size_t i = whole; i < weights.size(); ++i) {
    tail_ += static_cast<double>(std::fabs(weights[i]));
  }
  // Finite weights cannot overflow the sums in double, so they tell of the
  // rest.
  double sum = tail_;
  for (const double partial : sums_) sum += partial;
  if (!std::isfinite(sum)) return NotFiniteFault(weights, measured_, cols_);
  measured_ += weights.size();
  return {};
}

MaybeFault AbsmeanTernarizer::Begin(TernaryMatrix& matrix) {
  if (auto fault = CheckShape(rows_, cols_)) return fault;
  double sum = tail_;
  for (const double partial : sums_) sum += partial;
  const auto mean = static_cast<float>(sum / static_cast<double>(measured_));
  inverse_ = 1.0F / std::max(mean, 1e-5F);
  const float scale = 1.0F / inverse_;
  if (auto fault = CheckScale(scale, 0)) return fault;  // mean near FLT_MAX
  matrix = {.rows = rows_,
            .cols = cols_,
            .codes = std::vector<std::uint8_t>(rows_ *
                                               TernaryMatrix::RowBytes(cols_)),
            .scales = {scale}};
  return {};
}

void AbsmeanTernarizer::Quantize(std::span<const float> weights,
                                 TernaryMatrix& matrix) {
  const std::size_t row_bytes = TernaryMatrix::RowBytes(cols_);
  for (std::size_t r = 0; r < weights.size() / cols_; ++r) {
    QuantizeRow(weights.subspan(r * cols_, cols_), inverse_,
                matrix.codes.data() + quantized_ * row_bytes);
    ++quantized_;
  }
  if (quantized_ == rows_) WidenScales(matrix);
}

MaybeFault TernarizeAbsmean(std::span<const float> weights, std::size_t rows,
                            std::size_t cols, TernaryMatrix& matrix) {
  if (auto fault = CheckShape(rows, cols)) return fault;
  if (auto fault =
          CheckSize(weights.size_bytes(), rows * cols * sizeof(float))) {
    return fault;
  }
  AbsmeanTernarizer ternarizer(rows, cols);
  if (auto fault = ternarizer.Measure(weights)) return fault;
  if (auto fault = ternarizer.Begin(matrix)) return fault;
  ternarizer.Quantize(weights, matrix);
  return {};
}

}  // namespace tern::packing
