// What the ternary kernels are timed beside: the plain way to do the same
// product with a multiplier.  Codes of 2 bits are unpacked to bytes, a row at a
// time, and multiplied with four tokens at once (AVX2's maddubs: 32
// multiplications an instruction).  x86 with AVX2 only, and not tuned further:
// no table, no packing for VNNI.
//
// It is written with AVX2's own intrinsics and not with Highway, so that it
// does not become faster or slower with what is measured.
#ifndef TERN_BENCH_YARDSTICK_H_
#define TERN_BENCH_YARDSTICK_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ternary_kernels/ternary_view.h"

namespace tern::bench {

// Can this CPU run it?
bool HasYardstick();

class Yardstick {
 public:
  // The same weights in rows of 2-bit codes.  w.cols is 2560 or 6912: known to
  // the compiler, which makes the best of it.
  explicit Yardstick(const kernels::TernaryView& w);

  // y[t * rows + r] = sum over c of W[r][c] * x[t * cols + c], for rows
  // [row_begin, row_end).  Exact.  Any thread.
  void MatMul(const std::int8_t* x, std::size_t tokens, std::size_t row_begin,
              std::size_t row_end, std::int32_t* y) const;

 private:
  std::size_t rows_;
  std::size_t cols_;
  // [rows][cols / 128][32]: byte i of a block holds the codes of columns i,
  // 32 + i, 64 + i and 96 + i, the first one in its highest bits.
  std::vector<std::uint8_t> codes_;
};

}  // namespace tern::bench

#endif  // TERN_BENCH_YARDSTICK_H_
