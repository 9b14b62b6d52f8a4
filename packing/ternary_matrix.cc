#include "packing/ternary_matrix.h"

#include <algorithm>
#include <optional>
#include <span>

#include "packing/interleave.h"

namespace tern::packing {
namespace {

// Bits of the codes of columns [begin, end) of a row that lie in byte `index`.
std::uint8_t Mask(std::size_t begin, std::size_t end, std::size_t index) {
  unsigned mask = 0xff;
  if (begin > 4 * index) mask &= 0xffU << (2 * (begin - 4 * index));
  if (end < 4 * index + 4) mask &= 0xffU >> (2 * (4 * index + 4 - end));
  return static_cast<std::uint8_t>(mask);
}

// Stops at the first weight that is not zero, so it costs next to nothing on
// ordinary matrices.
bool AllZero(std::span<const std::uint8_t> row, std::size_t begin,
             std::size_t end) {
  for (std::size_t i = begin / 4; 4 * i < end; ++i) {
    if (((row[i] ^ kZeroCodes) & Mask(begin, end, i)) != 0) return false;
  }
  return true;
}

void SetZero(std::span<std::uint8_t> row, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin / 4; 4 * i < end; ++i) {
    const std::uint8_t mask = Mask(begin, end, i);
    row[i] = static_cast<std::uint8_t>((row[i] & ~mask) | (kZeroCodes & mask));
  }
}

// Columns that one scale covers within a row.
std::size_t GroupCols(const TernaryMatrix& matrix) {
  return matrix.group == ScaleGroup::kBlock ? matrix.block : matrix.cols;
}

// A scale of 0 gives its group code 1 throughout; nothing but code 1 gives the
// group the scale 0.
void NormalizeZeros(TernaryMatrix& matrix) {
  if (matrix.group == ScaleGroup::kMatrix) {
    float& scale = matrix.scales[0];
    if (scale == 0) {
      std::fill(matrix.codes.begin(), matrix.codes.end(), kZeroCodes);
    }
    if (AllZero(matrix.codes, 0, 4 * matrix.codes.size())) scale = 0;
    return;
  }
  const std::size_t row_bytes = TernaryMatrix::RowBytes(matrix.cols);
  const std::size_t group_cols = GroupCols(matrix);
  float* scale = matrix.scales.data();
  for (std::size_t r = 0; r < matrix.rows; ++r) {
    const std::span row(matrix.codes.data() + r * row_bytes, row_bytes);
    for (std::size_t c = 0; c < matrix.cols; c += group_cols, ++scale) {
      const std::size_t end = std::min(c + group_cols, matrix.cols);
      if (*scale == 0) SetZero(row, c, end);
      if (*scale == 0 || AllZero(row, c, end)) *scale = 0;  // and never -0
    }
  }
}

// The scale of all groups, 0 if they are all zero, empty if two differ.
std::optional<float> CommonScale(std::span<const float> scales) {
  float common = 0;
  for (const float scale : scales) {
    if (scale == 0 || scale == common) continue;
    if (common != 0) return std::nullopt;
    common = scale;
  }
  return common;
}

// True if each run of `merged` scales agrees with itself, where `merged`
// divides the blocks of a row; then `scales` are those of the runs.
bool MergeBlocks(std::span<const float> all, std::size_t merged,
                 std::vector<float>& scales) {
  scales.clear();
  for (std::size_t b = 0; b < all.size(); b += merged) {
    const auto common = CommonScale(all.subspan(b, merged));
    if (!common.has_value()) return false;
    scales.push_back(*common);
  }
  return true;
}

// To the fewest blocks of equal width that say the same.
void WidenBlocks(TernaryMatrix& matrix) {
  if (matrix.cols % matrix.block != 0) return;
  const std::size_t blocks = matrix.cols / matrix.block;
  std::vector<float> scales;
  for (std::size_t count = 2; count < blocks; ++count) {
    if (blocks % count != 0) continue;
    if (!MergeBlocks(matrix.scales, blocks / count, scales)) continue;
    matrix.block *= blocks / count;
    matrix.scales = std::move(scales);
    return;
  }
}

// kBlock to kRow, if every row agrees with itself.
void WidenToRows(TernaryMatrix& matrix) {
  const std::size_t blocks = (matrix.cols + matrix.block - 1) / matrix.block;
  std::vector<float> scales(matrix.rows);
  for (std::size_t r = 0; r < matrix.rows; ++r) {
    const std::optional<float> common =
        CommonScale({matrix.scales.data() + r * blocks, blocks});
    if (!common.has_value()) return;
    scales[r] = *common;
  }
  matrix.group = ScaleGroup::kRow;
  matrix.block = 0;
  matrix.scales = std::move(scales);
}

}  // namespace

void WidenScales(TernaryMatrix& matrix) {
  NormalizeZeros(matrix);
  if (matrix.group == ScaleGroup::kBlock) WidenToRows(matrix);
  if (matrix.group == ScaleGroup::kBlock) WidenBlocks(matrix);
  if (matrix.group == ScaleGroup::kRow) {
    if (const auto common = CommonScale(matrix.scales); common.has_value()) {
      matrix.group = ScaleGroup::kMatrix;
      matrix.scales = {*common};
    }
  }
}

}  // namespace tern::packing
