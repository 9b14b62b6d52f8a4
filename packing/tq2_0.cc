#include "packing/tq2_0.h"

#include <cstring>

#include "packing/checks.h"
#include "packing/f16_blocks.h"
#include "packing/interleave.h"

namespace tern::packing {
namespace {

constexpr std::size_t kCodeBytes = kTq2Block / 4;

std::uint64_t UnpackBlock(const std::uint8_t* block, std::uint8_t* codes) {
  std::uint64_t threes = 0;
  for (std::size_t b = 0; b < kCodeBytes; b += kInterleavedBytes) {
    const Runs runs = SplitRuns(block + b);
    threes |= CodeThrees(runs);
    std::memcpy(codes + b, runs.data(), kInterleavedBytes);
  }
  return threes;
}

void PackBlock(const std::uint8_t* codes, std::uint8_t* block) {
  for (std::size_t b = 0; b < kCodeBytes; b += kInterleavedBytes) {
    Runs runs;
    std::memcpy(runs.data(), codes + b, kInterleavedBytes);
    JoinRuns(runs, block + b);
  }
}

Fault FindFault(std::span<const std::uint8_t> bytes, std::size_t begin) {
  return CodeThreeFault(bytes, begin, begin + kCodeBytes);
}

constexpr F16BlockFormat kFormat = {.name = "TQ2_0",
                                    .weights = kTq2Block,
                                    .bytes = kTq2BlockBytes,
                                    .scale_at = kCodeBytes,
                                    .unpack = UnpackBlock,
                                    .find_fault = FindFault,
                                    .pack = PackBlock};

}  // namespace

MaybeFault UnpackTq2(std::span<const std::uint8_t> bytes, std::size_t rows,
                     std::size_t cols, TernaryMatrix& matrix) {
  return UnpackF16Blocks(kFormat, bytes, rows, cols, matrix);
}

MaybeFault PackTq2(const TernaryMatrix& matrix,
                   std::vector<std::uint8_t>& bytes) {
  return PackF16Blocks(kFormat, matrix, bytes);
}

}  // namespace tern::packing
