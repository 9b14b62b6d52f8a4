#include "ternary_kernels/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "packing/tiles.h"
#include "ternary_kernels/float_sums.h"

namespace tern::kernels::reference {

unsigned Code(const TernaryView& w, std::size_t row, std::size_t col) {
  const std::size_t groups = packing::PaddedCols(w.cols) / packing::kTileCols;
  const std::size_t tile =
      row / packing::kTileRows * groups + col / packing::kTileCols;
  const std::uint8_t byte =
      w.tiles[tile * packing::kTileBytes + row % packing::kTileRows];
  return (byte >> (2 * (col % packing::kTileCols))) & 3U;
}

void MatVec(  // NOLINT(readability-function-size): two ranges, four numbers
    const TernaryView& w, const std::int8_t* x, std::size_t row_begin,
    std::size_t row_end, std::size_t col_begin, std::size_t col_end,
    std::int32_t* sums) {
  for (std::size_t r = row_begin; r < row_end; ++r) {
    std::int32_t sum = 0;
    for (std::size_t c = col_begin; c < col_end; ++c) {
      const unsigned code = Code(w, r, c);
      if (code == 2) {
        sum += x[c];
      } else if (code == 0) {
        sum -= x[c];
      }
    }
    sums[r] = sum;
  }
}

namespace {

// t x by the sign alone: a weight of 0 gives +0 even for an infinite x.
float Term(unsigned code, float x) {
  if (code == 2) return x;
  return code == 0 ? -x : 0.0F;
}

// The sum of the group of columns [col, min(col + 4, col_end)) of one row.
float GroupSum(const TernaryView& w, const float* x, std::size_t row,
               std::size_t col, std::size_t col_end) {
  float terms[packing::kTileCols] = {};
  const std::size_t count = std::min(packing::kTileCols, col_end - col);
  for (std::size_t c = 0; c < count; ++c) {
    terms[c] = Term(Code(w, row, col + c), x[col + c]);
  }
  const float first = terms[0] + terms[1];
  const float second = terms[2] + terms[3];
  return first + second;
}

}  // namespace

void FloatMatVec(  // NOLINT(readability-function-size): as MatVec
    const TernaryView& w, const float* x, std::size_t row_begin,
    std::size_t row_end, std::size_t col_begin, std::size_t col_end,
    float* sums) {
  constexpr std::size_t kBlockCols = kFloatBlockGroups * packing::kTileCols;
  for (std::size_t r = row_begin; r < row_end; ++r) {
    float total = 0.0F;
    for (std::size_t begin = col_begin; begin < col_end; begin += kBlockCols) {
      const std::size_t end = std::min(begin + kBlockCols, col_end);
      float block = 0.0F;
      for (std::size_t c = begin; c < end; c += packing::kTileCols) {
        block += GroupSum(w, x, r, c, end);
      }
      total += block;
    }
    sums[r] = total;
  }
}

float QuantizeActivations(const float* x, std::size_t size, std::int8_t* q) {
  float absmax = 0.0F;
  bool nan = false;
  for (std::size_t i = 0; i < size; ++i) {
    nan = nan || std::isnan(x[i]);
    absmax = std::max(absmax, std::abs(x[i]));
  }
  if (nan || std::isinf(absmax)) {
    std::fill(q, q + size, std::int8_t{0});
    return nan ? std::numeric_limits<float>::quiet_NaN() : 0.0F;
  }
  const float reciprocal = 1.0F / std::max(absmax, 1e-5F);
  const float scale = reciprocal * 127.0F;
  for (std::size_t i = 0; i < size; ++i) {
    q[i] = static_cast<std::int8_t>(std::nearbyint(x[i] * scale));
  }
  return scale;
}

}  // namespace tern::kernels::reference
