#include "packing/half.h"

#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace tern::packing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The value of a 16-bit float from its definition, for finite ones.
double Value(std::uint16_t bits, int exponent_bits) {
  const int mantissa_bits = 15 - exponent_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits & 0x7fff) >> mantissa_bits;
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double magnitude = exponent == 0
                               ? std::ldexp(mantissa, 1 - bias - mantissa_bits)
                               : std::ldexp(mantissa + (1 << mantissa_bits),
                                            exponent - bias - mantissa_bits);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

bool IsFinite(std::uint16_t bits, int exponent_bits) {
  const int mask = ((1 << exponent_bits) - 1) << (15 - exponent_bits);
  return (bits & mask) != mask;
}

// Rounds by asking the 16-bit neighbours of `value`, found from `guess`.
// Nearest wins, the even one on a tie; beyond the largest finite number the
// next power of two counts as infinity.
std::uint16_t RoundByNeighbours(float value, int exponent_bits) {
  const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(static_cast<double>(value));
  const int infinity = ((1 << exponent_bits) - 1) << (15 - exponent_bits);
  const auto value_of = [&](int bits) {
    return bits == infinity
               ? std::ldexp(1.0, 1 << (exponent_bits - 1))
               : Value(static_cast<std::uint16_t>(bits), exponent_bits);
  };
  int low = 0;  // the largest not above magnitude, by bisection
  int high = infinity + 1;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (value_of(middle) <= magnitude ? low : high) = middle;
  }
  if (low < infinity) {
    const double below = magnitude - value_of(low);
    const double above = value_of(low + 1) - magnitude;
    if (above < below || (above == below && low % 2 != 0)) ++low;
  }
  return static_cast<std::uint16_t>(sign | low);
}

TEST(F16, ReadsEveryValueExactly) {
  for (unsigned i = 0; i <= 0xffff; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float value = F16ToF32(bits);
    EXPECT_EQ(std::signbit(value), (bits & 0x8000) != 0) << i;
    if (IsFinite(bits, 5)) {
      EXPECT_EQ(value, Value(bits, 5)) << i;
    } else if ((bits & 0x3ff) == 0) {
      EXPECT_TRUE(std::isinf(value)) << i;
    } else {
      EXPECT_TRUE(std::isnan(value)) << i;
    }
  }
}

TEST(Bf16, ReadsEveryValueExactly) {
  for (unsigned i = 0; i <= 0xffff; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float value = Bf16ToF32(bits);
    EXPECT_EQ(std::signbit(value), (bits & 0x8000) != 0) << i;
    if (IsFinite(bits, 8)) {
      EXPECT_EQ(value, Value(bits, 8)) << i;
    } else if ((bits & 0x7f) == 0) {
      EXPECT_TRUE(std::isinf(value)) << i;
    } else {
      EXPECT_TRUE(std::isnan(value)) << i;
    }
  }
}

TEST(F16, WritesBackEveryValueItRead) {
  for (unsigned i = 0; i <= 0xffff; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const std::uint16_t back = F32ToF16(F16ToF32(bits));
    if (std::isnan(F16ToF32(bits))) {
      EXPECT_EQ(back, bits | 0x200) << i;  // quiet, the same otherwise
    } else {
      EXPECT_EQ(back, bits) << i;
    }
  }
}

TEST(Bf16, WritesBackEveryValueItRead) {
  for (unsigned i = 0; i <= 0xffff; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const std::uint16_t back = F32ToBf16(Bf16ToF32(bits));
    if (std::isnan(Bf16ToF32(bits))) {
      EXPECT_EQ(back, bits | 0x40) << i;
    } else {
      EXPECT_EQ(back, bits) << i;
    }
  }
}

// Between any two neighbours: the tie, and a hair to each side of it.
TEST(F16, RoundsToNearestAndTiesToEven) {
  for (unsigned i = 0; i < 0x7c00; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const double next = i == 0x7bff ? 65536 : Value(bits + 1, 5);
    const auto tie = static_cast<float>((Value(bits, 5) + next) / 2);
    for (const float value :
         {tie, std::nextafter(tie, 0.0F), std::nextafter(tie, kInfinity)}) {
      EXPECT_EQ(F32ToF16(value), RoundByNeighbours(value, 5)) << value;
      EXPECT_EQ(F32ToF16(-value), RoundByNeighbours(-value, 5)) << -value;
    }
  }
}

TEST(Bf16, RoundsToNearestAndTiesToEven) {
  for (unsigned i = 0; i < 0x7f80; ++i) {
    const float value =
        std::bit_cast<float>((static_cast<std::uint32_t>(i) << 16) + 0x8000U);
    for (const float x : {value, std::nextafter(value, 0.0F),
                          std::nextafter(value, kInfinity)}) {
      EXPECT_EQ(F32ToBf16(x), RoundByNeighbours(x, 8)) << x;
      EXPECT_EQ(F32ToBf16(-x), RoundByNeighbours(-x, 8)) << -x;
    }
  }
}

TEST(Half, RoundsRandomBitPatterns) {
  std::mt19937 random(7);
  for (int i = 0; i < 200000; ++i) {
    const auto value =
        std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (std::isnan(value)) continue;
    if (std::isinf(value)) continue;
    EXPECT_EQ(F32ToF16(value), RoundByNeighbours(value, 5)) << value;
    EXPECT_EQ(F32ToBf16(value), RoundByNeighbours(value, 8)) << value;
  }
}

TEST(Half, NamedCases) {
  EXPECT_EQ(F32ToF16(65504.0F), 0x7bff);
  EXPECT_EQ(F32ToF16(65519.996F), 0x7bff);
  EXPECT_EQ(F32ToF16(65520.0F), 0x7c00);
  EXPECT_EQ(F32ToF16(-kInfinity), 0xfc00);
  EXPECT_EQ(F32ToF16(0x1p-25F), 0x0000);  // a tie with 0, which is even
  EXPECT_EQ(F32ToF16(0x1.8p-24F), 0x0002);
  EXPECT_EQ(F32ToF16(-0.0F), 0x8000);
  EXPECT_EQ(F32ToF16(0x1.ffep-15F), 0x0400);  // subnormal carries to normal
  EXPECT_EQ(F32ToBf16(FLT_MAX), 0x7f80);
  EXPECT_EQ(F32ToBf16(-kInfinity), 0xff80);
  EXPECT_EQ(F32ToBf16(FLT_TRUE_MIN), 0x0000);
  // A NaN whose payload lies in the bits that are cut off stays a NaN.
  const auto nan = std::bit_cast<float>(0x7f800001U);
  EXPECT_TRUE(std::isnan(F16ToF32(F32ToF16(nan))));
  EXPECT_TRUE(std::isnan(Bf16ToF32(F32ToBf16(nan))));
}

}  // namespace
}  // namespace tern::packing
