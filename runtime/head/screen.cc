#include "runtime/head/screen.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "runtime/head/wide_input.h"

namespace tern {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// The largest value of a code, in steps (ternary_kernels/head.h).
constexpr int kMostSteps = 63;
constexpr std::size_t kGrain = 64;

// At least `value` as it would be without the rounding of the doubles that it
// is made of: they lose less than 2^-23 of it (see wide_input.cc).
float RoundUp(double value) {
  return std::nextafter(static_cast<float>(value * (1 + 0x1.0p-22)), kInfinity);
}

// Code of a weight: floor(w / width + half), width the distance of two levels
// and half the number of those below zero.
int Code(float w, float inverse_width, float half) {
  const float position = w * inverse_width + half;
  const float most = 2 * half - 1;
  return static_cast<int>(position < 0 ? 0 : position > most ? most : position);
}

// Columns of a row in one of the three fields of its words.
struct Field {
  std::size_t begin;
  std::size_t end;
  unsigned shift;
  float half;  // levels below zero
  int spacing;  // of levels, in steps
};
std::array<Field, 3> Fields(std::size_t cols) {
  const std::size_t words = kernels::ScreenWords(cols);
  return {{{0, std::min(words, cols), 0, 16, 4},
           {std::min(words, cols), std::min(2 * words, cols), 5, 16, 4},
           {std::min(2 * words, cols), cols, 10, 32, 2}}};
}

// The squared distance of a row to its screened form, about.
float Distance(const float* w, std::size_t cols, float step) {
  float sum = 0;
  for (const Field& field : Fields(cols)) {
    const float width = step * static_cast<float>(field.spacing);
    const float inverse = 1 / width;
    // Eight sums, so that the loop is one of vectors.
    std::array<float, 8> sums{};
    std::size_t c = field.begin;
    for (; c + sums.size() <= field.end; c += sums.size()) {
      for (std::size_t i = 0; i < sums.size(); ++i) {
        const int code = Code(w[c + i], inverse, field.half);
        const float error =
            w[c + i] -
            width * (static_cast<float>(code) - field.half + 0.5F);
        sums[i] += error * error;
      }
    }
    for (const float s : sums) sum += s;
  }
  return sum;
}

// The step that brings the screened row nearest to the row, of a few: levels
// that reach the largest weight, or that leave some beyond their reach so that
// all others are met more closely (3 of 3.5 standard deviations for 2560 normal
// numbers).
float ChooseStep(const float* w, std::size_t cols) {
  float largest = 0;
  for (std::size_t c = 0; c < cols; ++c) {
    largest = std::max(largest, std::fabs(w[c]));
  }
  float best_step = largest / 64;
  if (!(1 / best_step < kInfinity / 8)) return 0;  // all but zero
  float best = Distance(w, cols, best_step);
  for (const float reach : {0.92F, 0.84F, 0.75F, 0.6F, 0.45F}) {
    const float step = largest / 64 * reach;
    const float distance = Distance(w, cols, step);
    if (distance < best) {
      best = distance;
      best_step = step;
    }
  }
  return best_step;
}

double SquaredLength(const double* v, std::size_t size) {
  double sum = 0;
  for (std::size_t i = 0; i < size; ++i) sum += v[i] * v[i];
  return sum;
}

// The first codes of w; takes what they mean from `residual`, which is w.
void FirstCodes(const float* w, std::size_t cols, float step,
                std::uint16_t* words, double* residual) {
  std::fill_n(words, kernels::ScreenWords(cols), std::uint16_t{0});
  for (const Field& field : Fields(cols)) {
    const float inverse =
        step > 0 ? 1 / (step * static_cast<float>(field.spacing)) : 0;
    const double first = 1 - 2 * static_cast<double>(field.half);
    for (std::size_t c = field.begin; c < field.end; ++c) {
      const int code = Code(w[c], inverse, field.half);
      std::uint16_t& word = words[c - field.begin];
      word = static_cast<std::uint16_t>(
          word | static_cast<unsigned>(code) << field.shift);
      // A step of 24 bits times a number of 7: exact in double.
      residual[c] -= step * ((first + 2 * code) * (field.spacing / 2));
    }
  }
}

// The fine codes of what the first left; takes what they mean from it.
void FineCodes(std::size_t cols, float step, std::uint16_t* words,
               double* residual) {
  const std::size_t size = kernels::FineWords(cols);
  std::fill_n(words, size, std::uint16_t{0});
  const float inverse = step > 0 ? 1 / step : 0;
  for (std::size_t c = 0; c < cols; ++c) {
    const int code = Code(static_cast<float>(residual[c]), inverse, 2);
    std::uint16_t& word = words[c % size];
    word = static_cast<std::uint16_t>(
        word | static_cast<unsigned>(code) << (2 * (c / size)));
    residual[c] -= step * (code - 1.5);
  }
}

// One row: codes, step and lengths.  `residual` [cols] is scratch.
void ScreenRow(const float* w, std::size_t row, double* residual,
               ScreenRows& screen) {
  const std::size_t cols = screen.cols;
  const float step = ChooseStep(w, cols);
  std::copy(w, w + cols, residual);
  const double norm = std::sqrt(SquaredLength(residual, cols));
  FirstCodes(w, cols, step,
             screen.words.data() + row * kernels::ScreenWords(cols), residual);
  const double first = std::sqrt(SquaredLength(residual, cols));
  FineCodes(cols, step,
            screen.fine_words.data() + row * kernels::FineWords(cols),
            residual);
  const double fine = std::sqrt(SquaredLength(residual, cols));
  screen.steps.data()[row] = step;
  screen.norms.data()[row] = RoundUp(norm);
  screen.residuals.data()[row] = RoundUp(first);
  screen.fine_residuals.data()[row] = RoundUp(fine + 0x1.0p-19 * first);
}

}  // namespace

ScreenRows MakeScreen(const kernels::DenseView& w, Team& team) {
  ScreenRows screen;
  screen.rows = w.rows;
  screen.cols = w.cols;
  screen.words = AlignedBuffer<std::uint16_t>(
      w.rows * kernels::ScreenWords(w.cols), Pages::kHuge);
  screen.fine_words = AlignedBuffer<std::uint16_t>(
      w.rows * kernels::FineWords(w.cols), Pages::kHuge);
  screen.steps = AlignedBuffer<float>(w.rows);
  screen.residuals = AlignedBuffer<float>(w.rows);
  screen.fine_residuals = AlignedBuffer<float>(w.rows);
  screen.norms = AlignedBuffer<float>(w.rows);
  AlignedBuffer<float> floats(team.size() * w.cols);
  AlignedBuffer<double> residuals(team.size() * w.cols);
  ParallelFor(team, w.rows, kGrain,
              [&](std::size_t begin, std::size_t end, std::size_t thread) {
                float* row = floats.data() + thread * w.cols;
                for (std::size_t r = begin; r < end; ++r) {
                  kernels::DenseRow(w, r, row);
                  ScreenRow(row, r, residuals.data() + thread * w.cols,
                            screen);
                }
              });
  screen.longest =
      *std::max_element(screen.norms.data(), screen.norms.data() + w.rows);
  return screen;
}

std::optional<kernels::ScreenInput> PrepareScreenInput(
    const ScreenRows& screen, const float* x, std::int16_t* q) noexcept {
  const WideInput wide =
      QuantizeWide(x, screen.cols, WideLimit(screen.cols, kMostSteps), q,
                   kernels::ScreenInputSize(screen.cols));
  // Also if x is not finite.
  if (!(wide.norm * screen.longest < 1e37)) return std::nullopt;
  constexpr double kUnit = 0x1.0p-24;
  constexpr double kRounding = 0x1.0p-20;
  const auto cols = static_cast<double>(screen.cols);
  const double gamma = (cols + 2) * kUnit / (1 - (cols + 2) * kUnit);
  const double size = wide.norm + wide.error;
  kernels::ScreenInput input;
  input.x = q;
  input.sum = std::accumulate(q, q + screen.cols, std::int32_t{0});
  input.scale = wide.scale;
  input.residual_factor =
      RoundUp(size * (1 + kRounding) + kRounding * size);
  input.norm_factor = RoundUp((wide.error + gamma * wide.norm) *
                                  (1 + kRounding) +
                              kRounding * size);
  input.slack = RoundUp((cols + 256) * 0x1.0p-120);
  return input;
}

}  // namespace tern
