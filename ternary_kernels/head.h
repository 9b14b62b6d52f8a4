// The output head in fewer bits than it is stored in: rows of int8, and the
// rows of a screen, which bound each logit from above.  Both meet one token as
// int16 numbers, so that their sums are exact integers, the same on every
// instruction set; a few float operations, in a fixed order, follow each sum.
// These multiply; no ternary weight passes here.  What the numbers mean, and
// why the bounds hold, stands in runtime/head/ (int8_rows.h, screen.h), which
// makes them.
//
// All functions: any thread, no allocation, no exception.
#ifndef TERN_TERNARY_KERNELS_HEAD_H_
#define TERN_TERNARY_KERNELS_HEAD_H_

#include <cstddef>
#include <cstdint>

#include "ternary_kernels/dense.h"

namespace tern::kernels {

// Rows begin at multiples of 64 bytes.
inline constexpr std::size_t kHeadAlign = 64;

// Bytes of a row of int8, and so the length that x is padded to with zeros.
constexpr std::size_t Int8RowStride(std::size_t cols) {
  return (cols + kHeadAlign - 1) / kHeadAlign * kHeadAlign;
}
struct Int8RowsView {
  const std::int8_t* data = nullptr;  // [rows][Int8RowStride(cols)]
  const float* scales = nullptr;      // [rows]
  std::size_t rows = 0;
  std::size_t cols = 0;
};

// y[r] = float(sum over c of data[r][c] * x[c]) * (scales[r] * x_scale) for
// rows [row_begin, row_end).  x [Int8RowStride(cols)], aligned to 64; the sums
// of 127 * |x[c]| must stay below 2^31.
void Int8RowsMatVec(const Int8RowsView& w, const std::int16_t* x, float x_scale,
                    std::size_t row_begin, std::size_t row_end, float* y);

// A screen's row is words of 16 bits.  With W = ScreenWords(cols), word i holds
// the codes of columns i and W + i in five bits each (0-4 and 5-9) and that of
// column 2 W + i in six (10-15).  In units of the row's step a five-bit code u
// means 4 u - 62 and a six-bit one 2 u - 63: 32 or 64 even levels around zero
// over nearly the same range.  Three weights in 16 bits cost 5.33 bits each and
// unpack with two shifts and two masks, so that two threads read them at the
// memory's rate; four in 24 bits would need shuffles.
constexpr std::size_t ScreenWords(std::size_t cols) {
  constexpr std::size_t kWords = kHeadAlign / sizeof(std::uint16_t);
  return ((cols + 2) / 3 + kWords - 1) / kWords * kWords;
}
// Behind it, for rows that the first codes leave open, three more bits of each
// five-bit code and two of each six-bit one: with u and v the two codes of a
// column, 8 u + v or 4 u + v is a number of 8 bits b that means b - 127.5 half
// steps.  Fine word i of pair p (32 words each) belongs to the words k = 64 p +
// i and k + 32 and holds, from bit 0 on, the codes of columns k, k + 32, 2 W +
// k, and from bit 8 on those of W + k, W + k + 32, 2 W + k + 32: where
// unpacking to bytes (screen_texts.cc) needs few operations.
constexpr std::size_t FineWords(std::size_t cols) {
  constexpr std::size_t kWords = kHeadAlign / sizeof(std::uint16_t);
  return (ScreenWords(cols) / kWords + 1) / 2 * kWords;
}
struct ScreenView {
  const std::uint16_t* words = nullptr;       // [rows][ScreenWords(cols)]
  const std::uint16_t* fine_words = nullptr;  // [rows][FineWords(cols)]
  const float* steps = nullptr;               // [rows]
  const float* residuals = nullptr;       // [rows], of w less its first codes
  const float* fine_residuals = nullptr;  // [rows], of w less all its codes
  const float* norms = nullptr;           // [rows], of w
  std::size_t rows = 0;
  std::size_t cols = 0;
};

// The length of x.
constexpr std::size_t ScreenInputSize(std::size_t cols) {
  return 3 * ScreenWords(cols);
}
struct ScreenInput {
  const std::int16_t* x = nullptr;  // [ScreenInputSize(cols)], aligned to 64,
                                    // zeros beyond cols
  std::int32_t sum = 0;             // of x
  float scale = 0;                  // of x
  float residual_factor = 0;
  float norm_factor = 0;
  float slack = 0;
};
// For rows [row_begin, row_end), with `sum` over the codes' values and x:
//   estimates[r] = float(sum) * (steps[r] * scale)
//   bounds[r] = estimates[r] + (residuals[r] * residual_factor +
//               (norms[r] * norm_factor + slack))
// 63 * |x[c]| summed over c must stay below 2^31.  words are aligned to 64.
void Screen(const ScreenView& w, const ScreenInput& in, std::size_t row_begin,
            std::size_t row_end, float* estimates, float* bounds);
// For rows r = rows[i] of `count`, ascending, with `sum` over x and 2 v - 7, or
// 2 v - 3 for fine codes of two bits:
//   bounds[r] = (estimates[r] + float(sum) * ((steps[r] * scale) / 4)) +
//               (fine_residuals[r] * residual_factor +
//               (norms[r] * norm_factor + slack))
void ScreenFine(const ScreenView& w, const ScreenInput& in,
                const std::uint32_t* rows, std::size_t count,
                const float* estimates, float* bounds);

// y[rows[i]] for `count` ascending rows, as DenseMatMul gives it for one token;
// rows far apart are fetched ahead.
void RefineRows(const DenseView& w, const float* x, const std::uint32_t* rows,
                std::size_t count, float* y);

}  // namespace tern::kernels

#endif  // TERN_TERNARY_KERNELS_HEAD_H_
