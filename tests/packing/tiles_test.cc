#include "packing/tiles.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "tests/packing/weights.h"

namespace tern::packing {
namespace {

// From the formula in packing/README.md.
std::vector<std::uint8_t> TilesByDefinition(const Weights& weights) {
  const std::size_t padded_rows = (weights.rows + 63) / 64 * 64;
  const std::size_t groups = (weights.cols + 31) / 32 * 8;
  std::vector<std::uint8_t> tiles(padded_rows * groups, 0x55);
  for (std::size_t r = 0; r < weights.rows; ++r) {
    for (std::size_t c = 0; c < weights.cols; ++c) {
      SetSlot(tiles, (r / 64 * groups + c / 4) * 64 + r % 64, c % 4,
              weights.Code(r, c));
    }
  }
  return tiles;
}

TEST(Tiles, EveryShapePaddedWithZeros) {
  for (const std::size_t rows : {1, 7, 63, 64, 65, 130}) {
    for (const std::size_t cols : {1, 5, 31, 32, 33, 255, 256, 300, 516}) {
      const Weights weights = RandomWeights(rows, cols);
      ASSERT_EQ(TilesBytes(rows, cols), TilesByDefinition(weights).size());
      std::vector<std::uint8_t> tiles(TilesBytes(rows, cols), 0xee);
      FillTiles(Canonical(weights, 1), 0, rows, tiles.data());
      EXPECT_EQ(tiles, TilesByDefinition(weights)) << rows << " x " << cols;
    }
  }
}

// What another thread writes must not be touched.
TEST(Tiles, ARangeOfRowsFillsItsOwnTilesOnly) {
  const Weights weights = RandomWeights(200, 70);
  const std::vector<std::uint8_t> whole = TilesByDefinition(weights);
  const std::size_t tile_row = whole.size() / 4;
  std::vector<std::uint8_t> tiles(whole.size(), 0xee);
  FillTiles(Canonical(weights, 1), 64, 128, tiles.data());
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    const bool in_range = i / tile_row == 1;
    ASSERT_EQ(tiles[i], in_range ? whole[i] : 0xee) << i;
  }
  FillTiles(Canonical(weights, 1), 0, 64, tiles.data());
  FillTiles(Canonical(weights, 1), 128, 200, tiles.data());
  EXPECT_EQ(tiles, whole);
}

}  // namespace
}  // namespace tern::packing
