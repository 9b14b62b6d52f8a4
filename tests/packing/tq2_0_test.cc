#include "packing/tq2_0.h"

#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/packing/expect_fault.h"
#include "tests/packing/weights.h"

namespace tern::packing {
namespace {

TEST(Tq2, ReadsWhatTheFormulaWrites) {
  const Weights weights = RandomWeights(5, 768);
  std::vector<float> scales;
  for (int b = 0; b < 15; ++b) {
    scales.push_back(0.25F + 0.125F * static_cast<float>(b));
  }
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackTq2(StoredTq2(weights, scales), 5, 768, matrix));
  EXPECT_EQ(matrix, Canonical(weights, ScaleGroup::kBlock, scales, 256));
}

TEST(Tq2, WritesWhatTheFormulaWrites) {
  const Weights weights = RandomWeights(5, 512);
  std::vector<float> scales = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  std::vector<std::uint8_t> bytes(7, 0xee);
  EXPECT_SOUND(
      PackTq2(Canonical(weights, ScaleGroup::kBlock, scales, 256), bytes));
  EXPECT_EQ(bytes, StoredTq2(weights, scales));

  EXPECT_SOUND(
      PackTq2(Canonical(weights, ScaleGroup::kRow, {1, 2, 3, 4, 5}), bytes));
  scales = {1, 1, 2, 2, 3, 3, 4, 4, 5, 5};
  EXPECT_EQ(bytes, StoredTq2(weights, scales));
}

TEST(Tq2, RepeatsOneScaleAndZeroesItOverZeroBlocks) {
  Weights weights = RandomWeights(4, 512, 5, true);  // rows 0 and 3 are zero
  for (std::size_t c = 256; c < 512; ++c) weights.trits[512 + c] = 0;
  std::vector<std::uint8_t> bytes;
  EXPECT_SOUND(PackTq2(Canonical(weights, 0.5F), bytes));
  EXPECT_EQ(bytes, StoredTq2(weights, {0, 0, 0.5F, 0, 0.5F, 0.5F, 0, 0}));
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackTq2(bytes, 4, 512, matrix));
  EXPECT_EQ(matrix, Canonical(weights, 0.5F));
}

TEST(Tq2, NothingButZeros) {
  const Weights zeros = ZeroWeights(2, 256);
  std::vector<std::uint8_t> bytes;
  TernaryMatrix matrix;
  EXPECT_SOUND(PackTq2(Canonical(zeros, 0), bytes));
  EXPECT_SOUND(UnpackTq2(bytes, 2, 256, matrix));
  EXPECT_EQ(matrix, Canonical(zeros, 0));
}

TEST(Tq2, NamesTheByteOfEveryCodeThree) {
  const Weights weights = RandomWeights(2, 256);
  TernaryMatrix matrix;
  for (std::size_t byte = 0; byte < 2 * 66; ++byte) {
    if (byte % 66 >= 64) continue;
    std::vector<std::uint8_t> bytes = StoredTq2(weights, {1, 1});
    SetSlot(bytes, byte, byte % 4, 3);
    EXPECT_FAULT(UnpackTq2(bytes, 2, 256, matrix), "code 3", byte);
  }
}

TEST(Tq2, RefusesBadScales) {
  const Weights weights = RandomWeights(2, 256);
  TernaryMatrix matrix;
  for (const float scale : {-0.5F, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_FAULT(UnpackTq2(StoredTq2(weights, {1, scale}), 2, 256, matrix),
                 "scale", 66 + 64);
  }
}

TEST(Tq2, RefusesWrongSizesAndShapes) {
  std::vector<std::uint8_t> bytes = StoredTq2(RandomWeights(2, 256), {1, 1});
  TernaryMatrix matrix;
  bytes.push_back(0);
  EXPECT_FAULT(UnpackTq2(bytes, 2, 256, matrix), "133 bytes", 0);
  bytes.resize(131);
  EXPECT_FAULT(UnpackTq2(bytes, 2, 256, matrix), "needs 132", 0);
  bytes.resize(132);
  EXPECT_FAULT(UnpackTq2(bytes, 4, 128, matrix), "multiple of 256", 0);
  EXPECT_FAULT(UnpackTq2(bytes, 0, 256, matrix), "empty", 0);
}

TEST(Tq2, RefusesToWriteWhatItCannotHold) {
  std::vector<std::uint8_t> bytes;
  const Weights weights = RandomWeights(2, 256);
  EXPECT_FAULT(PackTq2(Canonical(RandomWeights(2, 128), 1), bytes),
               "multiple of 256", 0);
  EXPECT_FAULT(
      PackTq2(Canonical(weights, ScaleGroup::kBlock, {1, 2, 3, 4}, 128), bytes),
      "128 columns", 0);
  // A bit too many, too large, too small.
  for (const float scale : {1.0F + 0x1p-11F, 65536.0F, 0x1p-25F}) {
    EXPECT_FAULT(
        PackTq2(Canonical(weights, ScaleGroup::kRow, {1, scale}), bytes),
        "f16 cannot hold", 66 + 64);
  }
}

// The scale of a zero block is not stored, so it need not fit.
TEST(Tq2, AScaleOverZerosNeedNotFit) {
  std::vector<std::uint8_t> bytes;
  const Weights zeros = ZeroWeights(1, 256);
  EXPECT_SOUND(PackTq2(Canonical(zeros, 1.0F + 0x1p-11F), bytes));
  EXPECT_EQ(bytes, StoredTq2(zeros, {0}));
}

}  // namespace
}  // namespace tern::packing
