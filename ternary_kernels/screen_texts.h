// A screen of an output head for several tokens in one reading: the rows as
// 8-bit codes, unpacked once, meet each token's x as signed bytes.  The sums
// are exact integers, the same on every instruction set; a few float
// operations, in a fixed order, follow each sum.
//
// All functions: any thread, no allocation, no exception.
#ifndef TERN_TERNARY_KERNELS_SCREEN_TEXTS_H_
#define TERN_TERNARY_KERNELS_SCREEN_TEXTS_H_

#include <cstddef>
#include <cstdint>

#include "ternary_kernels/head.h"

namespace tern::kernels {

// A token's x is one digit or two, 128 * the first + the second, each of them
// numbers from -127 to 127.
inline constexpr int kScreenDigit = 127;
inline constexpr int kScreenBase = 128;
// So many digits in one call, of all tokens together.
inline constexpr std::size_t kMostScreenDigits = 64;

// Rows of codes b from 0 to 255, which a screen holds (head.h, first and fine),
// and which mean b - 127.5 half steps, or to which a stored row is rounded: b -
// 128 half steps.
struct ByteRowsView {
  DenseView stored;  // kF32, kF16 or kBf16 if there are no words
  const std::uint16_t* words = nullptr;  // of a screen, or null: rounded
  const std::uint16_t* fine_words = nullptr;
  const float* steps = nullptr;      // [rows]
  const float* residuals = nullptr;  // [rows], of w less its codes
  const float* norms = nullptr;      // [rows], of w
  std::size_t rows = 0;
  std::size_t cols = 0;

  // What 2 b is where b means zero.
  [[nodiscard]] constexpr std::uint32_t TwiceZero() const {
    return words != nullptr ? 255 : 256;
  }
};
// The codes that a screen of `stored` holds.
constexpr ByteRowsView HeldBytes(const ScreenView& screen,
                                 const DenseView& stored) {
  return {stored,
          screen.words,
          screen.fine_words,
          screen.steps,
          screen.fine_residuals,
          screen.norms,
          screen.rows,
          screen.cols};
}
// A weight w of a rounded row has the code that the lowest 8 bits of the float
// (w * levels) + kRoundingToCodes say, each of the two operations rounded to
// the nearest float; |w| * levels is at most 127.25.
inline constexpr float kRoundingToCodes = 0x1.0p23F + 128;
inline float RoundedLevels(float step) { return step > 0 ? 2 / step : 0; }
// Columns that are rounded together.
inline constexpr std::size_t kRoundedCols = 64;

// Whether the active target has products of bytes; without them to round on the
// way costs as much as it saves.
bool MultipliesBytes();

// Bytes of a digit as the active target multiplies it.
constexpr std::size_t ScreenDigitBytes(std::size_t cols) {
  return (ScreenInputSize(cols) + kRoundedCols) * sizeof(std::int16_t);
}
// digit [ScreenInputSize(cols)], zeros beyond cols; packed
// [ScreenDigitBytes(cols)].  Both aligned to 64.
void PackScreenDigit(const ByteRowsView& w, const std::int16_t* digit,
                     std::uint8_t* packed);

struct ScreenText {
  ScreenInput input;  // but for x; its sum is that of 128 * first + second
  std::size_t digits = 1;
};
struct ScreenTextsArgs {
  const std::uint8_t* digits = nullptr;  // [digits][ScreenDigitBytes(cols)]
  const ScreenText* texts = nullptr;
  std::size_t count = 0;
  float* estimates = nullptr;  // [count][stride]
  std::size_t stride = 0;
};
// For rows r of [row_begin, row_end) and each text, with `sum` over 2 b -
// TwiceZero() and x, b the code of a column:
//   estimates[r] = float(sum) * ((steps[r] * scale) / 4)
// 255 * |x[c]| summed over c must stay below 2^31.
void ScreenTexts(const ByteRowsView& w, const ScreenTextsArgs& args,
                 std::size_t row_begin, std::size_t row_end);

struct OpenRowsArgs {
  const ScreenInput& input;
  const float* estimates = nullptr;  // [rows]
  float cut = 0;
  std::uint32_t bit = 0;
};
// masks[r - row_begin] |= bit for the rows r of [row_begin, row_end) in which
// not
//   estimates[r] + (residuals[r] * residual_factor +
//                   (norms[r] * norm_factor + slack)) < cut.
void OpenRows(const ByteRowsView& w, const OpenRowsArgs& args,
              std::size_t row_begin, std::size_t row_end, std::uint32_t* masks);

struct RefineArgs {
  const std::uint32_t* masks = nullptr;  // [row_end - row_begin]
  std::size_t row_begin = 0;
  std::size_t row_end = 0;
  const float* x = nullptr;  // [32][cols]
  float* y = nullptr;        // [32][y_stride]
  std::size_t y_stride = 0;
};
// y[t * y_stride + r] for bit t of the mask of r, as DenseMatMul gives it for
// one token; the next row is fetched ahead.
void RefineOpenRows(const DenseView& w, const RefineArgs& args);

}  // namespace tern::kernels

#endif  // TERN_TERNARY_KERNELS_SCREEN_TEXTS_H_
