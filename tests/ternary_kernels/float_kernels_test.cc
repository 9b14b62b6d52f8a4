// The float kernels against plain loops in double precision, on every target
// that this CPU has; and their results must not depend on how the work is
// split.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "packing/half.h"
#include "packing/q8_0.h"
#include "ternary_kernels/attention.h"
#include "ternary_kernels/dense.h"
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

// A matrix in a stored type, and the numbers that it really holds.
struct Stored {
  std::vector<std::uint8_t> bytes;
  std::vector<float> values;
};

Stored Store(DenseType type, const std::vector<float>& w, std::size_t cols) {
  Stored stored;
  stored.values = w;
  stored.bytes.resize(w.size() / cols * DenseRowBytes(type, cols));
  for (std::size_t i = 0; i < w.size(); ++i) {
    std::uint16_t half = 0;
    switch (type) {
      case DenseType::kF32:
        std::memcpy(stored.bytes.data() + i * 4, &w[i], 4);
        break;
      case DenseType::kF16:
        half = packing::F32ToF16(w[i]);
        stored.values[i] = packing::F16ToF32(half);
        std::memcpy(stored.bytes.data() + i * 2, &half, 2);
        break;
      case DenseType::kBf16:
        half = packing::F32ToBf16(w[i]);
        stored.values[i] = packing::Bf16ToF32(half);
        std::memcpy(stored.bytes.data() + i * 2, &half, 2);
        break;
      case DenseType::kQ8_0: {
        if (i % cols != 0) break;
        const std::size_t row_bytes = packing::Q8RowBytes(cols);
        const std::span<std::uint8_t> row(
            stored.bytes.data() + i / cols * row_bytes, row_bytes);
        packing::QuantizeQ8({w.data() + i, cols}, row);
        packing::DequantizeQ8(row, {stored.values.data() + i, cols});
        break;
      }
      case DenseType::kInt8x16: {
        // A scale of its own for each block, of either sign.
        const std::size_t block = i / 16;
        const float scale = (block % 2 == 0 ? 0.01F : -0.03F) *
                            static_cast<float>(1 + block % 5);
        const float steps = std::round(w[i] / scale);
        const auto q =
            static_cast<std::int8_t>(std::clamp(steps, -128.0F, 127.0F));
        stored.values[i] = scale * static_cast<float>(q);
        std::memcpy(stored.bytes.data() + block * 20, &scale, 4);
        std::memcpy(stored.bytes.data() + block * 20 + 4 + i % 16, &q, 1);
        break;
      }
    }
  }
  return stored;
}

TEST_P(FloatKernels, DenseMatMulEqualsPlainLoops) {
  for (const DenseType type :
       {DenseType::kF32, DenseType::kF16, DenseType::kBf16, DenseType::kQ8_0,
        DenseType::kInt8x16}) {
    for (const std::size_t cols : {32U, 64U, 96U, 384U}) {
      const std::size_t rows = 7;
      const std::size_t tokens = 5;
      const Stored w = Store(type, Random(rows * cols), cols);
      const std::vector<float> x = Random(tokens * cols);
      std::vector<float> y(tokens * rows, NAN);
      DenseMatMul({type, w.bytes.data(), rows, cols},
                  {x.data(), cols, tokens, 0, rows, y.data(), rows});
      for (std::size_t t = 0; t < tokens; ++t) {
        for (std::size_t r = 0; r < rows; ++r) {
          double want = 0;
          for (std::size_t c = 0; c < cols; ++c) {
            want +=
                static_cast<double>(w.values[r * cols + c]) * x[t * cols + c];
          }
          EXPECT_NEAR(y[t * rows + r], want, 1e-4) << cols;
        }
      }
    }
  }
}

// Blocks of 16: rows that end in the middle of what Q8_0 calls a block.
TEST_P(FloatKernels, BlocksOfSixteenAreReadExactly) {
  for (const std::size_t cols : {16U, 48U, 80U, 256U}) {
    const std::size_t rows = 3;
    const Stored w = Store(DenseType::kInt8x16, Random(rows * cols), cols);
    ASSERT_EQ(w.bytes.size(), rows * cols / 16 * 20);
    const DenseView view{DenseType::kInt8x16, w.bytes.data(), rows, cols};
    std::vector<float> row(cols);
    for (std::size_t r = 0; r < rows; ++r) {
      DenseRow(view, r, row.data());
      for (std::size_t c = 0; c < cols; ++c) {
        ASSERT_EQ(row[c], w.values[r * cols + c]) << cols;
      }
      // One column at a time: the product has nothing to round.
      for (std::size_t c = 0; c < cols; ++c) {
        std::vector<float> x(cols);
        x[c] = 2.0F;
        float y = NAN;
        DenseMatMul(view, {x.data(), cols, 1, r, r + 1, &y - r, rows});
        ASSERT_EQ(y, 2.0F * w.values[r * cols + c]) << cols << " " << c;
      }
    }
  }
}

TEST_P(FloatKernels, DenseMatMulHandlesColumnsThatFillNoVector) {
  for (std::size_t cols = 1; cols <= 40; ++cols) {
    const Stored w = Store(DenseType::kF16, Random(cols), cols);
    const std::vector<float> x = Random(cols);
    float y = NAN;
    DenseMatMul({DenseType::kF16, w.bytes.data(), 1, cols},
                {x.data(), cols, 1, 0, 1, &y, 1});
    double want = 0;
    for (std::size_t c = 0; c < cols; ++c) {
      want += static_cast<double>(w.values[c]) * x[c];
    }
    EXPECT_NEAR(y, want, 1e-5) << cols;
    std::vector<float> row(cols);
    DenseRow({DenseType::kF16, w.bytes.data(), 1, cols}, 0, row.data());
    EXPECT_EQ(row, w.values) << cols;
  }
}

TEST_P(FloatKernels, EveryF16AndBf16ValueIsReadExactly) {
  for (const DenseType type : {DenseType::kF16, DenseType::kBf16}) {
    std::vector<std::uint16_t> bits(65536);
    for (std::size_t i = 0; i < bits.size(); ++i) {
      bits[i] = static_cast<std::uint16_t>(i);
    }
    std::vector<float> out(bits.size());
    DenseRow({type, reinterpret_cast<const std::uint8_t*>(bits.data()), 1,
              bits.size()},
             0, out.data());
    for (std::size_t i = 0; i < bits.size(); ++i) {
      const float want = type == DenseType::kF16 ? packing::F16ToF32(bits[i])
                                                 : packing::Bf16ToF32(bits[i]);
      if (!std::isfinite(want)) continue;  // readers refuse those
      ASSERT_EQ(std::memcmp(&out[i], &want, sizeof(want)), 0) << i;
    }
  }
}

TEST_P(FloatKernels, DenseResultsDoNotDependOnTheSplit) {
  const std::size_t rows = 11;
  const std::size_t tokens = 7;
  for (const DenseType type :
       {DenseType::kF32, DenseType::kF16, DenseType::kBf16, DenseType::kQ8_0,
        DenseType::kInt8x16}) {
    const bool blocks = type == DenseType::kQ8_0 || type == DenseType::kInt8x16;
    const std::size_t cols = blocks ? 96 : 100;
    const Stored w = Store(type, Random(rows * cols), cols);
    const DenseView view{type, w.bytes.data(), rows, cols};
    const std::vector<float> x = Random(tokens * cols);
    std::vector<float> at_once(tokens * rows);
    DenseMatMul(view, {x.data(), cols, tokens, 0, rows, at_once.data(), rows});
    std::vector<float> one_by_one(tokens * rows);
    for (std::size_t t = 0; t < tokens; ++t) {
      for (std::size_t r = 0; r < rows; ++r) {
        DenseMatMul(view, {x.data() + t * cols, cols, 1, r, r + 1,
                           one_by_one.data() + t * rows, rows});
      }
    }
    EXPECT_EQ(at_once, one_by_one);
  }
}

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

// Plain attention of one query.
std::vector<double> PlainAttention(const std::vector<float>& q,
                                   const std::vector<float>& k,
                                   const std::vector<float>& v,
                                   std::size_t positions, double scale) {
  const std::size_t dim = q.size();
  std::vector<double> weights(positions);
  double sum = 0;
  for (std::size_t p = 0; p < positions; ++p) {
    double dot = 0;
    for (std::size_t i = 0; i < dim; ++i) {
      dot += static_cast<double>(q[i]) * k[p * dim + i];
    }
    weights[p] = std::exp(dot * scale);
    sum += weights[p];
  }
  std::vector<double> out(dim);
  for (std::size_t p = 0; p < positions; ++p) {
    for (std::size_t i = 0; i < dim; ++i) {
      out[i] += weights[p] / sum * v[p * dim + i];
    }
  }
  return out;
}

TEST_P(FloatKernels, AttendEqualsPlainLoopsForEveryCacheType) {
  for (const std::size_t dim : {6U, 20U, 64U, 100U, 128U}) {
    for (const std::size_t positions : {1U, 2U, 17U, 130U}) {
      const std::vector<float> q = Random(2 * dim);
      const std::vector<float> k = Random(positions * dim);
      const std::vector<float> v = Random(positions * dim);
      const float scale = 0.125F;
      std::vector<float> scratch(2 * AttentionScratch(positions));
      std::vector<float> out(2 * dim);
      const auto check = [&](const HeadCache& cache, double tolerance) {
        Attend(cache,
               {positions, q.data(), 2, scale, scratch.data(), out.data()});
        for (std::size_t g = 0; g < 2; ++g) {
          const std::vector<float> query(
              q.begin() + static_cast<std::ptrdiff_t>(g * dim),
              q.begin() + static_cast<std::ptrdiff_t>((g + 1) * dim));
          const std::vector<double> want =
              PlainAttention(query, k, v, positions, scale);
          for (std::size_t i = 0; i < dim; ++i) {
            ASSERT_NEAR(out[g * dim + i], want[i], tolerance)
                << dim << " " << positions;
          }
        }
      };
      check({CacheType::kF32, k.data(), v.data(), nullptr, nullptr, dim}, 2e-5);
      std::vector<std::uint16_t> k16(k.size());
      std::vector<std::uint16_t> v16(v.size());
      ASSERT_TRUE(StoreF16(k.data(), k.size(), k16.data()));
      ASSERT_TRUE(StoreF16(v.data(), v.size(), v16.data()));
      check({CacheType::kF16, k16.data(), v16.data(), nullptr, nullptr, dim},
            5e-3);
      std::vector<std::int8_t> k8(k.size());
      std::vector<std::int8_t> v8(v.size());
      std::vector<float> k_scales(positions);
      std::vector<float> v_scales(positions);
      for (std::size_t p = 0; p < positions; ++p) {
        const std::size_t at = p * dim;
        ASSERT_TRUE(StoreQ8(&k[at], dim, &k8[at], &k_scales[p]));
        ASSERT_TRUE(StoreQ8(&v[at], dim, &v8[at], &v_scales[p]));
      }
      check({CacheType::kQ8, k8.data(), v8.data(), k_scales.data(),
             v_scales.data(), dim},
            5e-2);
    }
  }
}

TEST_P(FloatKernels, AttendSurvivesLargeScores) {
  const std::vector<float> q = {100, 100};
  const std::vector<float> k = {100, 100, -100, -100};
  const std::vector<float> v = {1, 2, 3, 4};
  std::vector<float> scratch(AttentionScratch(2));
  std::vector<float> out(2);
  Attend({CacheType::kF32, k.data(), v.data(), nullptr, nullptr, 2},
         {2, q.data(), 1, 1.0F, scratch.data(), out.data()});
  EXPECT_EQ(out, (std::vector<float>{1, 2}));
}

INSTANTIATE_TEST_SUITE_P(Targets, FloatKernels,
                         ::testing::ValuesIn(SupportedTargets()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace tern::kernels
