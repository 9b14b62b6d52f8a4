// How the rows of several linear layers that share one input are cut into work
// for threads: by tiles of rows, all layers laid end to end, and for many
// tokens by tiles of tokens too.  Never within a sum, so that no result depends
// on it.
#ifndef TERN_RUNTIME_FORWARD_ROW_RANGES_H_
#define TERN_RUNTIME_FORWARD_ROW_RANGES_H_

#include <algorithm>
#include <cstddef>
#include <span>

#include "packing/tiles.h"
#include "runtime/forward/linear.h"
#include "runtime/parallel.h"

namespace tern {

inline std::size_t RowTiles(std::size_t rows) {
  return packing::PaddedRows(rows) / packing::kTileRows;
}

// A range of rows of one of several layers that are counted through.
struct RowRange {
  const Projection* layer = nullptr;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Calls fn(RowRange) for the parts of row tiles [begin, end) of all layers laid
// end to end.
template <class Fn>
void ForEachLayer(std::span<const Projection> layers, std::size_t begin,
                  std::size_t end, const Fn& fn) {
  std::size_t first = 0;
  for (const Projection& layer : layers) {
    const std::size_t tiles = RowTiles(layer.w->rows);
    const std::size_t from = std::max(begin, first);
    const std::size_t to = std::min(end, first + tiles);
    if (from < to) {
      fn(RowRange{&layer, (from - first) * packing::kTileRows,
                  std::min((to - first) * packing::kTileRows, layer.w->rows)});
    }
    first += tiles;
  }
}

// Row tiles of all layers.
inline std::size_t RowTiles(std::span<const Projection> layers) {
  std::size_t tiles = 0;
  for (const Projection& layer : layers) tiles += RowTiles(layer.w->rows);
  return tiles;
}

// Few tokens: how row tiles are cut into shares for the members of a team, and
// these into steps.  A step is four tiles, with which the kernels are fastest;
// or one, where a share has few and at its end, for what is left: shares that
// differ by four tiles cost 4 % of a product of 50.
class RowSteps {
 public:
  RowSteps(std::size_t tiles, std::size_t shares)
      : tiles_(tiles), shares_(shares) {
    const std::size_t most = (tiles + shares - 1) / shares;
    longs_ = most < 4 * kLong ? 0 : most / kLong;
    share_steps_ = most - longs_ * (kLong - 1);
  }

  // Of all shares, one after another.  All have equally many; where a share is
  // a tile shorter, its last one is empty.
  [[nodiscard]] std::size_t count() const { return shares_ * share_steps_; }

  // The first tile of a step; of step count(): the number of tiles.
  [[nodiscard]] std::size_t Tile(std::size_t step) const {
    if (step == count()) return tiles_;
    const std::size_t share = step / share_steps_;
    const std::size_t within = step % share_steps_;
    const std::size_t at = within + std::min(within, longs_) * (kLong - 1);
    return std::min(ShareTile(share) + at, ShareTile(share + 1));
  }
  [[nodiscard]] std::size_t ShareTile(std::size_t share) const {
    return tiles_ * share / shares_;
  }

 private:
  static constexpr std::size_t kLong = 4;

  std::size_t tiles_;
  std::size_t shares_;
  std::size_t longs_;        // of a share, steps of kLong tiles
  std::size_t share_steps_;  // with the single ones behind them
};

// Few tokens: calls fn(RowRange, thread) for all rows of all layers.
template <class Fn>
void ForEachRowRange(std::span<const Projection> layers, Team& team,
                     const Fn& fn) {
  const RowSteps steps(RowTiles(layers), team.shares());
  ParallelFor(team, steps.count(), 1,
              [&](std::size_t begin, std::size_t end, std::size_t thread) {
                ForEachLayer(layers, steps.Tile(begin), steps.Tile(end),
                             [&](const RowRange& rows) { fn(rows, thread); });
              });
}

// Tokens [first, first + count).
struct TokenRange {
  std::size_t first = 0;
  std::size_t count = 0;
};

// How many tokens are computed side by side, and at most how many rows share
// what is computed from the tokens alone.
struct BlockShape {
  std::size_t tokens = 0;
  std::size_t rows = 0;
};

// Many tokens: calls fn(RowRange, TokenRange, thread) for all rows of all
// layers and all tokens, in blocks no larger than `most`.
template <class Fn>
void ForEachRowAndTokenRange(std::span<const Projection> layers,
                             std::size_t tokens, const BlockShape& most,
                             Team& team, const Fn& fn) {
  const std::size_t tiles = RowTiles(layers);
  const std::size_t token_tiles = (tokens + most.tokens - 1) / most.tokens;
  // Blocks of rows: long and equal, but enough of them that every thread has
  // work.
  const std::size_t longest = most.rows / packing::kTileRows;
  const std::size_t wanted =
      std::max((2 * team.size() + token_tiles - 1) / token_tiles,
               (tiles + longest - 1) / longest);
  const std::size_t block = (tiles + wanted - 1) / wanted;
  const std::size_t blocks = (tiles + block - 1) / block;
  // The token tiles of one block of rows follow each other, while its weights
  // are in the cache.
  ParallelForEach(
      team, blocks * token_tiles, [&](std::size_t item, std::size_t thread) {
        const std::size_t first = item % token_tiles * most.tokens;
        const std::size_t begin = item / token_tiles * block;
        const TokenRange range{first, std::min(most.tokens, tokens - first)};
        ForEachLayer(layers, begin, std::min(begin + block, tiles),
                     [&](const RowRange& rows) { fn(rows, range, thread); });
      });
}

// Columns that share a scale: all of them but for block scales.
inline std::size_t ScaleCols(const Linear& w) {
  return w.ternary.group == packing::ScaleGroup::kBlock ? w.ternary.block
                                                        : w.cols;
}

}  // namespace tern

#endif  // TERN_RUNTIME_FORWARD_ROW_RANGES_H_
