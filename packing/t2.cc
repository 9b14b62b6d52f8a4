#include "packing/t2.h"

#include <algorithm>
#include <string>
#include <utility>

#include "packing/checks.h"
#include "packing/interleave.h"

namespace tern::packing {
namespace {

// The kernels add up columns by tiles of 4.
bool IsBlock(std::size_t block, std::size_t cols) {
  return block != 0 && cols % block == 0 &&
         (block == cols || block % kTileCols == 0);
}

std::string ShapeText(const std::vector<std::uint64_t>& shape) {
  std::string text;
  for (const std::uint64_t size : shape) {
    text += (text.empty() ? "" : " x ") + std::to_string(size);
  }
  return text;
}

MaybeFault FindGroup(const std::vector<std::uint64_t>& shape, std::size_t rows,
                     std::size_t cols, T2Scales& scales) {
  if (shape.size() == 1 && shape[0] == 1) return {};
  if (shape.size() == 1 && shape[0] == rows) {
    scales.group = ScaleGroup::kRow;
    return {};
  }
  if (shape.size() == 2 && shape[0] == rows && shape[1] != 0 &&
      cols % shape[1] == 0 && IsBlock(cols / shape[1], cols)) {
    scales.group = ScaleGroup::kBlock;
    scales.block = cols / shape[1];
    return {};
  }
  return Fault{ShapeText(shape) + " scales for " + std::to_string(rows) +
               " rows of " + std::to_string(cols) +
               " columns, where 1, one for each row, or so many for each row "
               "as cut it into equal blocks of a multiple of 4 columns are "
               "allowed"};
}

}  // namespace

std::vector<std::uint64_t> T2ScaleShape(const TernaryMatrix& matrix) {
  switch (matrix.group) {
    case ScaleGroup::kMatrix:
      return {1};
    case ScaleGroup::kRow:
      return {matrix.rows};
    case ScaleGroup::kBlock:
      break;
  }
  if (!IsBlock(matrix.block, matrix.cols)) return {};
  return {matrix.rows, matrix.cols / matrix.block};
}

MaybeFault UnpackT2Scales(const std::vector<std::uint64_t>& shape,
                          std::vector<float> scales, std::size_t rows,
                          std::size_t cols, T2Scales& unpacked) {
  unpacked = {};
  if (auto fault = FindGroup(shape, rows, cols, unpacked)) return fault;
  for (std::size_t i = 0; i < scales.size(); ++i) {
    if (auto fault = CheckScale(scales[i], i * sizeof(float))) return fault;
  }
  unpacked.scales = std::move(scales);
  return {};
}

MaybeFault CheckT2(std::span<const std::uint8_t> tiles, std::size_t rows,
                   std::size_t cols, const T2Scales& scales) {
  if (auto fault = CheckTiles(tiles, rows, cols)) return fault;
  if (scales.group != ScaleGroup::kMatrix || scales.scales[0] != 0) return {};
  const auto* found =
      std::find_if(tiles.data(), tiles.data() + tiles.size(),
                   [](std::uint8_t byte) { return byte != kZeroCodes; });
  if (found == tiles.data() + tiles.size()) return {};
  return Fault{"a weight that is not 0 under scale 0",
               static_cast<std::size_t>(found - tiles.data())};
}

MaybeFault UnpackT2(std::span<const std::uint8_t> tiles, std::size_t rows,
                    std::size_t cols, const T2Scales& scales,
                    TernaryMatrix& matrix) {
  if (auto fault = CheckT2(tiles, rows, cols, scales)) return fault;
  matrix = {.rows = rows,
            .cols = cols,
            .codes = {},
            .group = scales.group,
            .block = scales.block,
            .scales = scales.scales};
  UnpackTiles(tiles, matrix);
  WidenScales(matrix);
  return {};
}

MaybeFault PackT2(const TernaryMatrix& matrix,
                  std::vector<std::uint8_t>& tiles) {
  if (auto fault = CheckShape(matrix.rows, matrix.cols)) return fault;
  const std::vector<std::uint64_t> shape = T2ScaleShape(matrix);
  if (shape.empty()) {
    return Fault{"a scale for every " + std::to_string(matrix.block) + " of " +
                 std::to_string(matrix.cols) +
                 " columns, and T2 has equal blocks of a multiple of 4"};
  }
  T2Scales scales;
  if (auto fault = UnpackT2Scales(shape, matrix.scales, matrix.rows,
                                  matrix.cols, scales)) {
    return fault;
  }
  tiles.resize(TilesBytes(matrix.rows, matrix.cols));
  FillTiles(matrix, 0, matrix.rows, tiles.data());
  return CheckT2(tiles, matrix.rows, matrix.cols, scales);
}

}  // namespace tern::packing
