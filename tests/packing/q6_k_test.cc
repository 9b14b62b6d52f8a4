#include "packing/q6_k.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "packing/half.h"
#include "tests/packing/expect_fault.h"
#include "tests/packing/stored.h"

namespace tern::packing {
namespace {

struct Blocks {
  std::vector<float> d;
  std::vector<int> scales;  // [blocks][16]
  std::vector<int> values;  // [blocks][256], -32..31
};

Blocks RandomBlocks(const std::vector<float>& d) {
  Blocks blocks{d, {}, {}};
  std::mt19937 random(6);
  for (std::size_t i = 0; i < d.size() * 16; ++i) {
    blocks.scales.push_back(static_cast<int>(random() % 256) - 128);
  }
  for (std::size_t i = 0; i < d.size() * 256; ++i) {
    blocks.values.push_back(static_cast<int>(random() % 64) - 32);
  }
  return blocks;
}

// One weight at a time, the way round that a writer goes: the low 4 bits of
// value + 32 into a nibble, the high 2 into a pair of bits.
std::vector<std::uint8_t> StoredQ6(const Blocks& blocks) {
  std::vector<std::uint8_t> bytes(blocks.d.size() * 210);
  for (std::size_t i = 0; i < blocks.values.size(); ++i) {
    const auto value = static_cast<unsigned>(blocks.values[i] + 32);
    const std::size_t block = i / 256 * 210;
    const std::size_t half = i % 256 / 128;
    const std::size_t quarter = i % 128 / 32;
    const std::size_t low = half * 64 + i % 64;
    std::uint8_t& nibbles = bytes[block + low];
    nibbles = static_cast<std::uint8_t>(nibbles | (value % 16)
                                                      << (quarter < 2 ? 0 : 4));
    SetSlot(bytes, block + 128 + half * 32 + i % 32, quarter, value / 16);
  }
  for (std::size_t i = 0; i < blocks.scales.size(); ++i) {
    bytes[i / 16 * 210 + 192 + i % 16] =
        static_cast<std::uint8_t>(blocks.scales[i]);
  }
  for (std::size_t b = 0; b < blocks.d.size(); ++b) {
    SetF16(bytes, b * 210 + 208, blocks.d[b]);
  }
  return bytes;
}

const std::vector<float> kD = {0.0123F, -2, 0, 0x1p-24F, 65504, 0x1.ffcp-10F};

// In double nothing is rounded: 11 + 8 + 6 bits.
TEST(Q6, ReadsScaleTimesScaleTimesValue) {
  const Blocks blocks = RandomBlocks(kD);
  const std::vector<std::uint8_t> bytes = StoredQ6(blocks);
  ASSERT_EQ(bytes.size(), Q6RowBytes(blocks.values.size()));
  std::vector<float> row(blocks.values.size(), 99);
  DequantizeQ6(bytes, row);
  for (std::size_t i = 0; i < row.size(); ++i) {
    const double d = F16ToF32(F32ToF16(kD[i / 256]));
    const double exact = d * blocks.scales[i / 16] * blocks.values[i];
    EXPECT_EQ(row[i], static_cast<float>(exact)) << i;
  }
}

TEST(Q6, AsInt8x16TheSameWeightsExactly) {
  const Blocks blocks = RandomBlocks(kD);
  const std::size_t cols = blocks.values.size();
  std::vector<std::uint8_t> out(Int8x16RowBytes(cols), 0xee);
  EXPECT_SOUND(Q6ToInt8x16(StoredQ6(blocks), cols, out));
  for (std::size_t g = 0; g < cols / 16; ++g) {
    float scale = 0;
    std::memcpy(&scale, out.data() + g * 20, sizeof scale);
    const double d = F16ToF32(F32ToF16(kD[g / 16]));
    EXPECT_EQ(static_cast<double>(scale), d * blocks.scales[g]) << g;
    for (std::size_t i = 0; i < 16; ++i) {
      EXPECT_EQ(static_cast<std::int8_t>(out[g * 20 + 4 + i]),
                blocks.values[g * 16 + i])
          << g << ' ' << i;
    }
  }
}

// f16 times int8 must never round, or the two forms would differ.
TEST(Q6, EveryProductOfTheScalesIsExact) {
  for (unsigned bits = 0; bits < 0x7c00; ++bits) {
    const float d = F16ToF32(static_cast<std::uint16_t>(bits));
    for (const int scale : {-128, -127, 127, 101, 85, 3}) {
      const float product = d * static_cast<float>(scale);
      ASSERT_EQ(static_cast<double>(product), static_cast<double>(d) * scale);
    }
  }
}

TEST(Q6, RefusesAScaleThatIsNotFiniteAndWrongSizes) {
  std::vector<std::uint8_t> out(Int8x16RowBytes(512));
  for (const float d : {std::numeric_limits<float>::infinity(),
                        std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_FAULT(Q6ToInt8x16(StoredQ6(RandomBlocks({1, d})), 512, out), "scale",
                 210 + 208);
  }
  const std::vector<std::uint8_t> bytes = StoredQ6(RandomBlocks({1, 1}));
  EXPECT_FAULT(Q6ToInt8x16(bytes, 384, out), "multiple of 256", 0);
  EXPECT_FAULT(Q6ToInt8x16(bytes, 256, out), "needs 210", 0);
  out.pop_back();
  EXPECT_FAULT(Q6ToInt8x16(bytes, 512, out), "needs 640", 0);
}

}  // namespace
}  // namespace tern::packing
