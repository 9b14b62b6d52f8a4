#include "packing/q8_0.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "packing/half.h"
#include "tests/packing/expect_fault.h"

namespace tern::packing {
namespace {

// The definition, word for word, with std::round.
std::vector<std::uint8_t> QuantizeByDefinition(const std::vector<float>& row) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t b = 0; b < row.size(); b += 32) {
    float absmax = 0;
    for (std::size_t i = 0; i < 32; ++i) {
      absmax = std::max(absmax, std::fabs(row[b + i]));
    }
    const float d = absmax / 127;
    const float inverse = d != 0 ? 1 / d : 0;
    const std::uint16_t bits = F32ToF16(d);
    bytes.push_back(static_cast<std::uint8_t>(bits & 0xff));
    bytes.push_back(static_cast<std::uint8_t>(bits >> 8));
    for (std::size_t i = 0; i < 32; ++i) {
      bytes.push_back(static_cast<std::uint8_t>(
          static_cast<int>(std::round(row[b + i] * inverse))));
    }
  }
  return bytes;
}

TEST(Q8, WritesWhatTheDefinitionWrites) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 0.02F);
  std::vector<float> row(32 * 500);
  for (float& weight : row) weight = normal(random);
  std::fill_n(row.begin() + 64, 32, 0.0F);
  std::vector<std::uint8_t> bytes(Q8RowBytes(row.size()));
  EXPECT_SOUND(QuantizeQ8(row, bytes));
  EXPECT_EQ(bytes, QuantizeByDefinition(row));
}

TEST(Q8, RoundsHalvesAwayFromZero) {
  std::vector<float> row(32, 0.0F);
  row[0] = 127;  // d = 1
  row[1] = 0.5F;
  row[2] = -0.5F;
  row[3] = 2.5F;
  row[4] = 0.49999997F;
  row[5] = -126.5F;
  std::vector<std::uint8_t> bytes(34);
  EXPECT_SOUND(QuantizeQ8(row, bytes));
  const std::vector<int> expected = {127, 1, -1, 3, 0, -127, 0};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(static_cast<std::int8_t>(bytes[2 + i]), expected[i]) << i;
  }
}

TEST(Q8, ReadsScaleTimesValue) {
  std::vector<std::uint8_t> bytes(68);
  const std::uint16_t scale = F32ToF16(0.375F);
  std::memcpy(bytes.data() + 34, &scale, 2);
  for (int i = 0; i < 32; ++i) {
    bytes[2 + static_cast<std::size_t>(i)] = 99;  // scale 0
    bytes[36 + static_cast<std::size_t>(i)] =
        static_cast<std::uint8_t>(i * 8 - 128);
  }
  std::vector<float> row(64, -1);
  DequantizeQ8(bytes, row);
  for (int i = 0; i < 32; ++i) {
    EXPECT_EQ(row[static_cast<std::size_t>(i)], 0);
    EXPECT_EQ(row[32 + static_cast<std::size_t>(i)],
              0.375F * static_cast<float>(i * 8 - 128));
  }
}

// 1 / d would be infinite; all that f16 keeps of such a block is zeros.
TEST(Q8, TinyBlocksBecomeZeros) {
  std::vector<std::uint8_t> bytes(34, 0xee);
  EXPECT_SOUND(QuantizeQ8(std::vector<float>(32, 1e-38F), bytes));
  std::vector<float> row(32, -1);
  DequantizeQ8(bytes, row);
  EXPECT_EQ(row, std::vector<float>(32, 0.0F));
}

TEST(Q8, RefusesWeightsThatAreNotFiniteOrTooLarge) {
  std::vector<std::uint8_t> bytes(68);
  for (const float weight :
       {std::numeric_limits<float>::quiet_NaN(),
        -std::numeric_limits<float>::infinity(), 65520.0F * 127}) {
    std::vector<float> row(64, 1.0F);
    row[40] = weight;
    EXPECT_FAULT(QuantizeQ8(row, bytes), "columns from 32", 34);
  }
  std::vector<float> row(64, 65504.0F * 127);
  EXPECT_SOUND(QuantizeQ8(row, bytes));
}

}  // namespace
}  // namespace tern::packing
