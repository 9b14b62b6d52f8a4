#include "packing/tq1_0.h"

#include "packing/base3.h"
#include "packing/f16_blocks.h"

namespace tern::packing {
namespace {

// A block is three fields of base-3 bytes: 32 and 16 of five digits, 4 of four.
constexpr std::size_t kFives = 48;
constexpr std::size_t kSecond = 160;  // first weight of the second field
constexpr std::size_t kThird = 240;

std::uint64_t UnpackBlock(const std::uint8_t* block, std::uint8_t* codes) {
  return SplitDigits(block, 32, 5, codes) |
         SplitDigits(block + 32, 16, 5, codes + kSecond / 4) |
         SplitDigits(block + kFives, 4, 4, codes + kThird / 4);
}

void PackBlock(const std::uint8_t* codes, std::uint8_t* block) {
  JoinDigits(codes, 0, 32, 5, block);
  JoinDigits(codes, kSecond, 16, 5, block + 32);
  JoinDigits(codes, kThird, 4, 4, block + kFives);
}

Fault FindFault(std::span<const std::uint8_t> bytes, std::size_t begin) {
  return Base3Fault(bytes, begin, kFives);
}

constexpr F16BlockFormat kFormat = {.name = "TQ1_0",
                                    .weights = kTq1Block,
                                    .bytes = kTq1BlockBytes,
                                    .scale_at = kFives + 4,
                                    .unpack = UnpackBlock,
                                    .find_fault = FindFault,
                                    .pack = PackBlock};

}  // namespace

MaybeFault UnpackTq1(std::span<const std::uint8_t> bytes, std::size_t rows,
                     std::size_t cols, TernaryMatrix& matrix) {
  return UnpackF16Blocks(kFormat, bytes, rows, cols, matrix);
}

MaybeFault PackTq1(const TernaryMatrix& matrix,
                   std::vector<std::uint8_t>& bytes) {
  return PackF16Blocks(kFormat, matrix, bytes);
}

}  // namespace tern::packing
