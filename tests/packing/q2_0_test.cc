#include "packing/q2_0.h"

#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/packing/expect_fault.h"
#include "tests/packing/stored.h"
#include "tests/packing/weights.h"

namespace tern::packing {
namespace {

class Q2 : public testing::TestWithParam<Q2Block> {
 protected:
  static std::size_t Block() { return static_cast<std::size_t>(GetParam()); }
  static std::size_t BlockBytes() { return 2 + Block() / 4; }
};

TEST_P(Q2, ReadsAndWritesWhatTheFormulaWrites) {
  const Weights weights = RandomWeights(5, 3 * Block());
  const std::vector<float> scales = Scales(15);
  const TernaryMatrix expected =
      Canonical(weights, ScaleGroup::kBlock, scales, Block());
  const std::vector<std::uint8_t> stored = StoredQ2(weights, Block(), scales);
  ASSERT_EQ(stored.size(), Q2Bytes(5, 3 * Block(), GetParam()));
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackQ2(stored, 5, 3 * Block(), GetParam(), matrix));
  EXPECT_EQ(matrix, expected);
  std::vector<std::uint8_t> bytes(7, 0xee);
  EXPECT_SOUND(PackQ2(expected, GetParam(), bytes));
  EXPECT_EQ(bytes, stored);
}

// Scales over 256 columns are repeated, zero blocks get none.
TEST_P(Q2, WritesWiderScales) {
  Weights weights = RandomWeights(2, 512);
  for (std::size_t c = 0; c < Block(); ++c) weights.trits[c] = 0;
  std::vector<float> scales;
  for (std::size_t i = 0; i < 1024 / Block(); ++i) {
    scales.push_back(static_cast<float>(1 + i * Block() / 256));
  }
  scales[0] = 0;
  std::vector<std::uint8_t> bytes;
  EXPECT_SOUND(PackQ2(Canonical(weights, ScaleGroup::kBlock, {1, 2, 3, 4}, 256),
                      GetParam(), bytes));
  EXPECT_EQ(bytes, StoredQ2(weights, Block(), scales));

  const TernaryMatrix rows = Canonical(weights, ScaleGroup::kRow, {1, 2});
  EXPECT_SOUND(PackQ2(rows, GetParam(), bytes));
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackQ2(bytes, 2, 512, GetParam(), matrix));
  EXPECT_EQ(matrix, rows);
}

// Legal in the format, where it means +2; not a ternary weight.
TEST_P(Q2, NamesTheByteOfEveryCodeThree) {
  const Weights weights = RandomWeights(2, Block());
  TernaryMatrix matrix;
  for (std::size_t byte = 0; byte < 2 * BlockBytes(); ++byte) {
    if (byte % BlockBytes() < 2) continue;
    for (std::size_t slot = 0; slot < 4; ++slot) {
      std::vector<std::uint8_t> bytes = StoredQ2(weights, Block(), {1, 1});
      SetSlot(bytes, byte, slot, 3);
      EXPECT_FAULT(UnpackQ2(bytes, 2, Block(), GetParam(), matrix), "code 3",
                   byte);
    }
  }
}

TEST_P(Q2, RefusesBadScales) {
  const Weights weights = RandomWeights(2, Block());
  TernaryMatrix matrix;
  for (const float scale : {-0.5F, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_FAULT(UnpackQ2(StoredQ2(weights, Block(), {1, scale}), 2, Block(),
                          GetParam(), matrix),
                 "scale", BlockBytes());
  }
}

TEST_P(Q2, RefusesWrongSizesAndShapes) {
  std::vector<std::uint8_t> bytes =
      StoredQ2(RandomWeights(2, Block()), Block(), {1, 1});
  TernaryMatrix matrix;
  bytes.push_back(0);
  EXPECT_FAULT(UnpackQ2(bytes, 2, Block(), GetParam(), matrix), "bytes where",
               0);
  bytes.pop_back();
  EXPECT_FAULT(UnpackQ2(bytes, 4, Block() / 2, GetParam(), matrix),
               "no multiple of", 0);
  EXPECT_FAULT(UnpackQ2(bytes, 0, Block(), GetParam(), matrix), "empty", 0);
}

TEST_P(Q2, RefusesToWriteWhatItCannotHold) {
  std::vector<std::uint8_t> bytes;
  const Weights weights = RandomWeights(1, 256);
  EXPECT_FAULT(PackQ2(Canonical(RandomWeights(2, 96), 1), GetParam(), bytes),
               "no multiple of", 0);
  EXPECT_FAULT(PackQ2(Canonical(weights, ScaleGroup::kBlock, Scales(8), 32),
                      GetParam(), bytes),
               "32 columns, and", 0);
  EXPECT_FAULT(PackQ2(Canonical(weights, 1.0F + 0x1p-11F), GetParam(), bytes),
               "f16 cannot hold", 0);
}

INSTANTIATE_TEST_SUITE_P(BothBlocks, Q2,
                         testing::Values(Q2Block::k64, Q2Block::k128));

// One length of block must not be taken for the other.
TEST(Q2Sizes, TheBlocksDifferInSize) {
  TernaryMatrix matrix;
  const std::vector<std::uint8_t> bytes =
      StoredQ2(RandomWeights(1, 128), 64, {1, 2});
  EXPECT_FAULT(UnpackQ2(bytes, 1, 128, Q2Block::k128, matrix), "needs 34", 0);
}

}  // namespace
}  // namespace tern::packing
