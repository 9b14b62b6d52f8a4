#include "packing/i2_s.h"

#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/packing/expect_fault.h"
#include "tests/packing/weights.h"

namespace tern::packing {
namespace {

TEST(I2S, ReadsWhatTheFormulaWrites) {
  for (const bool zero_rows : {false, true}) {
    const Weights weights = RandomWeights(7, 384, 3, zero_rows);
    TernaryMatrix matrix;
    EXPECT_SOUND(UnpackI2S(StoredI2S(weights, 0.37F), 7, 384, matrix));
    EXPECT_EQ(matrix, Canonical(weights, 0.37F));
  }
}

TEST(I2S, WritesWhatTheFormulaWrites) {
  const Weights weights = RandomWeights(7, 384, 4, true);
  std::vector<std::uint8_t> bytes(3, 0xee);
  EXPECT_SOUND(PackI2S(Canonical(weights, 0.37F), bytes));
  EXPECT_EQ(bytes, StoredI2S(weights, 0.37F));
}

TEST(I2S, BytesAfterTheScaleMeanNothing) {
  const Weights weights = RandomWeights(2, 128);
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackI2S(StoredI2S(weights, 0.5F, 0xff), 2, 128, matrix));
  EXPECT_EQ(matrix, Canonical(weights, 0.5F));
}

// cols 192 and 64: rows start inside a block.  130 and 6: inside a byte, too.
TEST(I2S, BlocksMayRunOverRowEnds) {
  for (const std::size_t cols : {192, 64, 130, 6}) {
    const Weights weights = RandomWeights(64, cols);
    TernaryMatrix matrix;
    EXPECT_SOUND(UnpackI2S(StoredI2S(weights, 2), 64, cols, matrix));
    EXPECT_EQ(matrix, Canonical(weights, 2)) << cols;
  }
}

TEST(I2S, ScaleZeroIsRefusedOverWeightsThatAreNotZero) {
  TernaryMatrix matrix;
  EXPECT_FAULT(UnpackI2S(StoredI2S(RandomWeights(2, 128), 0), 2, 128, matrix),
               "scale 0 over weights that are not 0", 64);
  EXPECT_SOUND(UnpackI2S(StoredI2S(ZeroWeights(2, 128), 0), 2, 128, matrix));
  EXPECT_EQ(matrix, Canonical(ZeroWeights(2, 128), 0));
}

TEST(I2S, AHoleOfZeroBytesIsRefused) {
  TernaryMatrix matrix;
  const std::vector<std::uint8_t> hole(I2SBytes(2, 128));
  EXPECT_FAULT(UnpackI2S(hole, 2, 128, matrix),
               "scale 0 over weights that are not 0", 64);
}

TEST(I2S, ZerosHaveNoScale) {
  TernaryMatrix matrix;
  const Weights zeros = ZeroWeights(2, 128);
  EXPECT_SOUND(UnpackI2S(StoredI2S(zeros, 1e-5F), 2, 128, matrix));
  EXPECT_EQ(matrix, Canonical(zeros, 0));
}

TEST(I2S, NamesTheByteOfEveryCodeThree) {
  const Weights weights = RandomWeights(4, 128);
  TernaryMatrix matrix;
  for (std::size_t byte = 0; byte < 128; ++byte) {
    for (std::size_t slot = 0; slot < 4; ++slot) {
      std::vector<std::uint8_t> bytes = StoredI2S(weights, 1);
      SetSlot(bytes, byte, slot, 3);
      EXPECT_FAULT(UnpackI2S(bytes, 4, 128, matrix), "code 3", byte);
    }
  }
}

TEST(I2S, RefusesBadScales) {
  const Weights weights = RandomWeights(2, 128);
  TernaryMatrix matrix;
  for (const float scale : {-0.5F, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_FAULT(UnpackI2S(StoredI2S(weights, scale), 2, 128, matrix), "scale",
                 64);
  }
}

TEST(I2S, RefusesWrongSizesAndShapes) {
  std::vector<std::uint8_t> bytes = StoredI2S(RandomWeights(2, 128), 1);
  TernaryMatrix matrix;
  bytes.push_back(0);
  EXPECT_FAULT(UnpackI2S(bytes, 2, 128, matrix), "97 bytes", 0);
  bytes.resize(95);
  EXPECT_FAULT(UnpackI2S(bytes, 2, 128, matrix), "needs 96", 0);
  bytes.resize(96);
  EXPECT_FAULT(UnpackI2S(bytes, 3, 100, matrix), "multiple of 128", 0);
  EXPECT_FAULT(UnpackI2S(bytes, 0, 128, matrix), "empty", 0);
  EXPECT_FAULT(UnpackI2S(bytes, 128, 0, matrix), "empty", 0);
  const std::size_t huge = std::size_t{1} << 62;
  EXPECT_FAULT(UnpackI2S(bytes, huge, 256, matrix), "memory", 0);
}

TEST(I2S, RefusesToWriteWhatItCannotHold) {
  std::vector<std::uint8_t> bytes;
  EXPECT_FAULT(PackI2S(Canonical(RandomWeights(2, 192), 1), bytes),
               "multiple of 128", 0);
  EXPECT_FAULT(
      PackI2S(Canonical(RandomWeights(2, 128), ScaleGroup::kRow, {1.0F, 2.0F}),
              bytes),
      "more than one scale", 0);
  EXPECT_FAULT(PackI2S(TernaryMatrix{}, bytes), "empty", 0);
}

}  // namespace
}  // namespace tern::packing
