// The ternary products of float activations equal their plain loop bit for bit,
// on every target and for any split.
#include "ternary_kernels/float_sums.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/ternary_kernels/products.h"

namespace tern::kernels {
namespace {

using Floats = std::vector<float>;

constexpr float kUntouched = -7.75F;

struct Bounds {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// The bits, with one NaN for all.
std::vector<std::uint32_t> Bits(const Floats& values) {
  std::vector<std::uint32_t> bits(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float canonical = std::isnan(values[i])
                                ? std::numeric_limits<float>::quiet_NaN()
                                : values[i];
    bits[i] = std::bit_cast<std::uint32_t>(canonical);
  }
  return bits;
}

// What shows another order of additions, lost small numbers, signs of zero and
// 0 * infinity.
enum class Kind { kNormal, kMagnitudes, kSubnormal, kCancelling, kNotFinite };

Floats RandomFloats(std::size_t size, Kind kind, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<float> exponent(-30.0F, 30.0F);
  Floats x(size);
  for (float& value : x) {
    value = normal(random);
    const unsigned choice = random() % 64;
    switch (kind) {
      case Kind::kNormal:
        break;
      case Kind::kMagnitudes:
        value *= std::pow(10.0F, exponent(random));
        break;
      case Kind::kSubnormal:
        value *= 1e-39F;
        break;
      case Kind::kCancelling:
        value = choice < 24 ? (choice % 2 == 0 ? 0.0F : -0.0F)
                            : (choice % 2 == 0 ? 1e30F : -1e30F);
        break;
      case Kind::kNotFinite:
        if (choice == 0) value = std::numeric_limits<float>::infinity();
        if (choice == 1) value = -std::numeric_limits<float>::infinity();
        if (choice == 2) value = std::numeric_limits<float>::quiet_NaN();
        break;
    }
  }
  return x;
}

constexpr Kind kKinds[] = {Kind::kNormal, Kind::kMagnitudes, Kind::kSubnormal,
                           Kind::kCancelling, Kind::kNotFinite};

Floats Expected(const TernaryView& w, const float* x, Bounds rows,
                Bounds cols) {
  Floats sums(w.rows, kUntouched);
  reference::FloatMatVec(w, x, rows.begin, rows.end, cols.begin, cols.end,
                         sums.data());
  return sums;
}

Floats MatVec(const TernaryView& w, const float* x, Bounds rows, Bounds cols) {
  Floats sums(w.rows, kUntouched);
  FloatMatVec(w, x, rows.begin, rows.end, cols.begin, cols.end, sums.data());
  return sums;
}

// Scratch full of what an earlier product left, and a fence behind it.
class Scratch {
 public:
  explicit Scratch(std::size_t rows)
      : size_(FloatMatMulScratchBytes(rows)), bytes_(size_ + kFence) {
    std::fill(bytes_.Data(), bytes_.Data() + size_ + kFence, kMark);
  }
  std::uint8_t* Data() { return bytes_.Data(); }
  [[nodiscard]] bool FenceStands() const {
    return std::all_of(bytes_.Data() + size_, bytes_.Data() + size_ + kFence,
                       [](std::uint8_t byte) { return byte == kMark; });
  }

 private:
  static constexpr std::size_t kFence = 256;
  static constexpr std::uint8_t kMark = 0xFF;  // a NaN in floats
  std::size_t size_;
  AlignedBytes bytes_;
};

// x [tokens][x_stride]; every row of the result is checked, what lies between
// must stay untouched.
void ExpectMatMul(const TernaryView& w, const Floats& x, std::size_t x_stride,
                  Bounds rows, Bounds cols) {
  const std::size_t tokens = x.size() / x_stride;
  const std::size_t stride = w.rows + 3;
  Floats sums(tokens * stride, kUntouched);
  Scratch scratch(rows.end - rows.begin);
  for (std::size_t t = 0; t < tokens; t += FloatTokenTile()) {
    FloatMatMul(w,
                {.x = &x[t * x_stride],
                 .x_stride = x_stride,
                 .tokens = std::min(FloatTokenTile(), tokens - t),
                 .row_begin = rows.begin,
                 .row_end = rows.end,
                 .col_begin = cols.begin,
                 .col_end = cols.end,
                 .sums = &sums[t * stride],
                 .sums_stride = stride},
                scratch.Data());
  }
  ASSERT_TRUE(scratch.FenceStands());
  for (std::size_t t = 0; t < tokens; ++t) {
    Floats expected = Expected(w, &x[t * x_stride], rows, cols);
    expected.resize(stride, kUntouched);
    const auto first = sums.begin() + static_cast<std::ptrdiff_t>(t * stride);
    ASSERT_EQ(Bits(Floats(first, first + static_cast<std::ptrdiff_t>(stride))),
              Bits(expected))
        << "token " << t << " of " << tokens;
  }
}

void ExpectMatVec(const TernaryView& w, const Floats& x, Bounds rows,
                  Bounds cols) {
  ASSERT_EQ(Bits(MatVec(w, x.data(), rows, cols)),
            Bits(Expected(w, x.data(), rows, cols)));
}

// The order of the header once more, from the codes and not from tiles.
TEST(ReferenceTest, FloatMatVecAddsInTheOrderOfTheHeader) {
  const CodeAt code = [](std::size_t r, std::size_t c) {
    return static_cast<unsigned>((r * 7 + c * c) % 3);
  };
  const Weights weights(67, 601, code);
  for (const Kind kind : kKinds) {
    const Floats x = RandomFloats(601, kind, 1);
    const Floats sums = Expected(weights.View(), x.data(), {0, 67}, {0, 601});
    for (std::size_t r = 0; r < 67; ++r) {
      Floats terms(604, 0.0F);
      for (std::size_t c = 0; c < 601; ++c) {
        if (code(r, c) == 2) terms[c] = x[c];
        if (code(r, c) == 0) terms[c] = -x[c];
      }
      float blocks[3] = {};
      for (std::size_t c = 0; c < 604; c += 4) {
        blocks[c / 256] +=
            (terms[c] + terms[c + 1]) + (terms[c + 2] + terms[c + 3]);
      }
      const float total = 0.0F + blocks[0] + blocks[1] + blocks[2];
      ASSERT_EQ(Bits({sums[r]}), Bits({total})) << "row " << r;
    }
  }
}

// The inputs do what they are there for: another order gives other bits.
TEST(ReferenceTest, TheOrderOfFloatAdditionsShows) {
  const Weights weights = RandomWeights(64, 512, 2);
  const Floats x = RandomFloats(512, Kind::kNormal, 3);
  const Floats sums = Expected(weights.View(), x.data(), {0, 64}, {0, 512});
  int others = 0;
  for (std::size_t r = 0; r < 64; ++r) {
    float sum = 0.0F;
    for (std::size_t c = 0; c < 512; ++c) {
      const unsigned code = reference::Code(weights.View(), r, c);
      if (code != 1) sum += code == 2 ? x[c] : -x[c];
    }
    others += sum != sums[r] ? 1 : 0;
  }
  EXPECT_GT(others, 16);
}

TEST(ReferenceTest, AWeightOfZeroAddsNothingToInfinity) {
  const Weights weights(
      1, 8, [](std::size_t, std::size_t c) { return c == 3 ? 2U : 1U; });
  Floats x(8, std::numeric_limits<float>::infinity());
  x[3] = 2.5F;
  EXPECT_EQ(Expected(weights.View(), x.data(), {0, 1}, {0, 8}), Floats{2.5F});
}

class FloatSumsTest : public EveryTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, FloatSumsTest,
                         testing::ValuesIn(SupportedTargets()), TargetName);

TEST_P(FloatSumsTest, EverySmallColumnCount) {
  for (std::size_t cols = 1; cols <= 300; ++cols) {
    const Weights weights = RandomWeights(65, cols, 1);
    const Kind kind = kKinds[cols % std::size(kKinds)];
    const Floats x = RandomFloats(3 * cols, kind, 2);
    SCOPED_TRACE(std::to_string(cols) + " columns");
    ExpectMatVec(weights.View(), x, {0, 65}, {0, cols});
    ExpectMatMul(weights.View(), x, cols, {0, 65}, {0, cols});
    if (HasFatalFailure()) return;
  }
}

TEST_P(FloatSumsTest, EveryKindOfNumberInManyBlocks) {
  for (const std::size_t cols : {255, 256, 257, 260, 512, 1000, 2560, 6913}) {
    for (const Kind kind : kKinds) {
      const Weights weights = RandomWeights(67, cols, 3);
      const Floats x = RandomFloats(2 * cols, kind, 4);
      SCOPED_TRACE(std::to_string(cols) + " columns");
      ExpectMatVec(weights.View(), x, {0, 67}, {0, cols});
      ExpectMatMul(weights.View(), x, cols, {0, 67}, {0, cols});
      if (HasFatalFailure()) return;
    }
  }
}

// All four codes in all places of a byte meet all pairs of odd values.
TEST_P(FloatSumsTest, EveryGroupOfWeights) {
  const Weights weights(81, 4, [](std::size_t r, std::size_t c) {
    const unsigned digits[4] = {1, 3, 9, 27};
    return static_cast<unsigned>(r) / digits[c] % 3;
  });
  const float values[] = {0.0F,   -0.0F,
                          1.0F,   -1e30F,
                          1e-45F, std::numeric_limits<float>::infinity()};
  for (unsigned n = 0; n < 6 * 6 * 6 * 6; ++n) {
    const Floats x = {values[n % 6], values[n / 6 % 6], values[n / 36 % 6],
                      values[n / 216]};
    ExpectMatVec(weights.View(), x, {0, 81}, {0, 4});
    ExpectMatMul(weights.View(), x, 4, {0, 81}, {0, 4});
    if (HasFatalFailure()) return;
  }
}

TEST_P(FloatSumsTest, EveryTokenCount) {
  const Weights weights = RandomWeights(70, 291, 5);
  for (std::size_t tokens = 1; tokens <= FloatTokenTile() + 3; ++tokens) {
    const Floats x = RandomFloats(tokens * 299, Kind::kMagnitudes, 6);
    SCOPED_TRACE(std::to_string(tokens) + " tokens");
    ExpectMatMul(weights.View(), x, 299, {0, 70}, {0, 291});
    if (HasFatalFailure()) return;
  }
}

TEST_P(FloatSumsTest, EveryRowCount) {
  for (const std::size_t rows :
       {1, 2, 15, 16, 17, 33, 63, 64, 65, 127, 128, 129, 192, 257, 640}) {
    const Weights weights = RandomWeights(rows, 300, 7);
    const Floats x = RandomFloats(std::size_t{2} * 300, Kind::kMagnitudes, 8);
    SCOPED_TRACE(std::to_string(rows) + " rows");
    ExpectMatVec(weights.View(), x, {0, rows}, {0, 300});
    ExpectMatMul(weights.View(), x, 300, {0, rows}, {0, 300});
    if (HasFatalFailure()) return;
  }
}

TEST_P(FloatSumsTest, MoreRowsThanShareTables) {
  const std::size_t rows = 4096 + 65;
  const Weights weights = RandomWeights(rows, 36, 9);
  const Floats x = RandomFloats(std::size_t{3} * 36, Kind::kNormal, 10);
  ExpectMatMul(weights.View(), x, 36, {0, rows}, {0, 36});
}

TEST_P(FloatSumsTest, WritesTheRowsOfItsRangeOnly) {
  const Weights weights = RandomWeights(330, 60, 11);
  const Floats x = RandomFloats(std::size_t{2} * 60, Kind::kMagnitudes, 12);
  for (std::size_t begin = 0; begin < 330; begin += 64) {
    for (std::size_t end = begin; end < 330 + 64; end += 64) {
      const Bounds rows = {begin, std::min<std::size_t>(end, 330)};
      SCOPED_TRACE("rows [" + std::to_string(rows.begin) + ", " +
                   std::to_string(rows.end) + ")");
      ExpectMatVec(weights.View(), x, rows, {0, 60});
      ExpectMatMul(weights.View(), x, 60, rows, {0, 60});
      if (HasFatalFailure()) return;
    }
  }
}

// Groups and blocks count from the range's first column.
TEST_P(FloatSumsTest, ColumnRangesSumTheirColumnsOnly) {
  constexpr std::size_t kCols = 739;  // fills neither a tile nor the padding
  const Weights weights = RandomWeights(66, kCols, 13);
  const Floats x = RandomFloats(2 * kCols, Kind::kMagnitudes, 14);
  for (std::size_t begin = 0; begin < kCols; begin += 68) {
    for (std::size_t end = begin; end < kCols + 52; end += 52) {
      const Bounds cols = {begin, std::min(end, kCols)};
      SCOPED_TRACE("columns [" + std::to_string(cols.begin) + ", " +
                   std::to_string(cols.end) + ")");
      ExpectMatVec(weights.View(), x, {0, 66}, cols);
      ExpectMatMul(weights.View(), x, kCols, {0, 66}, cols);
      if (HasFatalFailure()) return;
    }
  }
}

// The weights of the padding are whatever they are, and x ends with the matrix.
TEST_P(FloatSumsTest, NothingDependsOnThePadding) {
  constexpr std::size_t kRows = 66;
  constexpr std::size_t kCols = 261;
  const Weights weights = RandomWeights(128, 288, 15);
  const TernaryView w = {weights.View().tiles, kRows, kCols};
  const Floats x = RandomFloats(kCols, Kind::kMagnitudes, 16);
  ExpectMatVec(w, x, {0, kRows}, {0, kCols});
  ExpectMatMul(w, x, kCols, {0, kRows}, {0, kCols});
}

TEST_P(FloatSumsTest, TheTileHoldsTokens) {
  EXPECT_GE(FloatTokenTile(), 2U);
  EXPECT_GE(MinTokensForFloatMatMul(), 2U);
}

TEST_P(FloatSumsTest, ScalingIsOneRoundingAStep) {
  const Floats scales = RandomFloats(std::size_t{3} * 70, Kind::kNormal, 17);
  for (std::size_t size = 0; size <= 70; ++size) {
    const Floats sums = RandomFloats(size, Kind::kNormal, 18);
    const Floats start = RandomFloats(size, Kind::kNormal, 19);
    const float multiplier = 0.0123F;
    Floats by_matrix(size);
    Floats by_row(size);
    Floats added = start;
    ScaleFloatSums(sums.data(), size, multiplier, by_matrix.data());
    ScaleFloatSumsByRow(sums.data(), scales.data(), size, by_row.data());
    AddScaledFloatSums(sums.data(), scales.data(), 3, size, added.data());
    for (std::size_t i = 0; i < size; ++i) {
      // volatile: no fused multiply-add here, whatever the compiler's flags.
      const volatile float block = sums[i] * scales[3 * i];
      ASSERT_EQ(by_matrix[i], sums[i] * multiplier);
      ASSERT_EQ(by_row[i], sums[i] * scales[i]);
      ASSERT_EQ(added[i], start[i] + block);
    }
  }
}

}  // namespace
}  // namespace tern::kernels
