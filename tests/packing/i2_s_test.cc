#include "packing/i2_s.h"

#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/packing/expect_fault.h"
#include "tests/packing/stored.h"
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
  EXPECT_FAULT(PackI2S(Canonical(RandomWeights(2, 128), -1), bytes),
               "no finite number", 64);
  EXPECT_FAULT(PackI2S(TernaryMatrix{}, bytes), "empty", 0);
}

// Blocks of 64, also an odd number of them, over row ends and inside bytes.
TEST(I2S, ReadsOrderB) {
  for (const std::size_t cols : {384, 64, 192, 10, 6, 3}) {
    const std::size_t rows = cols == 64 ? 7 : 32 * (cols % 2 + 1);
    const Weights weights = RandomWeights(rows, cols);
    TernaryMatrix matrix;
    EXPECT_SOUND(UnpackI2S(StoredI2SB(weights, 0.37F), rows, cols, matrix,
                           I2SOrder::kB));
    EXPECT_EQ(matrix, Canonical(weights, 0.37F)) << cols;
  }
}

// Columns on both sides of the 32 that are unpacked at once.
TEST(I2S, ReadsOrderC) {
  for (const std::size_t cols : {1, 3, 31, 32, 33, 128, 130}) {
    const Weights weights = RandomWeights(12, cols);
    TernaryMatrix matrix;
    EXPECT_SOUND(
        UnpackI2S(StoredI2SC(weights, 0.37F), 12, cols, matrix, I2SOrder::kC));
    EXPECT_EQ(matrix, Canonical(weights, 0.37F)) << cols;
  }
}

TEST(I2S, OneOrderReadAsAnotherGivesOtherWeights) {
  const Weights weights = RandomWeights(4, 128);
  const std::vector<std::uint8_t> bytes = StoredI2S(weights, 1);
  for (const I2SOrder order : {I2SOrder::kB, I2SOrder::kC}) {
    TernaryMatrix matrix;
    EXPECT_SOUND(UnpackI2S(bytes, 4, 128, matrix, order));
    EXPECT_NE(matrix, Canonical(weights, 1));
  }
}

TEST(I2S, OrdersBAndCRefuseWhatARefuses) {
  TernaryMatrix matrix;
  for (const I2SOrder order : {I2SOrder::kB, I2SOrder::kC}) {
    for (std::size_t byte = 0; byte < 80; ++byte) {
      // No 3 by chance: 20 x 16 zeros.
      std::vector<std::uint8_t> bytes = StoredI2SC(ZeroWeights(20, 16), 1);
      SetSlot(bytes, byte, byte % 4, 3);
      EXPECT_FAULT(UnpackI2S(bytes, 20, 16, matrix, order), "code 3", byte);
    }
    const Weights weights = RandomWeights(4, 64);
    EXPECT_FAULT(UnpackI2S(StoredI2SB(weights, -0.5F), 4, 64, matrix, order),
                 "scale", 64);
    EXPECT_FAULT(UnpackI2S(StoredI2SB(weights, 0), 4, 64, matrix, order),
                 "scale 0 over weights that are not 0", 64);
    EXPECT_FAULT(UnpackI2S(StoredI2SB(weights, 1), 4, 128, matrix, order),
                 "needs 160", 0);
  }
  const std::vector<std::uint8_t> bytes = StoredI2SB(RandomWeights(2, 64), 1);
  EXPECT_FAULT(UnpackI2S(bytes, 2, 64, matrix, I2SOrder::kC),
               "2 rows, which is no multiple of 4", 0);
  EXPECT_FAULT(UnpackI2S(bytes, 4, 33, matrix, I2SOrder::kB),
               "no multiple of 64", 0);
}

}  // namespace
}  // namespace tern::packing
