#include "ternary_kernels/matvec.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "tests/ternary_kernels/products.h"

namespace tern::kernels {
namespace {

using Sums = std::vector<std::int32_t>;

constexpr std::int32_t kUntouched = -77777777;

class MatVecTest : public EveryTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, MatVecTest,
                         testing::ValuesIn(SupportedTargets()), TargetName);

AlignedBytes Tables(const std::vector<std::int8_t>& x) {
  AlignedBytes tables(NibbleTableBytes(x.size()));
  BuildNibbleTables(x.data(), x.size(), tables.Data());
  return tables;
}

Sums Product(const TernaryView& w, const std::vector<std::int8_t>& x) {
  Sums sums(w.rows, kUntouched);
  MatVec(w, Tables(x).Data(), 0, w.rows, 0, w.cols, sums.data());
  return sums;
}

// The plain loops read tiles; this reads what the tiles were made from.
TEST(ReferenceTest, MatVecIsTheSumOverCodes) {
  const CodeAt code = [](std::size_t r, std::size_t c) {
    return static_cast<unsigned>((r * 7 + c * c) % 3);
  };
  const Weights weights(67, 45, code);
  const auto x = RandomActivations(45, 1);
  const Sums sums = ReferenceProduct(weights.View(), x.data());
  for (std::size_t r = 0; r < 67; ++r) {
    int expected = 0;
    for (std::size_t c = 0; c < 45; ++c) {
      expected += (static_cast<int>(code(r, c)) - 1) * x[c];
    }
    ASSERT_EQ(sums[r], expected) << "row " << r;
  }
}

TEST_P(MatVecTest, EverySmallColumnCount) {
  for (std::size_t cols = 1; cols <= 300; ++cols) {
    const Weights weights = RandomWeights(65, cols, 1);
    const auto x = RandomActivations(cols, 2);
    ASSERT_EQ(Product(weights.View(), x),
              ReferenceProduct(weights.View(), x.data()))
        << cols << " columns";
  }
}

TEST_P(MatVecTest, ColumnCountsOfModels) {
  for (const std::size_t cols : {2560, 6912, 8640, 23040, 30720}) {
    const Weights weights = RandomWeights(66, cols, 3);
    const auto x = RandomActivations(cols, 4);
    ASSERT_EQ(Product(weights.View(), x),
              ReferenceProduct(weights.View(), x.data()))
        << cols << " columns";
  }
}

TEST_P(MatVecTest, EveryRowCount) {
  for (const std::size_t rows : {1, 2, 63, 64, 65, 127, 128, 129, 130, 191, 192,
                                 255, 256, 257, 319, 320, 640}) {
    const Weights weights = RandomWeights(rows, 132, 5);
    const auto x = RandomActivations(132, 6);
    ASSERT_EQ(Product(weights.View(), x),
              ReferenceProduct(weights.View(), x.data()))
        << rows << " rows";
  }
}

TEST_P(MatVecTest, ExtremeSumsDoNotWrap) {
  for (const Named& product : ExtremeProducts()) {
    for (const std::size_t cols : {31, 256, 2560, 30720}) {
      // 320 rows: on vectors of 512 bits four strips at once, and one alone.
      const std::size_t rows = cols > 256 ? 65 : 320;
      const Weights weights(rows, cols, product.code);
      const auto x = Activations(cols, product.value);
      ASSERT_EQ(Product(weights.View(), x),
                ReferenceProduct(weights.View(), x.data()))
          << product.name << ", " << cols << " columns";
    }
  }
}

TEST_P(MatVecTest, ExtremeSumsOfManyStripsDoNotWrap) {
  for (const Named& product : ExtremeProducts()) {
    const Weights weights(256, 1088, product.code);
    const auto x = Activations(1088, product.value);
    ASSERT_EQ(Product(weights.View(), x),
              ReferenceProduct(weights.View(), x.data()))
        << product.name;
  }
}

TEST_P(MatVecTest, WritesTheRowsOfItsRangeOnly) {
  const Weights weights = RandomWeights(650, 100, 7);
  const auto x = RandomActivations(100, 8);
  const AlignedBytes tables = Tables(x);
  const Sums expected = ReferenceProduct(weights.View(), x.data());
  for (std::size_t begin = 0; begin < 650; begin += 64) {
    for (std::size_t end = begin; end < 650 + 64; end += 64) {
      const std::size_t stop = end < 650 ? end : 650;
      Sums sums(650, kUntouched);
      MatVec(weights.View(), tables.Data(), begin, stop, 0, 100, sums.data());
      for (std::size_t r = 0; r < 650; ++r) {
        ASSERT_EQ(sums[r], r >= begin && r < stop ? expected[r] : kUntouched)
            << "row " << r << " of [" << begin << ", " << stop << ")";
      }
    }
  }
}

TEST_P(MatVecTest, ColumnRangesSumTheirColumnsOnly) {
  constexpr std::size_t kCols = 387;  // fills neither a tile nor the padding
  const Weights weights = RandomWeights(257, kCols, 9);
  const auto x = RandomActivations(kCols, 10);
  const AlignedBytes tables = Tables(x);
  for (std::size_t begin = 0; begin < kCols; begin += 36) {
    for (std::size_t end = begin; end < kCols + 28; end += 28) {
      const std::size_t stop = end < kCols ? end : kCols;
      Sums expected(257);
      reference::MatVec(weights.View(), x.data(), 0, 257, begin, stop,
                        expected.data());
      Sums sums(257, kUntouched);
      MatVec(weights.View(), tables.Data(), 0, 257, begin, stop, sums.data());
      ASSERT_EQ(sums, expected) << "columns [" << begin << ", " << stop << ")";
    }
  }
}

TEST_P(MatVecTest, TablesAreTheSameOnEveryTarget) {
  const auto x = RandomActivations(391, 11);
  const std::size_t bytes = NibbleTableBytes(391);
  EXPECT_EQ(bytes, 416U / 4 * 64);
  const AlignedBytes tables = Tables(x);
  for (std::size_t at = 0; at < bytes; ++at) {
    const std::size_t col = at / 64 * 4 + at % 64 / 32 * 2;
    const int x0 = col < 391 ? x[col] : 0;
    const int x1 = col + 1 < 391 ? x[col + 1] : 0;
    const int c0 = static_cast<int>(at % 4);
    const int c1 = static_cast<int>(at % 16 / 4);
    if (c0 == 3 || c1 == 3) {
      continue;  // no weight has code 3
    }
    const int entry = (c0 - 1) * x0 + (c1 - 1) * x1 + 254;
    const int part = at % 32 < 16 ? entry % 16 : entry / 16;
    ASSERT_EQ(tables.Data()[at], part) << "byte " << at;
  }
}

}  // namespace
}  // namespace tern::kernels
