#include "packing/q2_0.h"

#include <cstring>

#include "packing/checks.h"
#include "packing/f16_blocks.h"

namespace tern::packing {
namespace {

constexpr std::size_t kScaleBytes = 2;  // before the codes

// The codes are in canonical order already.
template <std::size_t kWeights>
std::uint64_t UnpackBlock(const std::uint8_t* block, std::uint8_t* codes) {
  unsigned threes = 0;
  for (std::size_t i = 0; i < kWeights / 4; ++i) {
    const unsigned byte = block[kScaleBytes + i];
    threes |= byte & (byte >> 1) & 0x55U;
    codes[i] = static_cast<std::uint8_t>(byte);
  }
  return threes;
}

template <std::size_t kWeights>
void PackBlock(const std::uint8_t* codes, std::uint8_t* block) {
  std::memcpy(block + kScaleBytes, codes, kWeights / 4);
}

template <std::size_t kWeights>
Fault FindFault(std::span<const std::uint8_t> bytes, std::size_t begin) {
  const std::size_t codes = begin + kScaleBytes;
  return CodeThreeFault(bytes, codes, codes + kWeights / 4);
}

template <std::size_t kWeights>
constexpr F16BlockFormat kFormatOf = {.name = kWeights == 64 ? "Q2_0" : "PQ2_0",
                                      .weights = kWeights,
                                      .bytes = kScaleBytes + kWeights / 4,
                                      .scale_at = 0,
                                      .unpack = UnpackBlock<kWeights>,
                                      .find_fault = FindFault<kWeights>,
                                      .pack = PackBlock<kWeights>};

const F16BlockFormat& Format(Q2Block block) {
  return block == Q2Block::k64 ? kFormatOf<64> : kFormatOf<128>;
}

}  // namespace

MaybeFault UnpackQ2(std::span<const std::uint8_t> bytes, std::size_t rows,
                    std::size_t cols, Q2Block block, TernaryMatrix& matrix) {
  return UnpackF16Blocks(Format(block), bytes, rows, cols, matrix);
}

MaybeFault PackQ2(const TernaryMatrix& matrix, Q2Block block,
                  std::vector<std::uint8_t>& bytes) {
  return PackF16Blocks(Format(block), matrix, bytes);
}

}  // namespace tern::packing
