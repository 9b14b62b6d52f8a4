#include "runtime/head/wide_input.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tern {
namespace {

// The root of a sum of n squares in double is off by less than n 2^-53 of
// itself, with the errors of the squares' own terms: 2^-22 is enough for 2^30
// columns, and too little to cost a row.
constexpr double kUp = 1.0 + 0x1.0p-22;

}  // namespace

int WideLimit(std::size_t cols, int weight) {
  constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max();
  const std::size_t limit = kMost / (std::max<std::size_t>(cols, 1) *
                                     static_cast<std::size_t>(weight));
  return static_cast<int>(
      std::min<std::size_t>(limit, std::numeric_limits<std::int16_t>::max()));
}

WideInput QuantizeWide(const float* x, std::size_t cols, int limit,
                       std::int16_t* q, std::size_t padded) noexcept {
  std::fill(q, q + padded, std::int16_t{0});
  WideInput input;
  double squares = 0;
  float largest = 0;
  for (std::size_t c = 0; c < cols; ++c) {
    const double value = x[c];
    squares += value * value;
    largest = std::max(largest, std::fabs(x[c]));
  }
  input.norm = std::sqrt(squares) * kUp;
  input.error = input.norm;  // if all q are 0
  if (!std::isfinite(squares)) return input;
  input.scale = largest / static_cast<float>(limit);
  if (!(input.scale > 0)) return input;
  const double scale = input.scale;
  const double most = limit;
  double errors = 0;
  for (std::size_t c = 0; c < cols; ++c) {
    const double steps = std::clamp(std::nearbyint(x[c] / scale), -most, most);
    q[c] = static_cast<std::int16_t>(steps);
    const double error = x[c] - scale * steps;
    errors += error * error;
  }
  input.error = std::sqrt(errors) * kUp;
  return input;
}

}  // namespace tern
