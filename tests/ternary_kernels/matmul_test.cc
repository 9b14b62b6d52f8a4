#include "ternary_kernels/matmul.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "tests/ternary_kernels/products.h"

namespace tern::kernels {
namespace {

using Sums = std::vector<std::int32_t>;

constexpr std::int32_t kUntouched = -77777777;

class MatMulTest : public EveryTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, MatMulTest,
                         testing::ValuesIn(SupportedTargets()), TargetName);

// Scratch full of what an earlier product left, and a fence behind it.
class Scratch {
 public:
  explicit Scratch(std::size_t rows)
      : size_(MatMulScratchBytes(rows)), bytes_(size_ + kFence) {
    std::fill(bytes_.Data(), bytes_.Data() + size_ + kFence, kMark);
  }
  std::uint8_t* Data() { return bytes_.Data(); }
  [[nodiscard]] bool FenceStands() const {
    return std::all_of(bytes_.Data() + size_, bytes_.Data() + size_ + kFence,
                       [](std::uint8_t byte) { return byte == kMark; });
  }

 private:
  static constexpr std::size_t kFence = 256;
  static constexpr std::uint8_t kMark = 0xA5;
  std::size_t size_;
  AlignedBytes bytes_;
};

// What PackTokens makes, over what was there before.
class Packed {
 public:
  Packed(const std::int8_t* x, std::size_t x_stride, std::size_t tokens,
         std::size_t cols)
      : bytes_(PackedTokensBytes(cols, tokens)) {
    std::fill_n(bytes_.Data(), PackedTokensBytes(cols, tokens),
                std::uint8_t{0xA5});
    // In two parts, the second first.
    const std::size_t middle = packing::PaddedCols(cols) / 16 * 8;
    const auto pack = [&](std::size_t begin, std::size_t end) {
      PackTokens({.x = x,
                  .x_stride = x_stride,
                  .tokens = tokens,
                  .cols = cols,
                  .col_begin = begin,
                  .col_end = end},
                 reinterpret_cast<std::int8_t*>(bytes_.Data()));
    };
    pack(middle, packing::PaddedCols(cols));
    pack(0, middle);
  }
  [[nodiscard]] const std::int8_t* Data() const {
    return reinterpret_cast<const std::int8_t*>(bytes_.Data());
  }

 private:
  AlignedBytes bytes_;
};

struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// sums[tokens][w.rows] of x [tokens][w.cols], tile by tile of tokens.
Sums Product(const TernaryView& w, const std::vector<std::int8_t>& x,
             Range rows, Range cols) {
  const std::size_t tokens = x.size() / w.cols;
  Sums sums(tokens * w.rows, kUntouched);
  Scratch scratch(rows.end - rows.begin);
  for (std::size_t t = 0; t < tokens; t += TokenTile()) {
    const std::size_t some = std::min(TokenTile(), tokens - t);
    const Packed packed(&x[t * w.cols], w.cols, some, w.cols);
    const MatMulArgs args = {.packed = packed.Data(),
                             .tokens = some,
                             .row_begin = rows.begin,
                             .row_end = rows.end,
                             .col_begin = cols.begin,
                             .col_end = cols.end,
                             .sums = &sums[t * w.rows],
                             .sums_stride = w.rows};
    MatMul(w, args, scratch.Data());
  }
  EXPECT_TRUE(scratch.FenceStands());
  return sums;
}

Sums Product(const TernaryView& w, const std::vector<std::int8_t>& x) {
  return Product(w, x, {0, w.rows}, {0, w.cols});
}

Sums ReferenceProducts(const TernaryView& w, const std::vector<std::int8_t>& x,
                       Range rows, Range cols) {
  const std::size_t tokens = x.size() / w.cols;
  Sums sums(tokens * w.rows, kUntouched);
  for (std::size_t t = 0; t < tokens; ++t) {
    reference::MatVec(w, &x[t * w.cols], rows.begin, rows.end, cols.begin,
                      cols.end, &sums[t * w.rows]);
  }
  return sums;
}

Sums ReferenceProducts(const TernaryView& w,
                       const std::vector<std::int8_t>& x) {
  return ReferenceProducts(w, x, {0, w.rows}, {0, w.cols});
}

TEST_P(MatMulTest, EverySmallColumnCount) {
  for (std::size_t cols = 1; cols <= 300; ++cols) {
    const Weights weights = RandomWeights(65, cols, 1);
    const auto x = RandomActivations(3 * cols, 2);
    ASSERT_EQ(Product(weights.View(), x), ReferenceProducts(weights.View(), x))
        << cols << " columns";
  }
}

TEST_P(MatMulTest, ColumnCountsOfModels) {
  for (const std::size_t cols : {2560, 6912, 8640, 23040, 30720}) {
    const Weights weights = RandomWeights(2, cols, 3);
    const auto x = RandomActivations(2 * cols, 4);
    ASSERT_EQ(Product(weights.View(), x), ReferenceProducts(weights.View(), x))
        << cols << " columns";
  }
}

TEST_P(MatMulTest, EveryTokenCount) {
  const Weights weights = RandomWeights(70, 75, 5);
  for (std::size_t tokens = 1; tokens <= 2 * TokenTile(); ++tokens) {
    const auto x = RandomActivations(tokens * 75, 6);
    ASSERT_EQ(Product(weights.View(), x), ReferenceProducts(weights.View(), x))
        << tokens << " tokens";
  }
}

TEST_P(MatMulTest, EveryRowCount) {
  for (const std::size_t rows : {1, 2, 63, 64, 65, 127, 128, 130, 640}) {
    const Weights weights = RandomWeights(rows, 68, 7);
    const auto x = RandomActivations(TokenTile() * 68, 8);
    ASSERT_EQ(Product(weights.View(), x), ReferenceProducts(weights.View(), x))
        << rows << " rows";
  }
}

TEST_P(MatMulTest, MoreRowsThanABlock) {
  const std::size_t rows = 4096 + 65;
  const Weights weights = RandomWeights(rows, 36, 9);
  const auto x = RandomActivations(std::size_t{5} * 36, 10);
  ASSERT_EQ(Product(weights.View(), x), ReferenceProducts(weights.View(), x));
}

TEST_P(MatMulTest, ExtremeSumsDoNotWrap) {
  for (const Named& product : ExtremeProducts()) {
    // 260 columns: one tile more than 16-bit sums can take.
    for (const std::size_t cols : {31, 256, 260, 2560, 30720}) {
      const std::size_t tokens = cols > 2560 ? 2 : TokenTile();
      const std::size_t rows = cols > 260 ? 3 : 65;
      const Weights weights(rows, cols, product.code);
      const auto x = Activations(tokens * cols, [&](std::size_t i) {
        return product.value(i % cols);
      });
      ASSERT_EQ(Product(weights.View(), x),
                ReferenceProducts(weights.View(), x))
          << product.name << ", " << cols << " columns";
    }
  }
}

TEST_P(MatMulTest, WritesTheRowsOfItsRangeOnly) {
  const Weights weights = RandomWeights(650, 40, 11);
  const auto x = RandomActivations(std::size_t{3} * 40, 12);
  for (std::size_t begin = 0; begin < 650; begin += 128) {
    for (std::size_t end = begin; end < 650 + 64; end += 64) {
      const Range rows = {begin, std::min<std::size_t>(end, 650)};
      ASSERT_EQ(Product(weights.View(), x, rows, {0, 40}),
                ReferenceProducts(weights.View(), x, rows, {0, 40}))
          << "rows [" << rows.begin << ", " << rows.end << ")";
    }
  }
}

TEST_P(MatMulTest, ColumnRangesSumTheirColumnsOnly) {
  constexpr std::size_t kCols = 387;  // fills neither a tile nor the padding
  const Weights weights = RandomWeights(66, kCols, 13);
  const auto x = RandomActivations(3 * kCols, 14);
  for (std::size_t begin = 0; begin < kCols; begin += 36) {
    for (std::size_t end = begin; end < kCols + 28; end += 28) {
      const Range cols = {begin, std::min<std::size_t>(end, kCols)};
      ASSERT_EQ(Product(weights.View(), x, {0, 66}, cols),
                ReferenceProducts(weights.View(), x, {0, 66}, cols))
          << "columns [" << cols.begin << ", " << cols.end << ")";
    }
  }
}

// What lies between the tokens, in x and in the sums, is somebody else's.
TEST_P(MatMulTest, StridesWiderThanTheMatrix) {
  const Weights weights = RandomWeights(66, 50, 15);
  const auto x = RandomActivations(std::size_t{4} * 61, 16);
  Sums sums(std::size_t{4} * 99, kUntouched);
  Scratch scratch(66);
  const Packed packed(x.data(), 61, 4, 50);
  MatMul(weights.View(),
         {.packed = packed.Data(),
          .tokens = 4,
          .row_begin = 0,
          .row_end = 66,
          .col_begin = 0,
          .col_end = 50,
          .sums = sums.data(),
          .sums_stride = 99},
         scratch.Data());
  for (std::size_t t = 0; t < 4; ++t) {
    const Sums expected = ReferenceProduct(weights.View(), &x[t * 61]);
    for (std::size_t r = 0; r < 99; ++r) {
      ASSERT_EQ(sums[t * 99 + r], r < 66 ? expected[r] : kUntouched)
          << "token " << t << " row " << r;
    }
  }
}

TEST_P(MatMulTest, TokenTileIsWhatTheHeaderSays) {
  EXPECT_TRUE(TokenTile() == 16 || TokenTile() == 32) << TokenTile();
  EXPECT_GE(MinTokensForMatMul(), 2U);
}

}  // namespace
}  // namespace tern::kernels
