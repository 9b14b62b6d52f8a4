#include "packing/unpacked.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/packing/expect_fault.h"
#include "tests/packing/weights.h"

namespace tern::packing {
namespace {

constexpr float kTiny = std::numeric_limits<float>::denorm_min();

// scales [rows][cols / block]
std::vector<float> Floats(const Weights& weights, std::size_t block,
                          const std::vector<float>& scales) {
  std::vector<float> floats;
  for (std::size_t i = 0; i < weights.trits.size(); ++i) {
    floats.push_back(static_cast<float>(weights.trits[i]) * scales[i / block]);
  }
  return floats;
}

// No two equal, not round in binary.
std::vector<float> OddScales(std::size_t count) {
  std::vector<float> scales;
  for (std::size_t i = 0; i < count; ++i) {
    scales.push_back(0.0137F + 0.001F * static_cast<float>(i * 7 % count));
  }
  return scales;
}

// (code - 1) * scale is the weight, bit by bit, with +0 for -0.
void ExpectLossless(const std::vector<float>& weights,
                    const TernaryMatrix& matrix) {
  std::size_t groups = matrix.cols;  // columns under one scale
  if (matrix.group == ScaleGroup::kBlock) groups = matrix.block;
  for (std::size_t r = 0; r < matrix.rows; ++r) {
    for (std::size_t c = 0; c < matrix.cols; ++c) {
      const std::size_t i = r * matrix.cols + c;
      const float scale = matrix.group == ScaleGroup::kMatrix
                              ? matrix.scales[0]
                              : matrix.scales[i / groups];
      const int trit = static_cast<int>(matrix.Code(r, c)) - 1;
      const float weight = trit == 0 ? 0 : static_cast<float>(trit) * scale;
      const float expected = weights[i] == 0 ? 0 : weights[i];
      ASSERT_EQ(std::bit_cast<std::uint32_t>(weight),
                std::bit_cast<std::uint32_t>(expected))
          << r << ' ' << c;
    }
  }
}

bool EveryRowLooksTernary(const std::vector<float>& weights, std::size_t cols) {
  for (std::size_t i = 0; i < weights.size(); i += cols) {
    if (!LooksTernary({weights.data() + i, cols})) return false;
  }
  return true;
}

TEST(Unpacked, OneScale) {
  for (const std::size_t cols : {1, 3, 5, 31, 32, 96, 130}) {
    Weights weights = RandomWeights(6, cols);
    weights.trits[0] = 1;  // a matrix of zeros has no scale
    const std::vector<float> floats = Floats(weights, 6 * cols, {0.0137F});
    EXPECT_TRUE(EveryRowLooksTernary(floats, cols));
    TernaryMatrix matrix;
    EXPECT_SOUND(UnpackFloats(floats, 6, cols, matrix));
    EXPECT_EQ(matrix, Canonical(weights, 0.0137F)) << cols;
  }
}

// Rows split between devices: q, k, v, gate, up.  Row 3 is zero.
TEST(Unpacked, RowShardsAreScalesOfRows) {
  const Weights weights = RandomWeights(6, 96, 3, true);  // rows 0, 3
  const std::vector<float> scales = {0, 0.1F, 0.1F, 0, 0.3F, 0.3F};
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackFloats(Floats(weights, 96, scales), 6, 96, matrix));
  EXPECT_EQ(matrix, Canonical(weights, ScaleGroup::kRow, scales));
}

// Columns split between devices: o, down.  Four shards of 344.
TEST(Unpacked, ColumnShardsAreTheLargestBlocksThatFit) {
  const Weights weights = RandomWeights(5, 1376);
  const std::vector<float> row_scales = {0.3F, 0.1F, 0.2F, 0.5F};
  std::vector<float> scales;
  for (int r = 0; r < 5; ++r) {
    scales.insert(scales.end(), row_scales.begin(), row_scales.end());
  }
  const std::vector<float> floats = Floats(weights, 344, scales);
  EXPECT_TRUE(EveryRowLooksTernary(floats, 1376));
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackFloats(floats, 5, 1376, matrix));
  EXPECT_EQ(matrix, Canonical(weights, ScaleGroup::kBlock, scales, 344));
}

TEST(Unpacked, EverySizeOfBlock) {
  for (const std::size_t block : {32, 96, 128, 384}) {
    const std::size_t count = 7 * 768 / block;
    const Weights weights = RandomWeights(7, 768, 11);
    const std::vector<float> floats = Floats(weights, block, OddScales(count));
    EXPECT_TRUE(EveryRowLooksTernary(floats, 768));
    TernaryMatrix matrix;
    EXPECT_SOUND(UnpackFloats(floats, 7, 768, matrix));
    EXPECT_EQ(matrix,
              Canonical(weights, ScaleGroup::kBlock, OddScales(count), block));
    ExpectLossless(floats, matrix);
  }
}

// Blocks of 96 in one row and 128 in another agree only in blocks of 32.
TEST(Unpacked, RowsOfDifferentBlocksGetWhatDividesBoth) {
  const Weights weights = RandomWeights(2, 384);
  std::vector<float> floats =
      Floats(weights, 96, {0.1F, 0.2F, 0.3F, 0.4F, 0, 0, 0, 0});
  const std::vector<float> second =
      Floats(weights, 128, {0, 0, 0, 0.5F, 0.6F, 0.7F});
  std::copy(second.begin() + 384, second.end(), floats.begin() + 384);
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackFloats(floats, 2, 384, matrix));
  EXPECT_EQ(matrix.group, ScaleGroup::kBlock);
  EXPECT_EQ(matrix.block, 32U);
  ExpectLossless(floats, matrix);
}

// The change lies somewhere between columns 90 and 130.  Of the sizes that
// divide 384, 128 is the largest with a boundary there.
TEST(Unpacked, ZerosLeaveTheBoundaryOpen) {
  std::vector<float> row(384, 0);
  row[90] = 0.5F;
  row[130] = -0.25F;
  row[300] = 7;
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackFloats(row, 1, 384, matrix));
  EXPECT_EQ(matrix.block, 128U);
  EXPECT_EQ(matrix.scales, (std::vector<float>{0.5F, 0.25F, 7}));
  ExpectLossless(row, matrix);
  row[127] = 0.25F;  // now it is between 90 and 127: 96
  EXPECT_SOUND(UnpackFloats(row, 1, 384, matrix));
  EXPECT_EQ(matrix.block, 96U);
  ExpectLossless(row, matrix);
  row[95] = 0.25F;  // between 90 and 95: none
  EXPECT_FALSE(LooksTernary(row));
  EXPECT_FAULT(UnpackFloats(row, 1, 384, matrix), "row 0, column 95", 95);
}

// Every pair of columns, by the definition: some allowed size separates them.
TEST(Unpacked, TwoMagnitudesAnywhere) {
  constexpr std::size_t kCols = 192;
  for (std::size_t a = 0; a < kCols; ++a) {
    for (std::size_t b = a + 1; b < kCols; ++b) {
      std::vector<float> row(kCols, 0);
      row[a] = 1;
      row[b] = 2;
      std::size_t expected = 0;
      for (std::size_t size = 32; size < kCols; size += 4) {
        if (kCols % size == 0 && a / size != b / size) expected = size;
      }
      ASSERT_EQ(LooksTernary(row), expected != 0) << a << ' ' << b;
      TernaryMatrix matrix;
      const MaybeFault fault = UnpackFloats(row, 1, kCols, matrix);
      ASSERT_EQ(fault.has_value(), expected == 0) << a << ' ' << b;
      if (!fault.has_value()) {
        ASSERT_EQ(matrix.block, expected) << a << ' ' << b;
        ExpectLossless(row, matrix);
      }
    }
  }
}

// Blocks are 32 or more, a multiple of 4, and divide cols.
TEST(Unpacked, NoOtherBlocks) {
  std::vector<float> row(62, 1);
  std::fill(row.begin() + 31, row.end(), 2.0F);
  EXPECT_FALSE(LooksTernary(row));
  row.assign(64, 1);
  std::fill(row.begin() + 16, row.end(), 2.0F);
  EXPECT_FALSE(LooksTernary(row));
  row.assign(102, 1);  // 3 x 34
  std::fill(row.begin() + 34, row.end(), 2.0F);
  EXPECT_FALSE(LooksTernary(row));
  row.assign(100, 1);  // 64 and a rest
  std::fill(row.begin() + 64, row.end(), 2.0F);
  EXPECT_FALSE(LooksTernary(row));
  row.assign(108, 1);  // 3 x 36
  std::fill(row.begin() + 36, row.end(), 2.0F);
  EXPECT_TRUE(LooksTernary(row));
}

TEST(Unpacked, ZeroBlocksAndZeroRows) {
  Weights weights = RandomWeights(4, 256, 5, true);  // rows 0 and 3
  for (std::size_t c = 128; c < 256; ++c) weights.trits[256 + c] = 0;
  const std::vector<float> floats =
      Floats(weights, 128, {0, 0, 0.1F, 0.3F, 0.2F, 0.4F, 0, 0});
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackFloats(floats, 4, 256, matrix));
  EXPECT_EQ(matrix, Canonical(weights, ScaleGroup::kBlock,
                              {0, 0, 0.1F, 0, 0.2F, 0.4F, 0, 0}, 128));
}

TEST(Unpacked, NothingButZerosOfEitherSign) {
  std::vector<float> zeros(4 * 64, 0);
  for (std::size_t i = 0; i < zeros.size(); i += 3) zeros[i] = -0.0F;
  EXPECT_TRUE(LooksTernary(zeros));
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackFloats(zeros, 4, 64, matrix));
  EXPECT_EQ(matrix, Canonical(ZeroWeights(4, 64), 0));
}

TEST(Unpacked, MinusZeroIsZeroAmongWeights) {
  const Weights weights = RandomWeights(3, 64);
  std::vector<float> floats = Floats(weights, 192, {0.5F});
  for (float& weight : floats) {
    if (weight == 0) weight = -0.0F;
  }
  EXPECT_TRUE(EveryRowLooksTernary(floats, 64));
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackFloats(floats, 3, 64, matrix));
  EXPECT_EQ(matrix, Canonical(weights, 0.5F));
}

TEST(Unpacked, DenormalsAndTheLargestAreWeightsLikeOthers) {
  const Weights weights = RandomWeights(2, 64);
  const float most = std::numeric_limits<float>::max();
  const std::vector<float> scales = {kTiny, 3 * kTiny, most, 1};
  const std::vector<float> floats = Floats(weights, 32, scales);
  EXPECT_TRUE(EveryRowLooksTernary(floats, 64));
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackFloats(floats, 2, 64, matrix));
  EXPECT_EQ(matrix, Canonical(weights, ScaleGroup::kBlock, scales, 32));
  ExpectLossless(floats, matrix);
}

// The smallest difference, at every place of a row with no zeros: a
// change and the change back cannot both be boundaries.
TEST(Unpacked, OneWrongWeightIsFoundAndNamed) {
  std::mt19937 random(2);
  std::vector<float> sound(3 * 256);
  for (float& weight : sound) weight = random() % 2 == 0 ? 0.7F : -0.7F;
  for (std::size_t c = 0; c < 256; ++c) {
    std::vector<float> weights = sound;
    float& wrong = weights[256 + c];
    wrong = std::copysign(std::nextafter(0.7F, 1.0F), wrong);
    EXPECT_FALSE(LooksTernary({weights.data() + 256, 256})) << c;
    // Found at the weight itself, or behind it where a block may begin there.
    const std::size_t at = c % 32 == 0 ? 256 + c + 1 : 256 + c;
    const std::string place = "row 1, column " + std::to_string(at - 256);
    TernaryMatrix matrix;
    EXPECT_FAULT(UnpackFloats(weights, 3, 256, matrix), place, at);
  }
}

TEST(Unpacked, OrdinaryWeightsAreNotTernary) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal(0, 0.02F);
  std::vector<float> weights(4 * 128);
  for (float& weight : weights) weight = normal(random);
  EXPECT_FALSE(LooksTernary({weights.data(), 128}));
  TernaryMatrix matrix;
  EXPECT_FAULT(UnpackFloats(weights, 4, 128, matrix), "row 0, column 1", 1);
}

TEST(Unpacked, RefusesWhatIsNotFiniteAndWrongSizes) {
  TernaryMatrix matrix;
  for (const float value : {std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> weights(128, 0);
    weights[70] = value;
    EXPECT_FALSE(LooksTernary({weights.data() + 64, 64}));
    EXPECT_FAULT(UnpackFloats(weights, 2, 64, matrix), "row 1, column 6 is",
                 70);
  }
  const std::vector<float> weights(128, 1);
  EXPECT_FAULT(UnpackFloats(weights, 2, 32, matrix), "512 bytes", 0);
  EXPECT_FAULT(UnpackFloats({}, 0, 32, matrix), "empty", 0);
}

}  // namespace
}  // namespace tern::packing
