// Dense matrices, Y = W X with float activations: the output head, and the FP16
// side of the comparison.  These multiply; no ternary weight passes here.
//
// Each output is one chain of fused multiply-adds along the row in lanes, then
// a sum of the lanes: the same operations in the same order whatever the number
// of tokens or the split of rows, so results are bit-equal for any batch and
// any number of threads (on one instruction set).
#ifndef TERN_TERNARY_KERNELS_DENSE_H_
#define TERN_TERNARY_KERNELS_DENSE_H_

#include <cstddef>
#include <cstdint>

namespace tern::kernels {

// kInt8x16: blocks of 16 weights in 20 bytes, a float32 scale and 16 int8,
// which is what ggml's Q6_K means after its scales are multiplied out
// (packing/q6_k.h).
enum class DenseType { kF32, kF16, kBf16, kQ8_0, kInt8x16 };

// Not owned.  Row-major W [rows][cols]; rows follow each other without gaps.
// Q8_0 rows are blocks of 34 bytes (packing/q8_0.h) and cols a multiple of 32;
// for kInt8x16 cols is a multiple of 16.
struct DenseView {
  DenseType type = DenseType::kF32;
  const std::uint8_t* data = nullptr;
  std::size_t rows = 0;
  std::size_t cols = 0;
};

std::size_t DenseRowBytes(DenseType type, std::size_t cols);

// y[t * y_stride + r] = sum over c of W[r][c] * x[t * x_stride + c], for rows
// [row_begin, row_end).  Any thread, no allocation, no exception.
struct DenseArgs {
  const float* x = nullptr;  // [tokens][x_stride]
  std::size_t x_stride = 0;
  std::size_t tokens = 0;
  std::size_t row_begin = 0;
  std::size_t row_end = 0;
  float* y = nullptr;  // [tokens][y_stride]
  std::size_t y_stride = 0;
};
void DenseMatMul(const DenseView& w, const DenseArgs& args);

// out[c] = W[row][c] as float32: an embedding look-up.
void DenseRow(const DenseView& w, std::size_t row, float* out);

}  // namespace tern::kernels

#endif  // TERN_TERNARY_KERNELS_DENSE_H_
