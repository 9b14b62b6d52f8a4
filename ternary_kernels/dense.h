// Dense matrices, Y = W X with float activations: the output head, and the FP16
// side of the comparison.  These multiply; no ternary weight passes here.
//
// The order of the operations of an output is fixed for each instruction set.
// With L lanes of float32, lane l of a sum takes the columns l, l + L, l + 2 L
// ... of a block of kDenseBlockCols columns by fused multiply-adds (SSE4 and
// older round the product, too); the lanes of a block are added by halves; and
// the blocks one after the other.  What a row holds is a float32 before it
// meets x, whatever it is stored as.  So an output has the same bits for any
// number of tokens beside it, any split of rows and any number of threads.
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

// Elements that are floats, with no scales beside them.
constexpr bool IsFloat(DenseType type) {
  return type == DenseType::kF32 || type == DenseType::kF16 ||
         type == DenseType::kBf16;
}

std::size_t DenseRowBytes(DenseType type, std::size_t cols);

// Columns whose products are summed lane by lane before their sum enters the
// result, and rows of a panel (dense_product-inl.h).
inline constexpr std::size_t kDenseBlockCols = 512;
inline constexpr std::size_t kDensePanelRows = 64;
// Bytes of scratch, aligned to 64, for one call of any shape: the panel.  One
// token needs none: null will do.
inline constexpr std::size_t kDenseScratchBytes =
    kDensePanelRows * kDenseBlockCols * sizeof(float);

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
void DenseMatMul(const DenseView& w, const DenseArgs& args, void* scratch);

// out[c] = W[row][c] as float32, a scale times its int8 rounded: an embedding
// look-up.
void DenseRow(const DenseView& w, std::size_t row, float* out);

}  // namespace tern::kernels

#endif  // TERN_TERNARY_KERNELS_DENSE_H_
