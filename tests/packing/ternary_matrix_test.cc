#include "packing/ternary_matrix.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/packing/weights.h"

namespace tern::packing {
namespace {

TEST(WidenScales, EqualBlocksBecomeOneScale) {
  const Weights weights = RandomWeights(3, 10);
  TernaryMatrix matrix =
      Canonical(weights, ScaleGroup::kBlock, std::vector<float>(9, 0.5F), 4);
  WidenScales(matrix);
  EXPECT_EQ(matrix, Canonical(weights, 0.5F));
}

TEST(WidenScales, RowsThatDifferStayRows) {
  const Weights weights = RandomWeights(2, 8);
  TernaryMatrix matrix =
      Canonical(weights, ScaleGroup::kBlock, {0.5F, 0.5F, 0.25F, 0.25F}, 4);
  WidenScales(matrix);
  EXPECT_EQ(matrix, Canonical(weights, ScaleGroup::kRow, {0.5F, 0.25F}));
}

TEST(WidenScales, BlocksThatDifferInOneRowStayBlocks) {
  const Weights weights = RandomWeights(2, 8);
  TernaryMatrix matrix =
      Canonical(weights, ScaleGroup::kBlock, {0.5F, 0.5F, 0.25F, 0.125F}, 4);
  const TernaryMatrix before = matrix;
  WidenScales(matrix);
  EXPECT_EQ(matrix, before);
}

TEST(WidenScales, ScalesThatDifferInTheLastBitAreDifferent) {
  const Weights weights = RandomWeights(2, 8);
  const float next = std::nextafter(0.5F, 1.0F);
  TernaryMatrix matrix = Canonical(weights, ScaleGroup::kRow, {0.5F, next});
  WidenScales(matrix);
  EXPECT_EQ(matrix.group, ScaleGroup::kRow);
}

// IQ2_BN and its like store zero rows as scale 0 with whatever code.
TEST(WidenScales, AGroupOfScaleZeroIsZeroWhateverItsCodes) {
  Weights weights = RandomWeights(3, 7);
  TernaryMatrix matrix =
      Canonical(weights, ScaleGroup::kRow, {0.5F, 0.0F, 0.5F});
  WidenScales(matrix);
  for (std::size_t c = 0; c < 7; ++c) weights.trits[7 + c] = 0;
  EXPECT_EQ(matrix, Canonical(weights, 0.5F));
}

// Blocks of 3 columns share bytes with their neighbours.
TEST(WidenScales, AZeroBlockInsideABytePreservesItsNeighbours) {
  Weights weights = RandomWeights(2, 8);
  TernaryMatrix matrix =
      Canonical(weights, ScaleGroup::kBlock, {1, 0, 1, 2, 2, -0.0F}, 3);
  WidenScales(matrix);
  for (std::size_t c = 3; c < 6; ++c) weights.trits[c] = 0;
  for (std::size_t c = 6; c < 8; ++c) weights.trits[8 + c] = 0;
  EXPECT_EQ(matrix, Canonical(weights, ScaleGroup::kRow, {1, 2}));
}

TEST(WidenScales, AGroupOfZerosLosesItsScale) {
  Weights weights = RandomWeights(3, 8);
  for (std::size_t c = 0; c < 8; ++c) weights.trits[8 + c] = 0;
  TernaryMatrix matrix = Canonical(weights, ScaleGroup::kRow, {1, 7, 1});
  WidenScales(matrix);
  EXPECT_EQ(matrix, Canonical(weights, 1));
}

TEST(WidenScales, NothingButZerosHasScaleZero) {
  const Weights weights = ZeroWeights(5, 9);
  const TernaryMatrix zero = Canonical(weights, 0);
  TernaryMatrix matrix = Canonical(weights, 0.5F);
  WidenScales(matrix);
  EXPECT_EQ(matrix, zero);
  matrix = Canonical(weights, ScaleGroup::kRow, {1, 2, 3, 0, 5});
  WidenScales(matrix);
  EXPECT_EQ(matrix, zero);
  matrix =
      Canonical(weights, ScaleGroup::kBlock, std::vector<float>(15, 2.0F), 4);
  WidenScales(matrix);
  EXPECT_EQ(matrix, zero);
  matrix = Canonical(RandomWeights(5, 9), -0.0F);
  WidenScales(matrix);
  EXPECT_EQ(matrix, zero);
  EXPECT_FALSE(std::signbit(matrix.scales[0]));
}

TEST(TernaryMatrix, CodeReadsTheSlotOfItsColumn) {
  const Weights weights = RandomWeights(5, 11);
  const TernaryMatrix matrix = Canonical(weights, 1);
  for (std::size_t r = 0; r < 5; ++r) {
    for (std::size_t c = 0; c < 11; ++c) {
      EXPECT_EQ(matrix.Code(r, c), weights.Code(r, c)) << r << ' ' << c;
    }
  }
}

}  // namespace
}  // namespace tern::packing
