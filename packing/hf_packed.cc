#include "packing/hf_packed.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "packing/checks.h"
#include "packing/interleave.h"

namespace tern::packing {
namespace {

// One packed row, `from` [cols], into the up to four output rows that it holds,
// each [RowBytes(cols)]; rows beyond the matrix are null.  Not zero if an
// existing row has a code 3.
std::uint64_t UnpackRow(const std::uint8_t* from, std::size_t cols,
                        const std::array<std::uint8_t*, 4>& rows) {
  std::uint64_t threes = 0;
  for (std::size_t c = 0; c < cols; c += kInterleavedBytes) {
    const std::size_t count = std::min(cols - c, kInterleavedBytes);
    std::array<std::uint8_t, kInterleavedBytes> tail;
    const std::uint8_t* bytes = from + c;
    if (count < kInterleavedBytes) {  // the end of a row: pad with zeros
      tail.fill(kZeroCodes);
      std::memcpy(tail.data(), bytes, count);
      bytes = tail.data();
    }
    const Runs runs = SplitRuns(bytes);
    for (std::size_t i = 0; i < 4; ++i) {
      if (rows[i] == nullptr) continue;
      threes |= CodeThrees(runs[i]);
      if (count == kInterleavedBytes) {
        std::memcpy(rows[i] + c / 4, &runs[i], 8);
      } else {
        std::memcpy(rows[i] + c / 4, &runs[i], TernaryMatrix::RowBytes(count));
      }
    }
  }
  return threes;
}

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
    if (UnpackRow(bytes.data() + j * cols, cols, out) != 0) {
      return FindCodeThree(bytes, j * cols, existing);
    }
  }
  if (auto fault = CheckZeroScale(scale, matrix.codes, 0)) return fault;
  WidenScales(matrix);
  return {};
}

}  // namespace tern::packing
