#include "packing/q4_0.h"

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "packing/q8_0.h"
#include "tests/packing/expect_fault.h"
#include "tests/packing/stored.h"

namespace tern::packing {
namespace {

std::vector<std::uint8_t> RandomBlocks(const std::vector<float>& scales) {
  std::vector<std::uint8_t> bytes(scales.size() * 18);
  std::mt19937 random(4);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  for (std::size_t b = 0; b < scales.size(); ++b) {
    SetF16(bytes, b * 18, scales[b]);
  }
  return bytes;
}

// Weight i of a block: low nibbles first, then high ones, less 8, times d.
TEST(Q4, ReadsScaleTimesNibbleLessEight) {
  const std::vector<float> scales = {0.375F, -1.5F, 0, 0x1p-24F, 65504};
  const std::vector<std::uint8_t> bytes = RandomBlocks(scales);
  ASSERT_EQ(bytes.size(), Q4RowBytes(160));
  std::vector<float> row(160, 99);
  DequantizeQ4(bytes, row);
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::uint8_t byte = bytes[i / 32 * 18 + 2 + i % 16];
    const int nibble = i % 32 < 16 ? byte % 16 : byte / 16;
    EXPECT_EQ(row[i], scales[i / 32] * static_cast<float>(nibble - 8)) << i;
  }
}

TEST(Q4, AsQ8TheSameWeightsExactly) {
  const std::vector<std::uint8_t> bytes =
      RandomBlocks({0.375F, -1.5F, 0, 0x1p-24F, 65504});
  std::vector<std::uint8_t> q8(Q8RowBytes(160), 0xee);
  EXPECT_SOUND(Q4ToQ8(bytes, 160, q8));
  std::vector<float> expected(160);
  std::vector<float> row(160, 99);
  DequantizeQ4(bytes, expected);
  DequantizeQ8(q8, row);
  EXPECT_EQ(row, expected);
}

TEST(Q4, RefusesScalesThatAreNotFiniteAndWrongSizes) {
  std::vector<std::uint8_t> q8(Q8RowBytes(64));
  for (const float scale : {std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_FAULT(Q4ToQ8(RandomBlocks({1, scale}), 64, q8), "scale", 18);
  }
  std::vector<std::uint8_t> bytes = RandomBlocks({1, 1});
  EXPECT_FAULT(Q4ToQ8(bytes, 48, q8), "multiple of 32", 0);
  EXPECT_FAULT(Q4ToQ8(bytes, 96, q8), "needs 54", 0);
  q8.pop_back();
  EXPECT_FAULT(Q4ToQ8(bytes, 64, q8), "needs 68", 0);
}

}  // namespace
}  // namespace tern::packing
