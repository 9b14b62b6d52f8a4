#include "runtime/head/screen.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "runtime/head/row_codes.h"
#include "runtime/head/wide_input.h"

namespace tern {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// The largest value of a code, in steps (ternary_kernels/head.h).
constexpr int kMostSteps = 63;
// The same of the 8-bit number of a column, in quarter steps.
constexpr int kMostQuarters = 255;
// The most that 128 * 127 + 63 allows; less keeps sums within 32 bits at more
// than 517 columns.
constexpr int kMostOfTwoDigits = 16319;
// A share of the input that one digit may leave: screen.h.
constexpr double kMostError = 0.012;

// Code of a weight, as a float: floor(w / width + half), width the distance of
// two levels and half the number of those below zero.
float Code(float w, float inverse_width, float half) {
  const float position = w * inverse_width + half;
  const float most = 2 * half - 1;
  const float inside = std::min(std::max(position, 0.0F), most);
  return static_cast<float>(static_cast<int>(inside));
}

// Columns of a row in one of the three fields of its words.
struct Field {
  std::size_t begin;
  std::size_t end;
  float half;     // levels below zero
  float spacing;  // of levels, in steps
};
std::array<Field, 3> Fields(std::size_t cols) {
  const std::size_t words = kernels::ScreenWords(cols);
  const std::size_t one = std::min(words, cols);
  const std::size_t two = std::min(2 * words, cols);
  return {{{0, one, 16, 4}, {one, two, 16, 4}, {two, cols, 32, 2}}};
}

// The distance of columns [begin, end) to levels `width` apart, `half` of them
// below zero; squared, and about.
float Distance(const float* w, std::size_t begin, std::size_t end, float width,
               float half) {
  const float inverse = 1 / width;
  return Sum<float>(begin, end, [=](std::size_t c) {
    const float error =
        w[c] - width * (Code(w[c], inverse, half) - half + 0.5F);
    return error * error;
  });
}

// The distances of a row to its first and to all its codes together, about.
float Distances(const float* w, std::size_t cols, float step) {
  float first = 0;
  for (const Field& field : Fields(cols)) {
    first +=
        Distance(w, field.begin, field.end, step * field.spacing, field.half);
  }
  return std::sqrt(first) + std::sqrt(Distance(w, 0, cols, step / 2, 128));
}

// The step that brings the screened row nearest to the row, of a few: levels
// that reach the largest weight, or that leave some beyond their reach so that
// all others are met more closely.  The first codes alone would leave some of
// normal numbers (0.053 of the row's length instead of 0.0545), but these are
// then most of what the fine codes leave (0.02 instead of 0.008).
float ChooseStep(const float* w, std::size_t cols) {
  const float largest = Largest(w, cols);
  float best_step = largest / 64;
  if (!IsStep(best_step)) return 0;
  float best = kInfinity;
  for (const float reach : {1.0F, 0.92F, 0.84F, 0.75F, 0.6F, 0.45F}) {
    const float step = largest / 64 * reach;
    const float distance = Distances(w, cols, step);
    // Mostly a row gets only worse beyond its best reach.
    if (!(distance < best)) break;
    best = distance;
    best_step = step;
  }
  return best_step;
}

// Working memory for a row.
struct RowScratch {
  explicit RowScratch(std::size_t cols)
      : weights(cols),
        codes(kernels::ScreenInputSize(cols)),
        fine_codes(kernels::ScreenInputSize(cols)),
        residual(cols) {}
  std::vector<float> weights;
  std::vector<float> codes;     // zeros beyond cols
  std::vector<int> fine_codes;  // the same
  std::vector<double> residual;
};

// The first codes of a row; takes what they mean from the residual, the row.
void FirstCodes(std::size_t cols, float step, RowScratch& scratch,
                std::uint16_t* words) {
  const float* w = scratch.weights.data();
  float* codes = scratch.codes.data();
  double* residual = scratch.residual.data();
  for (const Field& field : Fields(cols)) {
    const float inverse = step > 0 ? 1 / (step * field.spacing) : 0;
    const float half = field.half;
    for (std::size_t c = field.begin; c < field.end; ++c) {
      codes[c] = Code(w[c], inverse, half);
    }
    // A step of 24 bits times a number of 7: exact in double.
    const double spacing = step * field.spacing;
    const double lowest = spacing * (0.5 - half);
    for (std::size_t c = field.begin; c < field.end; ++c) {
      residual[c] -= lowest + spacing * codes[c];
    }
  }
  const std::size_t size = kernels::ScreenWords(cols);
  for (std::size_t i = 0; i < size; ++i) {
    words[i] = static_cast<std::uint16_t>(
        static_cast<int>(codes[i]) | static_cast<int>(codes[size + i]) << 5 |
        static_cast<int>(codes[2 * size + i]) << 10);
  }
}

// The fine codes of what the first left; takes what they mean from it.
void FineCodes(std::size_t cols, float step, RowScratch& scratch,
               std::uint16_t* words) {
  int* codes = scratch.fine_codes.data();
  double* residual = scratch.residual.data();
  const float inverse = step > 0 ? 2 / step : 0;
  const double spacing = step * 0.5;
  for (const Field& field : Fields(cols)) {
    // A first code's part of the range, in half steps, on either side.
    const float half = field.spacing;
    // Floats first, apart: the loop over codes is one of vectors only if it
    // reads what it writes.
    float* floats = scratch.codes.data();
    std::copy(residual + field.begin, residual + field.end,
              floats + field.begin);
    for (std::size_t c = field.begin; c < field.end; ++c) {
      floats[c] = Code(floats[c], inverse, half);
    }
    const double lowest = spacing * (0.5 - half);
    for (std::size_t c = field.begin; c < field.end; ++c) {
      residual[c] -= lowest + spacing * floats[c];
      codes[c] = static_cast<int>(floats[c]);
    }
  }
  constexpr std::size_t kLine = kernels::kHeadAlign / sizeof(std::uint16_t);
  const std::size_t size = kernels::ScreenWords(cols);
  for (std::size_t k = 0; k < size; ++k) {
    const bool first = k / kLine % 2 == 0;
    const int low = codes[k] | codes[size + k] << 8;
    const int bits = low << (first ? 0 : 3) | codes[2 * size + k]
                                                  << (first ? 6 : 14);
    std::uint16_t& word = words[k / (2 * kLine) * kLine + k % kLine];
    word = static_cast<std::uint16_t>(first ? bits : word | bits);
  }
}

// The row in scratch.weights: codes, step and lengths.
void ScreenRow(std::size_t row, RowScratch& scratch, ScreenRows& screen) {
  const std::size_t cols = screen.cols;
  const float step = ChooseStep(scratch.weights.data(), cols);
  std::copy(scratch.weights.begin(), scratch.weights.end(),
            scratch.residual.begin());
  const double norm = Length(scratch.residual.data(), cols);
  FirstCodes(cols, step, scratch,
             screen.words.data() + row * kernels::ScreenWords(cols));
  const double first = Length(scratch.residual.data(), cols);
  FineCodes(cols, step, scratch,
            screen.fine_words.data() + row * kernels::FineWords(cols));
  const double fine = Length(scratch.residual.data(), cols);
  screen.steps.data()[row] = step;
  screen.norms.data()[row] = RoundUp(norm);
  screen.residuals.data()[row] = RoundUp(first);
  screen.fine_residuals.data()[row] = RoundUp(fine + 0x1.0p-19 * first);
}

// What the integers of x [cols] in q, and what they leave of it, are to the
// screen.  Nothing if there is no bound.
std::optional<kernels::ScreenInput> Factors(std::size_t num_cols, float longest,
                                            const WideInput& wide,
                                            const std::int16_t* q) {
  // Also if x is not finite.
  if (!(wide.norm * longest < 1e37)) return std::nullopt;
  constexpr double kUnit = 0x1.0p-24;
  constexpr double kRounding = 0x1.0p-20;
  const auto cols = static_cast<double>(num_cols);
  const double gamma = (cols + 2) * kUnit / (1 - (cols + 2) * kUnit);
  const double size = wide.norm + wide.error;
  kernels::ScreenInput input;
  input.x = q;
  input.sum = std::accumulate(q, q + num_cols, std::int32_t{0});
  input.scale = wide.scale;
  input.residual_factor = RoundUp(size * (1 + kRounding) + kRounding * size);
  input.norm_factor = RoundUp(
      (wide.error + gamma * wide.norm) * (1 + kRounding) + kRounding * size);
  input.slack = RoundUp((cols + 256) * 0x1.0p-120);
  return input;
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
  ForEachRow<RowScratch>(w, team, [&](std::size_t row, RowScratch& scratch) {
    ScreenRow(row, scratch, screen);
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
  return Factors(screen.cols, screen.longest, wide, q);
}

std::optional<kernels::ScreenText> PrepareScreenText(
    std::size_t cols, float longest, const float* x,
    TextDigits& digits) noexcept {
  const std::size_t size = kernels::ScreenInputSize(cols);
  std::int16_t* q = digits.first.data();
  const int limit = WideLimit(cols, kMostQuarters);
  WideInput wide =
      QuantizeWide(x, cols, std::min(limit, kernels::kScreenDigit), q, size);
  kernels::ScreenText text;
  if (wide.error > kMostError * wide.norm && limit > kernels::kScreenDigit) {
    text.digits = 2;
    wide = QuantizeWide(x, cols, std::min(limit, kMostOfTwoDigits), q, size);
  }
  const auto input = Factors(cols, longest, wide, q);
  if (!input) return std::nullopt;
  text.input = *input;
  text.input.x = nullptr;
  if (text.digits == 2) {
    constexpr int kBase = kernels::kScreenBase;
    for (std::size_t c = 0; c < size; ++c) {
      // Rounded down, so that what is left lies from -64 to 63.
      const int first = (q[c] + kBase / 2 + kBase * kBase) / kBase - kBase;
      digits.second.data()[c] = static_cast<std::int16_t>(q[c] - first * kBase);
      q[c] = static_cast<std::int16_t>(first);
    }
  }
  return text;
}

}  // namespace tern
