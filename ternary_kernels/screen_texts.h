// The screen of an output head (head.h) for several tokens in one reading: all
// codes of a row, 8 bits of each weight, are unpacked once and meet each
// token's x as signed bytes.  The sums are exact integers, the same on every
// instruction set; a few float operations, in a fixed order, follow each sum.
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

// Bytes of a digit as the active target multiplies it.
constexpr std::size_t ScreenDigitBytes(std::size_t cols) {
  return ScreenInputSize(cols) * sizeof(std::int16_t);
}
// digit [ScreenInputSize(cols)], zeros beyond cols; packed
// [ScreenDigitBytes(cols)].  Both aligned to 64.
void PackScreenDigit(std::size_t cols, const std::int16_t* digit,
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
// For rows r of [row_begin, row_end) and each text, with `sum` over 2 b - 255
// and x, b the 8-bit number of a column:
//   estimates[r] = float(sum) * ((steps[r] * scale) / 4)
// 255 * |x[c]| summed over c must stay below 2^31.
void ScreenTexts(const ScreenView& w, const ScreenTextsArgs& args,
                 std::size_t row_begin, std::size_t row_end);

struct OpenRowsArgs {
  const ScreenInput& input;
  const float* estimates = nullptr;  // [rows]
  float cut = 0;
  std::uint32_t bit = 0;
};
// masks[r - row_begin] |= bit for the rows r of [row_begin, row_end) in which
// not
//   estimates[r] + (fine_residuals[r] * residual_factor +
//                   (norms[r] * norm_factor + slack)) < cut.
void OpenRows(const ScreenView& w, const OpenRowsArgs& args,
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
