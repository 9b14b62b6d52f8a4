#include "packing/tq2_0.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "packing/checks.h"
#include "packing/half.h"
#include "packing/interleave.h"

namespace tern::packing {
namespace {

constexpr std::size_t kCodeBytes = kTq2Block / 4;

// Codes [64] of one block; not zero if there was a code 3.
std::uint64_t UnpackCodes(const std::uint8_t* block, std::uint8_t* codes) {
  std::uint64_t threes = 0;
  for (std::size_t b = 0; b < kCodeBytes; b += kInterleavedBytes) {
    const Runs runs = SplitRuns(block + b);
    threes |= CodeThrees(runs);
    std::memcpy(codes + b, runs.data(), kInterleavedBytes);
  }
  return threes;
}

MaybeFault CheckCols(std::size_t cols) {
  if (cols % kTq2Block == 0) return {};
  return Fault{std::to_string(cols) + " columns, which is no multiple of 256"};
}

// f16 bits of a scale, which they must hold exactly.
MaybeFault PackScale(float scale, std::size_t offset, std::uint16_t& bits) {
  bits = F32ToF16(scale);
  if (F16ToF32(bits) == scale) return {};
  return Fault{
      "scale " + std::to_string(scale) + ", which f16 cannot hold exactly",
      offset};
}

}  // namespace

MaybeFault UnpackTq2(std::span<const std::uint8_t> bytes, std::size_t rows,
                     std::size_t cols, TernaryMatrix& matrix) {
  if (auto fault = CheckShape(rows, cols)) return fault;
  if (auto fault = CheckCols(cols)) return fault;
  if (auto fault = CheckSize(bytes.size(), Tq2Bytes(rows, cols))) return fault;

  const std::size_t blocks = rows * (cols / kTq2Block);
  matrix = {.rows = rows,
            .cols = cols,
            .codes = std::vector<std::uint8_t>(blocks * kCodeBytes),
            .group = ScaleGroup::kBlock,
            .block = kTq2Block,
            .scales = std::vector<float>(blocks)};
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::size_t begin = b * kTq2BlockBytes;
    const std::size_t end = begin + kCodeBytes;
    if (UnpackCodes(bytes.data() + begin,
                    matrix.codes.data() + b * kCodeBytes) != 0) {
      return CodeThreeFault(bytes, begin, end);
    }
    std::uint16_t bits = 0;
    std::memcpy(&bits, bytes.data() + end, sizeof bits);
    matrix.scales[b] = F16ToF32(bits);
    if (auto fault = CheckScale(matrix.scales[b], end)) return fault;
  }
  WidenScales(matrix);
  return {};
}

MaybeFault PackTq2(const TernaryMatrix& matrix,
                   std::vector<std::uint8_t>& bytes) {
  if (auto fault = CheckShape(matrix.rows, matrix.cols)) return fault;
  if (auto fault = CheckCols(matrix.cols)) return fault;
  if (matrix.group == ScaleGroup::kBlock && matrix.block != kTq2Block) {
    return Fault{"a scale for every " + std::to_string(matrix.block) +
                 " columns, and TQ2_0 has one for 256"};
  }
  const std::size_t row_blocks = matrix.cols / kTq2Block;
  bytes.resize(Tq2Bytes(matrix.rows, matrix.cols));
  for (std::size_t b = 0; b < matrix.rows * row_blocks; ++b) {
    const std::uint8_t* codes = matrix.codes.data() + b * kCodeBytes;
    std::uint8_t* block = bytes.data() + b * kTq2BlockBytes;
    std::uint64_t nonzero = 0;
    for (std::size_t half = 0; half < kCodeBytes; half += kInterleavedBytes) {
      Runs runs;
      std::memcpy(runs.data(), codes + half, kInterleavedBytes);
      for (const std::uint64_t run : runs) nonzero |= run ^ kZeroCodes8;
      JoinRuns(runs, block + half);
    }
    std::size_t group = 0;
    if (matrix.group == ScaleGroup::kRow) group = b / row_blocks;
    if (matrix.group == ScaleGroup::kBlock) group = b;
    std::uint16_t bits = 0;
    if (nonzero != 0) {
      auto fault = PackScale(matrix.scales[group],
                             b * kTq2BlockBytes + kCodeBytes, bits);
      if (fault.has_value()) return fault;
    }
    std::memcpy(block + kCodeBytes, &bits, sizeof bits);
  }
  return {};
}

}  // namespace tern::packing
