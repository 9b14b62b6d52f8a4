#include "packing/ptq1_0.h"

#include "packing/base3.h"
#include "packing/f16_blocks.h"

namespace tern::packing {
namespace {

// A block is three fields of base-3 bytes: 16 and 8 of five digits, 2 of four.
constexpr std::size_t kFives = 24;
constexpr std::size_t kSecond = 80;  // first weight of the second field
constexpr std::size_t kThird = 120;

std::uint64_t UnpackBlock(const std::uint8_t* block, std::uint8_t* codes) {
  // Two bytes give two codes of each run: half a canonical byte.
  const std::uint64_t word =
      kBase3Digits[block[kFives]] | kBase3Digits[block[kFives + 1]] << 2;
  codes[kThird / 4] = static_cast<std::uint8_t>(word | word >> 4);
  codes[kThird / 4 + 1] = static_cast<std::uint8_t>(word >> 16 | word >> 20);
  return SplitDigits(block, 16, 5, codes) |
         SplitDigits(block + 16, 8, 5, codes + kSecond / 4) | word >> 32;
}

Fault FindFault(std::span<const std::uint8_t> bytes, std::size_t begin) {
  return Base3Fault(bytes, begin, kFives);
}

constexpr F16BlockFormat kFormat = {.name = "PTQ1_0",
                                    .weights = kPtq1Block,
                                    .bytes = kPtq1BlockBytes,
                                    .scale_at = kFives + 2,
                                    .unpack = UnpackBlock,
                                    .find_fault = FindFault,
                                    .pack = nullptr};

}  // namespace

MaybeFault UnpackPtq1(std::span<const std::uint8_t> bytes, std::size_t rows,
                      std::size_t cols, TernaryMatrix& matrix) {
  return UnpackF16Blocks(kFormat, bytes, rows, cols, matrix);
}

}  // namespace tern::packing
