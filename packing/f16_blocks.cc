#include "packing/f16_blocks.h"

#include <cstring>
#include <string>

#include "packing/checks.h"
#include "packing/half.h"
#include "packing/interleave.h"

namespace tern::packing {
namespace {

MaybeFault CheckCols(const F16BlockFormat& format, std::size_t cols) {
  if (cols % format.weights == 0) return {};
  return Fault{std::to_string(cols) + " columns, which is no multiple of " +
               std::to_string(format.weights)};
}

// f16 bits of a scale, which they must hold exactly.
MaybeFault PackScale(float scale, std::size_t offset, std::uint16_t& bits) {
  if (auto fault = CheckScale(scale, offset)) return fault;
  bits = F32ToF16(scale);
  if (F16ToF32(bits) == scale) return {};
  return Fault{"scale " + TextOf(scale) + ", which f16 cannot hold exactly",
               offset};
}

// The scale over row `row`, column `col`.
float ScaleAt(const TernaryMatrix& matrix, std::size_t row, std::size_t col) {
  switch (matrix.group) {
    case ScaleGroup::kMatrix:
      return matrix.scales[0];
    case ScaleGroup::kRow:
      return matrix.scales[row];
    case ScaleGroup::kBlock:
      break;
  }
  const std::size_t groups = (matrix.cols + matrix.block - 1) / matrix.block;
  return matrix.scales[row * groups + col / matrix.block];
}

bool AllZero(std::span<const std::uint8_t> codes) {
  for (const std::uint8_t byte : codes) {
    if (byte != kZeroCodes) return false;
  }
  return true;
}

bool HasCodeThree(std::span<const std::uint8_t> codes) {
  unsigned threes = 0;
  for (const std::uint8_t byte : codes) threes |= byte & (byte >> 1) & 0x55U;
  return threes != 0;
}

}  // namespace

MaybeFault UnpackF16Blocks(const F16BlockFormat& format,
                           std::span<const std::uint8_t> bytes,
                           std::size_t rows, std::size_t cols,
                           TernaryMatrix& matrix) {
  if (auto fault = CheckShape(rows, cols)) return fault;
  if (auto fault = CheckCols(format, cols)) return fault;
  const std::size_t blocks = rows * (cols / format.weights);
  if (auto fault = CheckSize(bytes.size(), blocks * format.bytes)) return fault;

  const std::size_t code_bytes = format.weights / 4;
  matrix = {.rows = rows,
            .cols = cols,
            .codes = std::vector<std::uint8_t>(blocks * code_bytes),
            .group = ScaleGroup::kBlock,
            .block = format.weights,
            .scales = std::vector<float>(blocks)};
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::size_t begin = b * format.bytes;
    if (format.unpack(bytes.data() + begin,
                      matrix.codes.data() + b * code_bytes) != 0) {
      return format.find_fault(bytes, begin);
    }
    const std::size_t scale_at = begin + format.scale_at;
    std::uint16_t bits = 0;
    std::memcpy(&bits, bytes.data() + scale_at, sizeof bits);
    matrix.scales[b] = F16ToF32(bits);
    if (auto fault = CheckScale(matrix.scales[b], scale_at)) return fault;
  }
  WidenScales(matrix);
  return {};
}

MaybeFault PackF16Blocks(const F16BlockFormat& format,
                         const TernaryMatrix& matrix,
                         std::vector<std::uint8_t>& bytes) {
  if (auto fault = CheckShape(matrix.rows, matrix.cols)) return fault;
  if (auto fault = CheckCols(format, matrix.cols)) return fault;
  if (matrix.group == ScaleGroup::kBlock &&
      matrix.block % format.weights != 0) {
    return Fault{"a scale for every " + std::to_string(matrix.block) +
                 " columns, and " + format.name + " has one for " +
                 std::to_string(format.weights)};
  }
  const std::size_t code_bytes = format.weights / 4;
  const std::size_t row_blocks = matrix.cols / format.weights;
  bytes.assign(matrix.rows * row_blocks * format.bytes, 0);
  for (std::size_t b = 0; b < matrix.rows * row_blocks; ++b) {
    const std::span codes(matrix.codes.data() + b * code_bytes, code_bytes);
    std::uint8_t* block = bytes.data() + b * format.bytes;
    const std::size_t scale_at = b * format.bytes + format.scale_at;
    if (HasCodeThree(codes)) {
      return Fault{"code 3, which no ternary weight has", b * format.bytes};
    }
    format.pack(codes.data(), block);
    std::uint16_t bits = 0;
    if (!AllZero(codes)) {
      const float scale =
          ScaleAt(matrix, b / row_blocks, b % row_blocks * format.weights);
      if (auto fault = PackScale(scale, scale_at, bits)) return fault;
    }
    std::memcpy(block + format.scale_at, &bits, sizeof bits);
  }
  return {};
}

}  // namespace tern::packing
