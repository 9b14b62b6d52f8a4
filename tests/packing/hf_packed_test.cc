#include "packing/hf_packed.h"

#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/packing/expect_fault.h"
#include "tests/packing/weights.h"

namespace tern::packing {
namespace {

// Rows that do not fill the last byte, columns on both sides of the 32 that are
// unpacked at once; unused slots hold code 3, which must not matter.
TEST(HfPacked, ReadsEveryShape) {
  for (const std::size_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 13, 64}) {
    for (const std::size_t cols : {1, 2, 3, 4, 5, 31, 32, 33, 63, 64, 130}) {
      const Weights weights = RandomWeights(rows, cols, 9, rows > 4);
      TernaryMatrix expected = Canonical(weights, 0.5F);
      WidenScales(expected);  // tiny ones may happen to be all zero
      TernaryMatrix matrix;
      EXPECT_SOUND(UnpackHf(StoredHf(weights, 3), rows, cols, 0.5F, matrix));
      EXPECT_EQ(matrix, expected) << rows << " x " << cols;
    }
  }
}

TEST(HfPacked, ZerosHaveNoScaleAndScaleZeroNeedsZeros) {
  const TernaryMatrix zero = Canonical(ZeroWeights(6, 40), 0);
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackHf(StoredHf(ZeroWeights(6, 40)), 6, 40, 0.5F, matrix));
  EXPECT_EQ(matrix, zero);
  EXPECT_SOUND(UnpackHf(StoredHf(ZeroWeights(6, 40)), 6, 40, 0, matrix));
  EXPECT_EQ(matrix, zero);
  EXPECT_FAULT(UnpackHf(StoredHf(RandomWeights(6, 40)), 6, 40, 0, matrix),
               "scale 0 over weights that are not 0", 0);
}

TEST(HfPacked, NamesTheByteOfEveryCodeThree) {
  const Weights weights = RandomWeights(6, 37);
  TernaryMatrix matrix;
  for (std::size_t row = 0; row < 6; ++row) {
    for (std::size_t c = 0; c < 37; ++c) {
      std::vector<std::uint8_t> bytes = StoredHf(weights, 3);
      const std::size_t byte = row % 2 * 37 + c;
      SetSlot(bytes, byte, row / 2, 3);
      EXPECT_FAULT(UnpackHf(bytes, 6, 37, 1, matrix), "code 3", byte);
    }
  }
}

TEST(HfPacked, RefusesBadScalesSizesAndShapes) {
  std::vector<std::uint8_t> bytes = StoredHf(RandomWeights(8, 32));
  TernaryMatrix matrix;
  for (const float scale : {-0.5F, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_FAULT(UnpackHf(bytes, 8, 32, scale, matrix), "scale", 0);
  }
  EXPECT_FAULT(UnpackHf(bytes, 9, 32, 1, matrix), "64 bytes", 0);
  bytes.pop_back();
  EXPECT_FAULT(UnpackHf(bytes, 8, 32, 1, matrix), "needs 64", 0);
  EXPECT_FAULT(UnpackHf({}, 0, 32, 1, matrix), "empty", 0);
}

}  // namespace
}  // namespace tern::packing
