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

// y [tokens][rows] = w x [tokens][cols]; the integers of x go to q
// [tokens][Int8RowStride(cols)], aligned to 64, and their scales to x_scales
// [tokens].  Where x is not finite, neither is y.
void Int8RowsProduct(const Int8Rows& w, const float* x, std::size_t tokens,
                     std::int16_t* q, float* x_scales, float* y,
                     Team& team) noexcept;

}  // namespace tern

#endif  // TERN_RUNTIME_HEAD_INT8_ROWS_H_
