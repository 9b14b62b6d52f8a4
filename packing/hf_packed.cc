#include "packing/hf_packed.h"

#include <algorithm>
#include <array>
#include <cstring>

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

MaybeFault PackHf(const TernaryMatrix& matrix,
                  std::vector<std::uint8_t>& bytes) {
  if (matrix.group != ScaleGroup::kMatrix) {
    return Fault{
        "more than one scale, and the packed layout of Hugging Face has one "
        "for a matrix"};
  }
  if (auto fault = CheckScale(matrix.scales[0], 0)) return fault;
  const std::size_t row_bytes = TernaryMatrix::RowBytes(matrix.cols);
  const std::size_t packed_rows = (matrix.rows + 3) / 4;
  bytes.assign(HfPackedBytes(matrix.rows, matrix.cols), 0);
  for (std::size_t j = 0; j < packed_rows; ++j) {
    // 32 columns at once: runs[s] holds those of row s * packed_rows + j.
    for (std::size_t c = 0; c < matrix.cols; c += kInterleavedBytes) {
      const std::size_t count = std::min(matrix.cols - c, kInterleavedBytes);
      Runs runs{};
      for (std::size_t s = 0; s < 4; ++s) {
        const std::size_t row = s * packed_rows + j;
        if (row >= matrix.rows) continue;
        std::memcpy(&runs[s], matrix.codes.data() + row * row_bytes + c / 4,
                    (count + 3) / 4);
      }
      std::array<std::uint8_t, kInterleavedBytes> joined;
      JoinRuns(runs, joined.data());
      std::memcpy(bytes.data() + j * matrix.cols + c, joined.data(), count);
    }
  }
  return {};
}

}  // namespace tern::packing
