// The float kernels against plain loops in double precision, on every target
// that this CPU has; and their results must not depend on how the work is
// split.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "packing/half.h"
#include "ternary_kernels/elementwise.h"
#include "ternary_kernels/targets.h"

namespace tern::kernels {
namespace {

class FloatKernels : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { ASSERT_TRUE(ForceTarget(GetParam())); }
  void TearDown() override {
    ASSERT_TRUE(ForceTarget(SupportedTargets().front()));
  }

  std::vector<float> Random(std::size_t size) {
    std::normal_distribution<float> normal;
    std::vector<float> values(size);
    for (float& v : values) v = normal(random_);
    return values;
  }

  std::mt19937 random_{1};
};

TEST_P(FloatKernels, RmsNormEqualsPlainLoops) {
  for (const std::size_t size : {1U, 15U, 64U, 777U}) {
    const std::vector<float> x = Random(size);
    const std::vector<float> weight = Random(size);
    std::vector<float> out(size);
    RmsNorm(x.data(), weight.data(), size, 1e-5F, out.data());
    double squares = 0;
    for (const float v : x) squares += static_cast<double>(v) * v;
    const double root = std::sqrt(squares / static_cast<double>(size) + 1e-5);
    for (std::size_t i = 0; i < size; ++i) {
      EXPECT_NEAR(out[i], weight[i] * x[i] / root, 1e-5);
    }
  }
}

TEST_P(FloatKernels, SquaredReluGateKeepsValuesThatF16CannotHold) {
  const std::vector<float> gate = {-2, 3, 1000, 0, -0.5F, 2, 1, 4, 5};
  const std::vector<float> up = {5, 2, 3, 7, 1, -1, 0.5F, 0.25F, 100};
  std::vector<float> out(gate.size());
  SquaredReluGate(gate.data(), up.data(), gate.size(), out.data());
  EXPECT_EQ(out, (std::vector<float>{0, 18, 3e6F, 0, 0, -4, 0.5F, 4, 2500}));
}

// Distance in units in the last place of float32 at `want`.
double UlpsFrom(float got, double want) {
  int exponent = 0;
  std::frexp(want, &exponent);
  const double ulp = std::ldexp(1.0, std::max(exponent - 24, -149));
  return std::abs(static_cast<double>(got) - want) / ulp;
}

std::vector<float> SiluOf(const std::vector<float>& x) {
  const std::vector<float> ones(x.size(), 1.0F);
  std::vector<float> out(x.size());
  SiluGate(x.data(), ones.data(), x.size(), out.data());
  return out;
}

TEST_P(FloatKernels, SiluGateIsAccurateWhereverItIsNotZero) {
  std::vector<float> x;
  for (double a = -112; a <= 112; a += 0.00137) {
    x.push_back(static_cast<float>(a));
  }
  for (int exponent = -149; exponent <= 127; ++exponent) {
    x.push_back(std::ldexp(1.37F, exponent));
    x.push_back(-x.back());
  }
  const std::vector<float> out = SiluOf(x);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double a = x[i];
    const double want = a / (1.0 + std::exp(-a));
    ASSERT_LE(UlpsFrom(out[i], want), 2.5) << x[i];
    worst = std::max(worst, UlpsFrom(out[i], want));
  }
  RecordProperty("worst", std::to_string(worst));
}

TEST_P(FloatKernels, SiluGateAtTheEndsOfTheNumbers) {
  const float inf = std::numeric_limits<float>::infinity();
  const float largest = std::numeric_limits<float>::max();
  const std::vector<float> x = {inf, -inf, largest, -largest, -200, 200, 0.0F};
  const std::vector<float> want = {inf, 0, largest, 0, 0, 200, 0};
  EXPECT_EQ(SiluOf(x), want);
}

// NaN stays in its place, and every size writes its elements only.
TEST_P(FloatKernels, SiluGateGatesEveryElement) {
  for (std::size_t size = 0; size <= 40; ++size) {
    std::vector<float> gate = Random(size);
    const std::vector<float> up = Random(size);
    if (size > 0) gate[size / 2] = NAN;
    const std::vector<float> silu = SiluOf(gate);
    gate.push_back(77);
    SiluGate(gate.data(), up.data(), size, gate.data());  // in place
    EXPECT_EQ(gate[size], 77);
    for (std::size_t i = 0; i < size; ++i) {
      if (i == size / 2) {
        EXPECT_TRUE(std::isnan(gate[i]));
      } else {
        EXPECT_EQ(gate[i], silu[i] * up[i]);
      }
    }
  }
}

TEST_P(FloatKernels, AddToAddsEveryElement) {
  const std::vector<float> y = Random(37);
  std::vector<float> x = Random(37);
  std::vector<float> want = x;
  for (std::size_t i = 0; i < x.size(); ++i) want[i] += y[i];
  AddTo(y.data(), x.size(), x.data());
  EXPECT_EQ(x, want);
}

TEST_P(FloatKernels, RotateHeadTurnsPairsHalfAHeadApart) {
  for (const std::size_t head_dim : {2U, 6U, 64U, 100U}) {
    const std::size_t half = head_dim / 2;
    std::vector<float> head = Random(head_dim);
    const std::vector<float> before = head;
    std::vector<float> cosine(half);
    std::vector<float> sine(half);
    for (std::size_t i = 0; i < half; ++i) {
      cosine[i] = std::cos(static_cast<float>(i));
      sine[i] = std::sin(static_cast<float>(i));
    }
    RotateHead(cosine.data(), sine.data(), head_dim, head.data());
    for (std::size_t i = 0; i < half; ++i) {
      const float a = before[i];
      const float b = before[half + i];
      EXPECT_NEAR(head[i], a * cosine[i] - b * sine[i], 1e-6);
      EXPECT_NEAR(head[half + i], b * cosine[i] + a * sine[i], 1e-6);
    }
  }
}

TEST_P(FloatKernels, StoreF16RoundsToNearestEven) {
  std::vector<float> x = Random(35);
  x.insert(x.end(), {0.0F, -0.0F, 1e-8F, 65504.0F, 6e-5F});
  std::vector<std::uint16_t> got(x.size());
  EXPECT_TRUE(StoreF16(x.data(), x.size(), got.data()));
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(got[i], packing::F32ToF16(x[i])) << x[i];
  }
}

TEST_P(FloatKernels, StoreQ8StaysWithinHalfAStep) {
  const std::vector<float> x = Random(64);
  std::vector<std::int8_t> q(x.size());
  float scale = 0;
  EXPECT_TRUE(StoreQ8(x.data(), x.size(), q.data(), &scale));
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_LE(std::abs(static_cast<float>(q[i]) * scale - x[i]),
              scale * 0.501F);
  }
  for (const float tiny : {0.0F, 1e-40F, 1e-37F}) {
    const std::vector<float> small(5, tiny);
    EXPECT_TRUE(StoreQ8(small.data(), small.size(), q.data(), &scale));
    EXPECT_EQ(scale, 0.0F);
    EXPECT_EQ(q[0], 0);
  }
  EXPECT_TRUE(
      StoreQ8(std::vector<float>{3e38F, -3e38F}.data(), 2, q.data(), &scale));
  EXPECT_EQ(q[0], 127);
  EXPECT_EQ(q[1], -127);
}

// What cannot be stored is noticed wherever it stands: in a vector or behind
// the last whole one.
TEST_P(FloatKernels, WhatACacheCannotHoldIsNoticed) {
  const float inf = std::numeric_limits<float>::infinity();
  for (std::size_t at = 0; at < 21; ++at) {
    std::vector<float> x = Random(21);
    std::vector<std::uint16_t> f16(x.size());
    std::vector<std::int8_t> q8(x.size());
    float scale = 0;
    EXPECT_TRUE(AllFinite(x.data(), x.size()));
    for (const float bad : {NAN, -NAN, inf, -inf}) {
      x[at] = bad;
      EXPECT_FALSE(AllFinite(x.data(), x.size())) << at;
      EXPECT_FALSE(StoreF16(x.data(), x.size(), f16.data())) << at;
      EXPECT_FALSE(StoreQ8(x.data(), x.size(), q8.data(), &scale)) << at;
    }
    x[at] = 65519.9F;
    EXPECT_TRUE(StoreF16(x.data(), x.size(), f16.data()));
    EXPECT_EQ(f16[at], 0x7BFF);  // 65504
    x[at] = -65520.0F;
    EXPECT_FALSE(StoreF16(x.data(), x.size(), f16.data())) << at;
  }
}

TEST_P(FloatKernels, SquaredReluGateKeepsNan) {
  const std::vector<float> gate(17, NAN);
  const std::vector<float> up(17, 1.0F);
  std::vector<float> out(17);
  SquaredReluGate(gate.data(), up.data(), gate.size(), out.data());
  for (const float v : out) EXPECT_TRUE(std::isnan(v));
}

INSTANTIATE_TEST_SUITE_P(Targets, FloatKernels,
                         ::testing::ValuesIn(SupportedTargets()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace tern::kernels
