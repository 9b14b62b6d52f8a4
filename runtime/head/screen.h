// The screen of an output head: every row again in 5.33 bits a weight, with
// which a bound of each logit costs a third of the bytes of f16, and in two or
// three more bits, which make 8 and a seventh of the first bound's width, for
// rows that this leaves open.
//
// The bound, first or fine.  Let w be a row as stored, s the row as screened, e
// = w - s, and let q be the token's input x rounded to integers times a scale,
// d = x - q. Then x.w = q.s + d.s + x.e, and by Cauchy and Schwarz
//
//   |x.w - q.s| <= |d| |s| + |x| |e| <= |d| (|w| + |e|) + |x| |e|.
//
// |w| and |e| are measured when the screen is made and |x| and |d| for each
// token, in double and rounded up.  q.s is an exact integer sum times two float
// scales.  Added to that is what rounding can do:
//   - The logit itself is a float32 sum of products, in some order, of `cols`
//     products (dense.h): it differs from x.w by at most g |x| |w|, where g =
//     n u / (1 - n u), u = 2^-24, n = cols + 2 (Higham, Accuracy and Stability
//     of Numerical Algorithms, section 3.1: any order, fused or not), and by
//     2^-126 a step where a result is too small for a normal number.
//   - The estimate: three roundings of relative u, of a number that is at most
//     |q| |s| <= (|x| + |d|) (|w| + |e|), or 2^31 * 2^-149 where the product of
//     the scales is below the normal numbers.  The fine one is the first and
//     another such number, at most (|x| + |d|) (|e'| + |e|), e' the first e,
//     and their sum; for this the stored |e| of the fine codes is larger by
//     2^-19 |e'|.
//   - The bound's own sum: each of five operations rounds by u of at most
//     |estimate| + margin.
// So with r = 2^-20 = 16 u, more than all of these together,
//   residual factor = (|x| + |d|) (1 + r) + r (|x| + |d|),
//   norm factor = (|d| + g |x|) (1 + r) + r (|x| + |d|),
//   slack = (cols + 256) 2^-120 > (cols + 8) 2^-126 + 2^-118,
// each rounded up to float, no logit lies above
//   estimate + |e| residual factor + |w| norm factor + slack.
// Where |x| times the longest row is so large that a float sum could overflow,
// there is no bound, and the caller computes all rows.
//
// How good it is.  e is as good as orthogonal to x, and the bound takes it for
// parallel: at 2560 columns it is 50 times the usual error.  For rows of normal
// random numbers |e| is 0.0545 |w|, fine 0.008 |w|, and the largest of 128256
// cosines is about 0.088 (the spread of all is 0.020): rows below 0.034, all
// but 7 or 8 in a hundred, are out, and of these with the fine codes all but
// one in a thousand.  Trained heads: README.md.
//
// Several tokens at once meet all 8 bits (ternary_kernels/screen_texts.h): the
// bound is the fine one with a q of one digit, whose |d| is max |x| / 127 /
// sqrt(12) a column, 0.008 |x| for normal numbers, or of two where one would
// leave more than 0.012 |x|.  The estimate is then one sum, of (2 b - 255) q, b
// the 8-bit number, which stays below 2^31, times (step * scale) / 4: the
// roundings are those of the first estimate.  Rows that are rounded while they
// are read (rounded_rows.h) have one layer of codes, and |e| is what it leaves.
#ifndef TERN_RUNTIME_HEAD_SCREEN_H_
#define TERN_RUNTIME_HEAD_SCREEN_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "runtime/aligned_buffer.h"
#include "runtime/parallel.h"
#include "ternary_kernels/dense.h"
#include "ternary_kernels/head.h"
#include "ternary_kernels/screen_texts.h"

namespace tern {

struct ScreenRows {
  std::size_t rows = 0;
  std::size_t cols = 0;
  AlignedBuffer<std::uint16_t> words;       // [rows][ScreenWords(cols)]
  AlignedBuffer<std::uint16_t> fine_words;  // [rows][FineWords(cols)]
  // All [rows]; lengths are rounded up.
  AlignedBuffer<float> steps;
  AlignedBuffer<float> residuals;
  AlignedBuffer<float> fine_residuals;
  AlignedBuffer<float> norms;
  float longest = 0;  // the largest of the norms

  [[nodiscard]] kernels::ScreenView View() const {
    return {words.data(),
            fine_words.data(),
            steps.data(),
            residuals.data(),
            fine_residuals.data(),
            norms.data(),
            rows,
            cols};
  }
  // The same as codes of 8 bits, for several tokens at once.
  [[nodiscard]] kernels::ByteRowsView ByteView(
      const kernels::DenseView& stored) const {
    return kernels::HeldBytes(View(), stored);
  }
  // What every token reads, and what a row that this leaves open costs more.
  static std::uint64_t FirstBytes(std::size_t rows, std::size_t cols) {
    return rows * (kernels::ScreenWords(cols) * sizeof(std::uint16_t) +
                   3 * sizeof(float));
  }
  static std::uint64_t FineRowBytes(std::size_t cols) {
    return kernels::FineWords(cols) * sizeof(std::uint16_t) + sizeof(float);
  }
  // All of it.
  static std::uint64_t Bytes(std::size_t rows, std::size_t cols) {
    return FirstBytes(rows, cols) + rows * FineRowBytes(cols);
  }
  [[nodiscard]] std::uint64_t bytes() const { return Bytes(rows, cols); }
};

// Screens every row of finite numbers.
ScreenRows MakeScreen(const kernels::DenseView& w, Team& team);

// What a token's input [cols] is to the screen; its integers go to q
// [ScreenInputSize(cols)], aligned to 64.  Nothing if there is no bound.
std::optional<kernels::ScreenInput> PrepareScreenInput(
    const ScreenRows& screen, const float* x, std::int16_t* q) noexcept;

// Room for the digits of a token's input, [ScreenInputSize(cols)] each.
struct TextDigits {
  TextDigits() = default;
  explicit TextDigits(std::size_t cols)
      : first(kernels::ScreenInputSize(cols)),
        second(kernels::ScreenInputSize(cols)) {}
  AlignedBuffer<std::int16_t> first;
  AlignedBuffer<std::int16_t> second;  // if there are two
};
// The same for 8-bit codes and several tokens at once; `longest` is that of all
// rows.
std::optional<kernels::ScreenText> PrepareScreenText(
    std::size_t cols, float longest, const float* x,
    TextDigits& digits) noexcept;

}  // namespace tern

#endif  // TERN_RUNTIME_HEAD_SCREEN_H_
