// What the makers of screens (screen.cc, rounded_rows.cc) share: a loop over
// rows, what a step must be, and lengths of rows that are never too short.
#ifndef TERN_RUNTIME_HEAD_ROW_CODES_H_
#define TERN_RUNTIME_HEAD_ROW_CODES_H_

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

#include "runtime/parallel.h"
#include "ternary_kernels/dense.h"

namespace tern {

// At least `value` as it would be without the rounding of the doubles that it
// is made of: they lose less than 2^-23 of it (see wide_input.cc).
inline float RoundUp(double value) {
  return std::nextafter(static_cast<float>(value * (1 + 0x1.0p-22)),
                        std::numeric_limits<float>::infinity());
}

// The largest |w|.
inline float Largest(const float* w, std::size_t cols) {
  float largest = 0;
  for (std::size_t c = 0; c < cols; ++c) {
    const float size = std::fabs(w[c]);
    largest = size > largest ? size : largest;
  }
  return largest;
}

// Whether a row has a step: all but zero is taken for zero.
inline bool IsStep(float step) {
  return 1 / step < std::numeric_limits<float>::max() / 8;
}

// The sum of term(c) for c in [begin, end), by way of a block of terms: of the
// loop over them, and of that over eight sums, compilers make vectors.
template <class T, class Term>
T Sum(std::size_t begin, std::size_t end, const Term& term) {
  std::array<T, 64> terms;
  std::array<T, 8> sums{};
  for (; begin < end; begin += terms.size()) {
    const std::size_t count = std::min(terms.size(), end - begin);
    for (std::size_t i = 0; i < count; ++i) terms[i] = term(begin + i);
    std::fill(terms.begin() + count, terms.end(), T{0});
    for (std::size_t i = 0; i < terms.size(); i += sums.size()) {
      for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += terms[i + j];
    }
  }
  return std::accumulate(sums.begin(), sums.end(), T{0});
}

inline double Length(const double* v, std::size_t size) {
  return std::sqrt(
      Sum<double>(0, size, [=](std::size_t c) { return v[c] * v[c]; }));
}

// Calls fn(row, scratch) for each row of w, on all threads; scratch.weights
// [cols] holds the row.
template <class RowScratch, class Fn>
void ForEachRow(const kernels::DenseView& w, Team& team, const Fn& fn) {
  constexpr std::size_t kGrain = 64;
  std::vector<RowScratch> scratch(team.size(), RowScratch(w.cols));
  ParallelFor(team, w.rows, kGrain,
              [&](std::size_t begin, std::size_t end, std::size_t thread) {
                for (std::size_t r = begin; r < end; ++r) {
                  kernels::DenseRow(w, r, scratch[thread].weights.data());
                  fn(r, scratch[thread]);
                }
              });
}

}  // namespace tern

#endif  // TERN_RUNTIME_HEAD_ROW_CODES_H_
