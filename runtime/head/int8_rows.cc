#include "runtime/head/int8_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/head/wide_input.h"

namespace tern {
namespace {

constexpr int kMost = 127;
// Rows that stay in a cache while several tokens meet them: 160 KiB at 2560
// columns.
constexpr std::size_t kRowBlock = 64;

void QuantizeRow(const float* w, std::size_t row, Int8Rows& out) {
  float largest = 0;
  for (std::size_t c = 0; c < out.cols; ++c) {
    largest = std::max(largest, std::fabs(w[c]));
  }
  const std::size_t stride = kernels::Int8RowStride(out.cols);
  std::int8_t* q = out.data.data() + row * stride;
  std::fill(q, q + stride, std::int8_t{0});
  const float scale = largest / static_cast<float>(kMost);
  out.scales.data()[row] = scale;
  if (!(scale > 0)) return;
  for (std::size_t c = 0; c < out.cols; ++c) {
    // Away from zero at halves; no call, so that the loop is one of vectors.
    // Where the scale is too small for a normal number it can reach beyond.
    const float steps = std::clamp(w[c] / scale, -127.0F, 127.0F);
    q[c] = static_cast<std::int8_t>(
        static_cast<int>(steps + std::copysign(0.5F, steps)));
  }
}

}  // namespace

Int8Rows MakeInt8Rows(const kernels::DenseView& w, Team& team) {
  Int8Rows out;
  out.rows = w.rows;
  out.cols = w.cols;
  out.data = AlignedBuffer<std::int8_t>(w.rows * kernels::Int8RowStride(w.cols),
                                        Pages::kHuge);
  out.scales = AlignedBuffer<float>(w.rows);
  AlignedBuffer<float> floats(team.size() * w.cols);
  ParallelFor(team, w.rows, kRowBlock,
              [&](std::size_t begin, std::size_t end, std::size_t thread) {
                float* row = floats.data() + thread * w.cols;
                for (std::size_t r = begin; r < end; ++r) {
                  kernels::DenseRow(w, r, row);
                  QuantizeRow(row, r, out);
                }
              });
  return out;
}

void Int8RowsProduct(const Int8Rows& w, const float* x, std::size_t tokens,
                     std::int16_t* q, float* x_scales, float* y,
                     Team& team) noexcept {
  const std::size_t stride = kernels::Int8RowStride(w.cols);
  const int limit = WideLimit(w.cols, kMost);
  for (std::size_t t = 0; t < tokens; ++t) {
    const WideInput input =
        QuantizeWide(x + t * w.cols, w.cols, limit, q + t * stride, stride);
    x_scales[t] = std::isfinite(input.norm)
                      ? input.scale
                      : std::numeric_limits<float>::quiet_NaN();
  }
  ParallelFor(
      team, w.rows, kRowBlock,
      [&](std::size_t begin, std::size_t end, std::size_t) {
        for (; begin < end; begin += kRowBlock) {
          const std::size_t block_end = std::min(begin + kRowBlock, end);
          for (std::size_t t = 0; t < tokens; ++t) {
            kernels::Int8RowsMatVec(w.View(), q + t * stride, x_scales[t],
                                    begin, block_end, y + t * w.rows);
          }
        }
      });
}

}  // namespace tern
