// The output head as int8 rows with a float scale each: half the bytes of f16,
// for a loss that README.md gives.
#ifndef TERN_RUNTIME_HEAD_INT8_ROWS_H_
#define TERN_RUNTIME_HEAD_INT8_ROWS_H_

#include <cstddef>
#include <cstdint>

#include "runtime/aligned_buffer.h"
#include "runtime/parallel.h"
#include "ternary_kernels/dense.h"
#include "ternary_kernels/head.h"

namespace tern {

struct Int8Rows {
  std::size_t rows = 0;
  std::size_t cols = 0;
  AlignedBuffer<std::int8_t> data;  // [rows][Int8RowStride(cols)]
  AlignedBuffer<float> scales;      // [rows]

  [[nodiscard]] kernels::Int8RowsView View() const {
    return {data.data(), scales.data(), rows, cols};
  }
  static std::uint64_t Bytes(std::size_t rows, std::size_t cols) {
    return rows * (kernels::Int8RowStride(cols) + sizeof(float));
  }
  [[nodiscard]] std::uint64_t bytes() const { return Bytes(rows, cols); }
};

// q = round(w * 127 / largest |w| of the row), of finite numbers.
Int8Rows MakeInt8Rows(const kernels::DenseView& w, Team& team);

// The inputs of a product as integers.
struct Int8RowsScratch {
  Int8RowsScratch() = default;
  Int8RowsScratch(std::size_t tokens, std::size_t cols)
      : x(tokens * kernels::Int8RowStride(cols)), scales(tokens) {}
  static std::uint64_t Bytes(std::size_t tokens, std::size_t cols) {
    return tokens * (kernels::Int8RowStride(cols) * sizeof(std::int16_t) +
                     sizeof(float));
  }
  AlignedBuffer<std::int16_t> x;  // [tokens][Int8RowStride(cols)]
  AlignedBuffer<float> scales;    // of x, [tokens]
};

// y [tokens][rows] = w x [tokens][cols]; tokens at most those of
// the scratch.  Where x is not finite, neither is y.
void Int8RowsProduct(const Int8Rows& w, const float* x, std::size_t tokens,
                     Int8RowsScratch& scratch, float* y, Team& team) noexcept;

}  // namespace tern

#endif  // TERN_RUNTIME_HEAD_INT8_ROWS_H_
