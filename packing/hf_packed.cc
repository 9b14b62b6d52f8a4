#include "packing/hf_packed.h"

#include <array>

#include "packing/checks.h"
#include "packing/interleave.h"

namespace tern::packing {
namespace {

// The first byte of packed row `begin`.. whose codes of `existing` rows
// (2 bits each, 3 where the row exists) hold a 3.
Fault FindCodeThree(std::span<const std::uint8_t> bytes, std::size_t begin,
                    unsigned existing) {
  while ((bytes[begin] & (bytes[begin] >> 1) & existing & 0x55U) == 0) ++begin;
  return CodeThreeFault(bytes, begin, begin + 1);
}

}  // namespace

MaybeFault UnpackHf(std::span<const std::uint8_t> bytes, std::size_t rows,
                    std::size_t cols, float scale, TernaryMatrix& matrix) {
  if (auto fault = CheckShape(rows, cols)) return fault;
  if (auto fault = CheckSize(bytes.size(), HfPackedBytes(rows, cols))) {
    return fault;
  }
  if (auto fault = CheckScale(scale, 0)) return fault;

  const std::size_t row_bytes = TernaryMatrix::RowBytes(cols);
  const std::size_t packed_rows = (rows + 3) / 4;
  matrix = {.rows = rows,
            .cols = cols,
            .codes = std::vector<std::uint8_t>(rows * row_bytes),
            .scales = {scale}};
  for (std::size_t j = 0; j < packed_rows; ++j) {
    std::array<std::uint8_t*, 4> out{};
    unsigned existing = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t row = i * packed_rows + j;
      if (row >= rows) continue;
      out[i] = matrix.codes.data() + row * row_bytes;
      existing |= 3U << (2 * i);
    }
    if (UnpackFourRows(bytes.data() + j * cols, cols, out) != 0) {
      return FindCodeThree(bytes, j * cols, existing);
    }
  }
  if (auto fault = CheckZeroScale(scale, matrix.codes, 0)) return fault;
  WidenScales(matrix);
  return {};
}

}  // namespace tern::packing
