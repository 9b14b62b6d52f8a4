// However rows are cut into work for threads, each is computed once.
#include "runtime/forward/row_ranges.h"

#include <atomic>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

#include "packing/tiles.h"
#include "runtime/forward/linear.h"
#include "runtime/parallel.h"
#include "runtime/weights.h"

namespace tern {
namespace {

TEST(ForEachRowRange, VisitsEachRowOnce) {
  const std::vector<std::vector<std::size_t>> shapes = {
      {1}, {65, 64}, {2560, 640, 640}, {8640, 8640}, {32002}};
  for (const auto& shape : shapes) {
    for (const int threads : {1, 2, 3, 11}) {
      Team team(threads);
      std::vector<Linear> layers(shape.size());
      std::vector<Projection> projections;
      std::vector<std::vector<std::atomic<int>>> visits;
      for (std::size_t i = 0; i < shape.size(); ++i) {
        layers[i].rows = shape[i];
        projections.push_back({&layers[i], nullptr});
        visits.emplace_back(shape[i]);
      }
      std::atomic<bool> at_tiles = true;
      ForEachRowRange(
          projections, team, [&](const RowRange& rows, std::size_t) {
            if (rows.begin % packing::kTileRows != 0) {
              at_tiles = false;
            }
            const auto layer =
                static_cast<std::size_t>(rows.layer - projections.data());
            for (std::size_t r = rows.begin; r < rows.end; ++r) {
              ++visits[layer][r];
            }
          });
      EXPECT_TRUE(at_tiles);
      for (const auto& rows : visits) {
        for (const std::atomic<int>& count : rows) ASSERT_EQ(count, 1);
      }
    }
  }
}

// What is fetched ahead of a product is what its member reads first.
TEST(RowSteps, ASharesFirstStepIsItsFirstTile) {
  for (const std::size_t tiles : {1U, 5U, 50U, 135U}) {
    const RowSteps steps(tiles, 2);
    EXPECT_EQ(steps.Tile(0), steps.ShareTile(0));
    EXPECT_EQ(steps.Tile(steps.count() / 2), steps.ShareTile(1));
    EXPECT_EQ(steps.Tile(steps.count()), tiles);
  }
}

}  // namespace
}  // namespace tern
