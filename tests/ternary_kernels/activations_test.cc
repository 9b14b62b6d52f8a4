#include "ternary_kernels/activations.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/ternary_kernels/products.h"

namespace tern::kernels {
namespace {

class ActivationsTest : public EveryTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, ActivationsTest,
                         testing::ValuesIn(SupportedTargets()), TargetName);

struct Quantized {
  std::uint32_t scale_bits = 0;
  std::vector<std::int8_t> q;
  bool operator==(const Quantized&) const = default;
};

Quantized Quantize(const std::vector<float>& x) {
  Quantized result;
  result.q.resize(x.size(), 99);
  result.scale_bits = std::bit_cast<std::uint32_t>(
      QuantizeActivations(x.data(), x.size(), result.q.data()));
  return result;
}

Quantized ReferenceQuantize(const std::vector<float>& x) {
  Quantized result;
  result.q.resize(x.size(), 98);
  result.scale_bits = std::bit_cast<std::uint32_t>(
      reference::QuantizeActivations(x.data(), x.size(), result.q.data()));
  return result;
}

std::vector<float> RandomFloats(std::size_t size, float magnitude,
                                unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(size);
  for (float& value : x) {
    value = normal(random) * magnitude;
  }
  return x;
}

// The formula once more, in words of its own.
TEST(ReferenceTest, QuantizesByTheTrainingRule) {
  const std::vector<float> x = {0.3F, -1.7F, 0.0F, 1.0F, -0.01F};
  std::vector<std::int8_t> q(x.size());
  const float scale =
      reference::QuantizeActivations(x.data(), x.size(), q.data());
  EXPECT_EQ(scale, (1.0F / 1.7F) * 127.0F);
  EXPECT_EQ(q, (std::vector<std::int8_t>{22, -127, 0, 75, -1}));
}

TEST_P(ActivationsTest, EverySizeEqualsTheReference) {
  for (std::size_t size = 0; size <= 100; ++size) {
    const auto x = RandomFloats(size, 3.0F, static_cast<unsigned>(size));
    ASSERT_EQ(Quantize(x), ReferenceQuantize(x)) << size;
  }
  for (const std::size_t size : {2560, 6912, 6913}) {
    const auto x = RandomFloats(size, 3.0F, 1);
    ASSERT_EQ(Quantize(x), ReferenceQuantize(x)) << size;
  }
}

TEST_P(ActivationsTest, EveryMagnitudeEqualsTheReference) {
  for (int exponent = -149; exponent <= 125; ++exponent) {
    const auto x = RandomFloats(133, std::ldexp(1.0F, exponent), 2);
    ASSERT_EQ(Quantize(x), ReferenceQuantize(x)) << "2^" << exponent;
  }
}

// The largest value must come out as 127 whatever its bits: wherever
// fl(fl(1 / m) * 127) is rounded up, m times that is above 127.
TEST_P(ActivationsTest, NeverMinus128) {
  std::mt19937 random(3);
  int rounded_up = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::uint32_t mantissa =
        i < 4096 ? static_cast<std::uint32_t>(i) : random() % (1U << 23);
    const float m = std::bit_cast<float>(0x3F800000U | mantissa);
    const std::vector<float> x = {-m, m, 0.5F, -std::nextafter(m, 0.0F)};
    const Quantized result = Quantize(x);
    ASSERT_EQ(result.q[0], -127) << m;
    ASSERT_EQ(result.q[1], 127) << m;
    ASSERT_EQ(result.q[3], -127) << m;
    const auto scale =
        static_cast<double>(std::bit_cast<float>(result.scale_bits));
    if (scale * static_cast<double>(m) > 127.0) {
      ++rounded_up;
    }
  }
  EXPECT_GT(rounded_up, 1000);  // the case did occur
}

TEST_P(ActivationsTest, TiesGoToTheEvenNeighbour) {
  // A largest value of 127 gives the scale 1.
  std::vector<float> x = {127.0F};
  std::vector<std::int8_t> expected = {127};
  for (int k = -126; k < 126; ++k) {
    x.push_back(static_cast<float>(k) + 0.5F);
    expected.push_back(static_cast<std::int8_t>(k % 2 == 0 ? k : k + 1));
  }
  const Quantized result = Quantize(x);
  ASSERT_EQ(std::bit_cast<float>(result.scale_bits), 1.0F);
  EXPECT_EQ(result.q, expected);
}

TEST_P(ActivationsTest, TinyAndZeroInputsUseTheFloor) {
  const float floor_scale = (1.0F / 1e-5F) * 127.0F;
  for (const float value : {0.0F, -0.0F, 1e-45F, 1e-6F, 1e-5F}) {
    const Quantized result = Quantize(std::vector<float>(19, value));
    EXPECT_EQ(std::bit_cast<float>(result.scale_bits), floor_scale) << value;
    EXPECT_EQ(result, ReferenceQuantize(std::vector<float>(19, value)));
  }
}

TEST_P(ActivationsTest, WhatIsNotFiniteShowsInTheScale) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float odd : {infinity, -infinity, nan, -nan}) {
    for (std::size_t at = 0; at < 37; ++at) {
      auto x = RandomFloats(37, 1.0F, 4);
      x[at] = odd;
      if (std::isnan(odd)) {
        x[36 - at] = at == 18 ? odd : infinity;
      }
      const Quantized result = Quantize(x);
      const float scale = std::bit_cast<float>(result.scale_bits);
      EXPECT_TRUE(!std::isfinite(scale) || scale == 0.0F);
      for (const std::int8_t q : result.q) {
        ASSERT_GE(q, -127);
      }
      ASSERT_EQ(result, ReferenceQuantize(x)) << odd << " at " << at;
    }
  }
}

TEST_P(ActivationsTest, ScalingIsOneRoundingAStep) {
  std::mt19937 random(5);
  for (std::size_t size = 0; size <= 70; ++size) {
    std::vector<std::int32_t> sums(size);
    for (auto& sum : sums) {
      sum = static_cast<std::int32_t>(random());
    }
    const auto scales = RandomFloats(3 * size, 1.0F, 6);
    const auto start = RandomFloats(size, 1e8F, 7);
    const float multiplier = 0.0123F;
    std::vector<float> by_matrix(size);
    std::vector<float> by_row(size);
    std::vector<float> added = start;
    ScaleSums(sums.data(), size, multiplier, by_matrix.data());
    ScaleSumsByRow(sums.data(), scales.data(), size, multiplier, by_row.data());
    AddScaledSums(sums.data(), scales.data(), 3, size, multiplier,
                  added.data());
    for (std::size_t i = 0; i < size; ++i) {
      // volatile: no fused multiply-add here, whatever the compiler's flags.
      const volatile float sum = static_cast<float>(sums[i]);
      const volatile float row_scale = scales[i] * multiplier;
      const volatile float block_scale = scales[3 * i] * multiplier;
      const volatile float block = sum * block_scale;
      ASSERT_EQ(by_matrix[i], sum * multiplier);
      ASSERT_EQ(by_row[i], sum * row_scale);
      ASSERT_EQ(added[i], start[i] + block);
    }
  }
}

}  // namespace
}  // namespace tern::kernels
