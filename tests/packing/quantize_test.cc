#include "packing/quantize.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/packing/expect_fault.h"
#include "tests/packing/weights.h"

namespace tern::packing {
namespace {

// The definition, with std::nearbyint (half to even in the default mode).
Weights TernarizeByDefinition(const std::vector<float>& weights,
                              std::size_t rows, std::size_t cols) {
  double sum = 0;
  for (const float w : weights) sum += std::fabs(static_cast<double>(w));
  const auto mean =
      static_cast<float>(sum / static_cast<double>(weights.size()));
  const float s = 1 / std::max(mean, 1e-5F);
  Weights result = ZeroWeights(rows, cols);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    result.trits[i] =
        static_cast<int>(std::clamp(std::nearbyint(weights[i] * s), -1.F, 1.F));
  }
  return result;
}

TEST(Absmean, FollowsTheDefinition) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal(0, 0.02F);
  for (const std::size_t cols : {1, 3, 4, 37, 256}) {
    std::vector<float> weights(29 * cols);
    for (float& weight : weights) weight = normal(random);
    TernaryMatrix matrix;
    EXPECT_SOUND(TernarizeAbsmean(weights, 29, cols, matrix));
    ASSERT_EQ(matrix.scales.size(), 1U);
    EXPECT_EQ(matrix, Canonical(TernarizeByDefinition(weights, 29, cols),
                                matrix.scales[0]));
  }
}

// Mean 1, so s = 1 and the weights are what is rounded.
TEST(Absmean, RoundsHalvesToEven) {
  const std::vector<float> weights = {0.5F,  -0.5F,           1.5F,
                                      -1.5F, 0.5F + 0x1p-24F, -0.5F - 0x1p-24F,
                                      2.5F,  0.5F - 0x1p-23F};
  TernaryMatrix matrix;
  EXPECT_SOUND(TernarizeAbsmean(weights, 1, 8, matrix));
  Weights expected = ZeroWeights(1, 8);
  expected.trits = {0, 0, 1, -1, 1, -1, 1, 0};
  EXPECT_EQ(matrix, Canonical(expected, 1));
}

TEST(Absmean, ScaleIsTheReciprocalOfTheReciprocal) {
  const std::vector<float> weights(8, 0.3F);
  TernaryMatrix matrix;
  EXPECT_SOUND(TernarizeAbsmean(weights, 2, 4, matrix));
  const float s = 1.0F / 0.3F;
  EXPECT_EQ(matrix.scales, std::vector<float>{1.0F / s});
}

// Mean 2.5e-6 counts as 1e-5: 1e-5 rounds to 1, 2e-6 to 0.
TEST(Absmean, SmallMeansCountAsTheFloor) {
  std::vector<float> weights(16, 0.0F);
  weights[0] = 1e-5F;
  weights[1] = -2e-5F;
  weights[2] = 4e-6F;
  TernaryMatrix matrix;
  EXPECT_SOUND(TernarizeAbsmean(weights, 4, 4, matrix));
  Weights expected = ZeroWeights(4, 4);
  expected.trits[0] = 1;
  expected.trits[1] = -1;
  const float s = 1.0F / 1e-5F;
  EXPECT_EQ(matrix, Canonical(expected, 1.0F / s));
}

TEST(Absmean, ZerosStayZeros) {
  TernaryMatrix matrix;
  EXPECT_SOUND(TernarizeAbsmean(std::vector<float>(12), 3, 4, matrix));
  EXPECT_EQ(matrix, Canonical(ZeroWeights(3, 4), 0));
}

TEST(Absmean, RefusesNanAndInfinityByPlace) {
  TernaryMatrix matrix;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          -std::numeric_limits<float>::infinity()}) {
    std::vector<float> weights(15, 1.0F);
    weights[5 + 3] = bad;
    EXPECT_FAULT(TernarizeAbsmean(weights, 3, 5, matrix), "row 1, column 3",
                 8 * 4);
    std::swap(weights[8], weights[14]);  // past the last whole eight
    EXPECT_FAULT(TernarizeAbsmean(weights, 3, 5, matrix), "row 2, column 4",
                 14 * 4);
  }
}

TEST(Absmean, RefusesWrongSizes) {
  TernaryMatrix matrix;
  EXPECT_FAULT(TernarizeAbsmean(std::vector<float>(5), 2, 3, matrix),
               "20 bytes", 0);
  EXPECT_FAULT(TernarizeAbsmean({}, 0, 3, matrix), "empty", 0);
}

TEST(Absmean, LargestFloatsDoNotOverflow) {
  TernaryMatrix matrix;
  const MaybeFault fault =
      TernarizeAbsmean(std::vector<float>(8, FLT_MAX), 2, 4, matrix);
  if (fault.has_value()) {
    EXPECT_NE(fault->what.find("scale"), std::string::npos);
  } else {
    EXPECT_TRUE(std::isfinite(matrix.scales[0]));
  }
}

}  // namespace
}  // namespace tern::packing
