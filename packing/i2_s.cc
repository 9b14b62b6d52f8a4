#include "packing/i2_s.h"

#include <cstring>
#include <string>

#include "packing/checks.h"
#include "packing/interleave.h"

namespace tern::packing {
namespace {

constexpr std::size_t kBlock = 4 * kInterleavedBytes;  // weights, order A
constexpr std::size_t kShortBlock = kBlock / 2;        // order B

// The flat codes of all blocks, four in a byte, `codes` [bytes]; not zero if
// there was a code 3.
std::uint64_t UnpackBlocks(const std::uint8_t* from, std::size_t bytes,
                           std::uint8_t* codes) {
  std::uint64_t threes = 0;
  for (std::size_t b = 0; b < bytes; b += kInterleavedBytes) {
    const Runs runs = SplitRuns(from + b);
    threes |= CodeThrees(runs);
    // The first run is in the high bits, slot 3.
    const Runs in_order = {runs[3], runs[2], runs[1], runs[0]};
    std::memcpy(codes + b, in_order.data(), kInterleavedBytes);
  }
  return threes;
}

// Flat codes to rows that end with a whole byte; matrix.codes is all zero bits.
void SplitRows(const std::vector<std::uint8_t>& flat, TernaryMatrix& matrix) {
  const std::size_t row_bytes = TernaryMatrix::RowBytes(matrix.cols);
  std::size_t from = 0;
  for (std::size_t r = 0; r < matrix.rows; ++r) {
    std::uint8_t* row = matrix.codes.data() + r * row_bytes;
    for (std::size_t c = 0; c < 4 * row_bytes; ++c) {
      unsigned code = 1;
      if (c < matrix.cols) {
        code = (flat[from / 4] >> (2 * (from % 4))) & 3U;
        ++from;
      }
      row[c / 4] =
          static_cast<std::uint8_t>(row[c / 4] | code << (2 * (c % 4)));
    }
  }
}

// Orders A and B, one run of weights over all rows.  Not zero if there was a
// code 3.
std::uint64_t UnpackFlat(const std::uint8_t* from, I2SOrder order,
                         TernaryMatrix& matrix) {
  const std::size_t bytes = matrix.rows * matrix.cols / 4;
  const bool whole_bytes = matrix.cols % 4 == 0;
  std::vector<std::uint8_t> flat(whole_bytes ? 0 : bytes);
  std::uint8_t* to = whole_bytes ? matrix.codes.data() : flat.data();
  const std::uint64_t threes = order == I2SOrder::kB
                                   ? UnpackShortBlocks(from, bytes, true, to)
                                   : UnpackBlocks(from, bytes, to);
  if (!whole_bytes) SplitRows(flat, matrix);
  return threes;
}

// Order C.  Not zero if there was a code 3.
std::uint64_t UnpackRowsOfFour(const std::uint8_t* from,
                               TernaryMatrix& matrix) {
  const std::size_t row_bytes = TernaryMatrix::RowBytes(matrix.cols);
  std::uint64_t threes = 0;
  for (std::size_t r = 0; r < matrix.rows; r += 4) {
    std::uint8_t* first = matrix.codes.data() + r * row_bytes;
    // The first row is in the high bits, slot 3.
    threes |= UnpackFourRows(from + r / 4 * matrix.cols, matrix.cols,
                             {first + 3 * row_bytes, first + 2 * row_bytes,
                              first + row_bytes, first});
  }
  return threes;
}

MaybeFault CheckOrder(I2SOrder order, std::size_t rows, std::size_t cols) {
  if (order == I2SOrder::kC) {
    if (rows % 4 == 0) return {};
    return Fault{std::to_string(rows) + " rows, which is no multiple of 4"};
  }
  const std::size_t block = order == I2SOrder::kA ? kBlock : kShortBlock;
  if (rows * cols % block == 0) return {};
  return Fault{std::to_string(rows * cols) +
               " weights, which is no multiple of " + std::to_string(block)};
}

}  // namespace

MaybeFault UnpackI2S(std::span<const std::uint8_t> bytes, std::size_t rows,
                     std::size_t cols, TernaryMatrix& matrix, I2SOrder order) {
  if (auto fault = CheckShape(rows, cols)) return fault;
  if (auto fault = CheckOrder(order, rows, cols)) return fault;
  if (auto fault = CheckSize(bytes.size(), I2SBytes(rows, cols))) return fault;
  const std::size_t code_bytes = rows * cols / 4;
  float scale = 0;
  std::memcpy(&scale, bytes.data() + code_bytes, sizeof scale);
  if (auto fault = CheckScale(scale, code_bytes)) return fault;

  matrix = {
      .rows = rows,
      .cols = cols,
      .codes = std::vector<std::uint8_t>(rows * TernaryMatrix::RowBytes(cols)),
      .scales = {scale}};
  const std::uint64_t threes = order == I2SOrder::kC
                                   ? UnpackRowsOfFour(bytes.data(), matrix)
                                   : UnpackFlat(bytes.data(), order, matrix);
  if (threes != 0) return CodeThreeFault(bytes, 0, code_bytes);
  if (auto fault = CheckZeroScale(scale, matrix.codes, code_bytes)) {
    return fault;
  }
  WidenScales(matrix);
  return {};
}

MaybeFault PackI2S(const TernaryMatrix& matrix,
                   std::vector<std::uint8_t>& bytes) {
  if (auto fault = CheckShape(matrix.rows, matrix.cols)) return fault;
  if (matrix.cols % kBlock != 0) {
    return Fault{std::to_string(matrix.cols) +
                 " columns, which is no multiple of 128"};
  }
  if (matrix.group != ScaleGroup::kMatrix) {
    return Fault{"more than one scale, and I2_S holds one for a matrix"};
  }
  if (auto fault = CheckScale(matrix.scales[0], matrix.codes.size())) {
    return fault;
  }
  bytes.assign(I2SBytes(matrix.rows, matrix.cols), 0);
  for (std::size_t b = 0; b < matrix.codes.size(); b += kInterleavedBytes) {
    Runs runs;
    std::memcpy(runs.data(), matrix.codes.data() + b, kInterleavedBytes);
    JoinRuns({runs[3], runs[2], runs[1], runs[0]}, bytes.data() + b);
  }
  std::memcpy(bytes.data() + matrix.codes.size(), matrix.scales.data(),
              sizeof(float));
  return {};
}

}  // namespace tern::packing
