// Dense products against plain loops in double precision, on every target that
// this CPU has; and their results must not depend on how the work is split.
#include "ternary_kernels/dense.h"

#include <algorithm>
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

  std::mt19937 random_{1};
  AlignedBytes scratch_{kDenseScratchBytes};
};
INSTANTIATE_TEST_SUITE_P(Targets, DenseTest,
                         testing::ValuesIn(SupportedTargets()), TargetName);

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

TEST_P(DenseTest, DenseMatMulEqualsPlainLoops) {
  for (const DenseType type :
       {DenseType::kF32, DenseType::kF16, DenseType::kBf16, DenseType::kQ8_0,
        DenseType::kInt8x16}) {
    for (const std::size_t cols : {32U, 64U, 96U, 384U}) {
      const std::size_t rows = 7;
      const std::size_t tokens = 5;
      const Stored w = Store(type, Random(rows * cols), cols);
      const std::vector<float> x = Random(tokens * cols);
      std::vector<float> y(tokens * rows, NAN);
      MatMul({type, w.bytes.data(), rows, cols},
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

TEST_P(DenseTest, DenseResultsDoNotDependOnTheSplit) {
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
    MatMul(view, {x.data(), cols, tokens, 0, rows, at_once.data(), rows});
    std::vector<float> one_by_one(tokens * rows);
    for (std::size_t t = 0; t < tokens; ++t) {
      for (std::size_t r = 0; r < rows; ++r) {
        MatMul(view, {x.data() + t * cols, cols, 1, r, r + 1,
                      one_by_one.data() + t * rows, rows});
      }
    }
    EXPECT_EQ(at_once, one_by_one);
  }
}

}  // namespace
}  // namespace tern::kernels
