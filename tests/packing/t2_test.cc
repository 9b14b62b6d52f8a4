#include "packing/t2.h"

#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/packing/expect_fault.h"
#include "tests/packing/weights.h"

namespace tern::packing {
namespace {

using Bytes = std::vector<std::uint8_t>;

T2Scales One(float scale) { return {ScaleGroup::kMatrix, 0, {scale}}; }

// A matrix through the file's two tensors and back.
void ExpectRoundTrip(TernaryMatrix matrix) {
  WidenScales(matrix);
  Bytes tiles;
  EXPECT_SOUND(PackT2(matrix, tiles));
  T2Scales scales;
  EXPECT_SOUND(UnpackT2Scales(T2ScaleShape(matrix), matrix.scales, matrix.rows,
                              matrix.cols, scales));
  TernaryMatrix back;
  EXPECT_SOUND(UnpackT2(tiles, matrix.rows, matrix.cols, scales, back));
  EXPECT_EQ(back, matrix) << matrix.rows << " x " << matrix.cols;
}

TEST(T2, HoldsEveryShapeWithEveryGroupOfScales) {
  for (const std::size_t rows : {1, 2, 63, 64, 65, 130}) {
    for (const std::size_t cols : {1, 3, 4, 31, 32, 33, 127, 256, 300, 516}) {
      const Weights weights = RandomWeights(rows, cols, 7, rows > 2);
      ExpectRoundTrip(Canonical(weights, 0.3F));
      std::vector<float> scales(rows);
      for (std::size_t r = 0; r < rows; ++r) {
        scales[r] = 0.1F + static_cast<float>(r);
      }
      ExpectRoundTrip(Canonical(weights, ScaleGroup::kRow, scales));
      if (cols % 12 != 0) continue;
      scales.resize(3 * rows);
      for (std::size_t i = 0; i < scales.size(); ++i) {
        scales[i] = 0.1F + static_cast<float>(i);
      }
      ExpectRoundTrip(Canonical(weights, ScaleGroup::kBlock, scales, cols / 3));
    }
  }
}

TEST(T2, RefusesCodeThreeInEveryByte) {
  const std::size_t rows = 70;
  const std::size_t cols = 37;
  Bytes tiles;
  EXPECT_SOUND(PackT2(Canonical(RandomWeights(rows, cols), 1), tiles));
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    for (std::size_t slot = 0; slot < 4; ++slot) {
      Bytes bad = tiles;
      SetSlot(bad, i, slot, 3);
      EXPECT_FAULT(CheckTiles(bad, rows, cols), "code 3", i);
    }
  }
}

TEST(T2, RefusesPaddingThatIsNotZero) {
  const std::size_t rows = 70;
  const std::size_t cols = 37;
  const std::size_t groups = 16;
  Bytes tiles;
  EXPECT_SOUND(PackT2(Canonical(RandomWeights(rows, cols), 1), tiles));
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    const std::size_t row = i / 64 / groups * 64 + i % 64;
    for (std::size_t slot = 0; slot < 4; ++slot) {
      const std::size_t col = i / 64 % groups * 4 + slot;
      Bytes bad = tiles;
      SetSlot(bad, i, slot, 2);
      if (row < rows && col < cols) {
        EXPECT_SOUND(CheckTiles(bad, rows, cols));
      } else {
        EXPECT_FAULT(CheckTiles(bad, rows, cols), "padding", i);
      }
    }
  }
}

TEST(T2, RefusesWrongSizes) {
  const Bytes tiles(TilesBytes(3, 5), 0x55);
  EXPECT_SOUND(CheckTiles(tiles, 3, 5));
  EXPECT_FAULT(CheckTiles(tiles, 65, 5), "512 bytes", 0);
  EXPECT_FAULT(CheckTiles({}, 3, 5), "0 bytes", 0);
  EXPECT_FAULT(CheckTiles({}, 0, 5), "empty", 0);
  EXPECT_FAULT(CheckTiles({}, std::numeric_limits<std::size_t>::max(), 5),
               "more weights", 0);
}

TEST(T2, RefusesScaleZeroForAMatrixThatIsNotZero) {
  Bytes tiles;
  EXPECT_SOUND(PackT2(Canonical(RandomWeights(3, 5), 1), tiles));
  TernaryMatrix matrix;
  std::size_t first = 0;
  while (tiles[first] == 0x55) ++first;
  EXPECT_FAULT(UnpackT2(tiles, 3, 5, One(0), matrix), "scale 0", first);
  const Bytes zeros(TilesBytes(3, 5), 0x55);
  EXPECT_SOUND(UnpackT2(zeros, 3, 5, One(0), matrix));
}

// A row's scale may be 0 over any codes: its weights are zeros.
TEST(T2, ARowOfScaleZeroIsZero) {
  Bytes tiles;
  const Weights weights = RandomWeights(2, 8, 3);
  EXPECT_SOUND(PackT2(Canonical(weights, 1), tiles));
  T2Scales scales;
  EXPECT_SOUND(UnpackT2Scales({2}, {0.0F, 0.5F}, 2, 8, scales));
  TernaryMatrix matrix;
  EXPECT_SOUND(UnpackT2(tiles, 2, 8, scales, matrix));
  EXPECT_EQ(matrix.codes[0], 0x55);
  EXPECT_EQ(matrix.codes[1], 0x55);
  EXPECT_NE(matrix.codes[2], 0x55);
}

TEST(T2, RefusesScalesThatAreNone) {
  T2Scales scales;
  const auto unpack = [&](const std::vector<std::uint64_t>& shape,
                          const std::vector<float>& values) {
    return UnpackT2Scales(shape, values, 2, 24, scales);
  };
  EXPECT_SOUND(unpack({1}, {1}));
  EXPECT_SOUND(unpack({2}, {1, 2}));
  EXPECT_SOUND(unpack({2, 3}, {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(scales.group, ScaleGroup::kBlock);
  EXPECT_EQ(scales.block, 8U);
  EXPECT_FAULT(unpack({3}, {1, 2, 3}), "3 scales for 2 rows", 0);
  EXPECT_FAULT(unpack({3, 2}, {1, 2, 3, 4, 5, 6}), "3 x 2 scales", 0);
  EXPECT_FAULT(unpack({2, 3, 1}, {1, 2, 3, 4, 5, 6}), "2 x 3 x 1", 0);
  // 24 / 5 is no whole number, 24 / 12 = 2 columns are less than a tile.
  EXPECT_FAULT(unpack({2, 5}, std::vector<float>(10, 1)), "2 x 5", 0);
  EXPECT_FAULT(unpack({2, 12}, std::vector<float>(24, 1)), "2 x 12", 0);
  EXPECT_FAULT(unpack({2}, {1, -1}), "scale -1", 4);
  EXPECT_FAULT(unpack({2}, {std::numeric_limits<float>::quiet_NaN(), 1}), "nan",
               0);
  EXPECT_FAULT(unpack({1}, {std::numeric_limits<float>::infinity()}), "inf", 0);
}

TEST(T2, RefusesToWriteWhatCannotBeRead) {
  Bytes tiles;
  TernaryMatrix matrix = Canonical(RandomWeights(2, 10), ScaleGroup::kBlock,
                                   {1, 2, 3, 4, 5, 6}, 4);
  EXPECT_FAULT(PackT2(matrix, tiles), "every 4 of 10 columns", 0);
  matrix = Canonical(RandomWeights(2, 10), 1);
  matrix.scales[0] = -1;
  EXPECT_FAULT(PackT2(matrix, tiles), "scale -1", 0);
  matrix.scales[0] = 1;
  matrix.codes[1] = 0xff;
  EXPECT_FAULT(PackT2(matrix, tiles), "code 3", 64);
}

}  // namespace
}  // namespace tern::packing
