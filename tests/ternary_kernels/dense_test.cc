// Dense products against plain loops in double precision, on every target that
// this CPU has; and their results must not depend on how the work is split.
#include "ternary_kernels/dense.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "packing/half.h"
#include "packing/q8_0.h"
#include "tests/ternary_kernels/products.h"

namespace tern::kernels {
namespace {

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

constexpr std::array kTypes = {DenseType::kF32, DenseType::kF16,
                               DenseType::kBf16, DenseType::kQ8_0,
                               DenseType::kInt8x16};

// The next number of columns that the type can hold.
std::size_t ColsFor(DenseType type, std::size_t cols) {
  const std::size_t block = type == DenseType::kQ8_0      ? 32
                            : type == DenseType::kInt8x16 ? 16
                                                          : 1;
  return (cols + block - 1) / block * block;
}

// A matrix, inputs and the product of a call; what lies behind a row of x or y
// is NaN and no business of the product's.
struct Product {
  static constexpr std::size_t kGap = 3;

  Product(DenseType t, std::size_t r, std::size_t c, std::size_t n)
      : type(t), rows(r), cols(c), tokens(n) {}
  [[nodiscard]] DenseView View() const {
    return {type, w.bytes.data(), rows, cols};
  }
  [[nodiscard]] DenseArgs Args(std::size_t count, std::size_t row_begin,
                               std::size_t row_end,
                               std::vector<float>* y) const {
    return {.x = x.data(),
            .x_stride = cols + kGap,
            .tokens = count,
            .row_begin = row_begin,
            .row_end = row_end,
            .y = y->data(),
            .y_stride = rows + kGap};
  }
  [[nodiscard]] std::vector<float> NoOutput() const {
    return std::vector<float>(tokens * (rows + kGap), NAN);
  }
  [[nodiscard]] float X(std::size_t t, std::size_t c) const {
    return x[t * (cols + kGap) + c];
  }
  [[nodiscard]] float Of(const std::vector<float>& y, std::size_t t,
                         std::size_t r) const {
    return y[t * (rows + kGap) + r];
  }

  DenseType type;
  std::size_t rows;
  std::size_t cols;
  std::size_t tokens;
  Stored w;
  std::vector<float> x;  // [tokens][cols + kGap]
};

// Rounding of sums of up to 512 products: 4e-7 of their absolute values was
// seen, 1e-5 would be a lost product of these sizes.
void ExpectPlainSums(const Product& p, const std::vector<float>& y) {
  for (std::size_t t = 0; t < p.tokens; ++t) {
    for (std::size_t r = 0; r < p.rows; ++r) {
      double want = 0;
      double size = 0;
      for (std::size_t c = 0; c < p.cols; ++c) {
        const double product =
            static_cast<double>(p.w.values[r * p.cols + c]) * p.X(t, c);
        want += product;
        size += std::abs(product);
      }
      ASSERT_NEAR(p.Of(y, t, r), want, 1e-6 * size)
          << p.rows << " x " << p.cols << ", token " << t << ", row " << r;
    }
    for (std::size_t r = p.rows; r < p.rows + Product::kGap; ++r) {
      ASSERT_TRUE(std::isnan(p.Of(y, t, r))) << "written behind the rows";
    }
  }
}

class DenseTest : public EveryTarget {
 protected:
  void MatMul(const DenseView& w, const DenseArgs& args) {
    DenseMatMul(w, args, scratch_.Data());
  }
  std::vector<float> Random(std::size_t size) {
    std::normal_distribution<float> normal;
    std::vector<float> values(size);
    for (float& v : values) v = normal(random_);
    return values;
  }

  Product RandomProduct(DenseType type, std::size_t rows, std::size_t cols,
                        std::size_t tokens) {
    Product p(type, rows, ColsFor(type, cols), tokens);
    p.w = Store(type, Random(p.rows * p.cols), p.cols);
    p.x = Random(tokens * (p.cols + Product::kGap));
    for (std::size_t t = 0; t < tokens; ++t) {
      float* gap = p.x.data() + t * (p.cols + Product::kGap) + p.cols;
      std::fill_n(gap, Product::kGap, NAN);
    }
    return p;
  }

  std::mt19937 random_{1};
  AlignedBytes scratch_{kDenseScratchBytes};
};
INSTANTIATE_TEST_SUITE_P(Targets, DenseTest,
                         testing::ValuesIn(SupportedTargets()), TargetName);

TEST_P(DenseTest, EveryTypeAndShapeEqualsPlainLoops) {
  for (const DenseType type : kTypes) {
    for (const std::size_t rows : {1U, 3U, 4U, 69U}) {
      for (const std::size_t cols : {1U, 31U, 512U, 1043U}) {
        for (const std::size_t tokens : {1U, 2U, 5U, 7U, 33U, 40U}) {
          const Product p = RandomProduct(type, rows, cols, tokens);
          std::vector<float> y = p.NoOutput();
          MatMul(p.View(), p.Args(tokens, 0, rows, &y));
          ASSERT_NO_FATAL_FAILURE(ExpectPlainSums(p, y));
        }
      }
    }
  }
}

// The promise of dense.h, from one token to more than two tiles behind the
// number from which on panels are filled.
TEST_P(DenseTest, AnyNumberOfTokensGivesTheSameBits) {
  constexpr std::size_t kMost = 70;
  for (const DenseType type : kTypes) {
    const Product p = RandomProduct(type, 13, 700, kMost);
    std::vector<float> all = p.NoOutput();
    MatMul(p.View(), p.Args(kMost, 0, p.rows, &all));
    for (std::size_t tokens = 1; tokens < kMost; ++tokens) {
      std::vector<float> y = p.NoOutput();
      MatMul(p.View(), p.Args(tokens, 0, p.rows, &y));
      for (std::size_t t = 0; t < tokens; ++t) {
        for (std::size_t r = 0; r < p.rows; ++r) {
          ASSERT_EQ(p.Of(y, t, r), p.Of(all, t, r)) << tokens << " tokens";
        }
      }
    }
  }
}

TEST_P(DenseTest, AnySplitOfRowsGivesTheSameBits) {
  constexpr std::array<std::size_t, 7> kCuts = {0, 1, 6, 8, 71, 75, 150};
  for (const DenseType type : kTypes) {
    for (const std::size_t tokens : {1U, 4U, 38U}) {
      const Product p = RandomProduct(type, kCuts.back(), 600, tokens);
      std::vector<float> whole = p.NoOutput();
      MatMul(p.View(), p.Args(tokens, 0, p.rows, &whole));
      std::vector<float> parts = p.NoOutput();
      for (std::size_t i = 0; i + 1 < kCuts.size(); ++i) {
        MatMul(p.View(), p.Args(tokens, kCuts.at(i), kCuts.at(i + 1), &parts));
      }
      // As bytes: the gaps are NaN.
      ASSERT_EQ(
          std::memcmp(whole.data(), parts.data(), whole.size() * sizeof(float)),
          0);
    }
  }
}

// Whatever is not finite reaches the outputs that it belongs to and no others.
// (Not f16: SSE4 reads its infinities as 65536, so readers refuse them.)
TEST_P(DenseTest, InfinityAndNanStayWithTheirRowAndToken) {
  for (const std::size_t tokens : {3U, 39U}) {
    for (const float bad : {INFINITY, -INFINITY, NAN}) {
      Product p = RandomProduct(DenseType::kBf16, 10, 531, tokens);
      const std::uint16_t half = std::isnan(bad) ? 0x7FC0 : 0x7F80;
      std::memcpy(p.w.bytes.data() + 2 * (7 * p.cols + 530), &half, 2);
      p.x[2 * (p.cols + Product::kGap) + 529] = bad;
      std::vector<float> y = p.NoOutput();
      MatMul(p.View(), p.Args(tokens, 0, p.rows, &y));
      for (std::size_t t = 0; t < tokens; ++t) {
        for (std::size_t r = 0; r < p.rows; ++r) {
          ASSERT_EQ(std::isfinite(p.Of(y, t, r)), t != 2 && r != 7)
              << t << " " << r;
        }
      }
    }
  }
}

TEST_P(DenseTest, NoTokenAndNoRowWriteNothing) {
  const Product p = RandomProduct(DenseType::kF16, 5, 40, 2);
  std::vector<float> y = p.NoOutput();
  MatMul(p.View(), p.Args(0, 0, p.rows, &y));
  MatMul(p.View(), p.Args(2, 3, 3, &y));
  for (const float value : y) ASSERT_TRUE(std::isnan(value));
}

// Blocks of 16: rows that end in the middle of what Q8_0 calls a block.
TEST_P(DenseTest, BlocksOfSixteenAreReadExactly) {
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
        MatMul(view, {x.data(), cols, 1, r, r + 1, &y - r, rows});
        ASSERT_EQ(y, 2.0F * w.values[r * cols + c]) << cols << " " << c;
      }
    }
  }
}

TEST_P(DenseTest, DenseMatMulHandlesColumnsThatFillNoVector) {
  for (std::size_t cols = 1; cols <= 40; ++cols) {
    const Stored w = Store(DenseType::kF16, Random(cols), cols);
    const std::vector<float> x = Random(cols);
    float y = NAN;
    MatMul({DenseType::kF16, w.bytes.data(), 1, cols},
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

TEST_P(DenseTest, EveryF16AndBf16ValueIsReadExactly) {
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

}  // namespace
}  // namespace tern::kernels
