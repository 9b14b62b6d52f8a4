// The sum-table matmul of one target; see matmul.h for the method.
#if defined(TERN_TERNARY_KERNELS_MATMUL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TERN_TERNARY_KERNELS_MATMUL_INL_H_
#undef TERN_TERNARY_KERNELS_MATMUL_INL_H_
#else
#define TERN_TERNARY_KERNELS_MATMUL_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "packing/tiles.h"
#include "ternary_kernels/matmul.h"
#include "ternary_kernels/reference.h"

#include "ternary_kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {
namespace {  // other kernels use the same short names

#if TERN_PLAIN_TARGET

HWY_NOINLINE inline size_t TokenTileOnTarget() { return 16; }
// Never: MatVec's tables save more here.
HWY_NOINLINE inline size_t MinTokensOnTarget() {
  return std::numeric_limits<size_t>::max();
}
HWY_NOINLINE inline size_t ScratchBytesOnTarget(size_t /*rows*/) { return 0; }

HWY_NOINLINE inline void MatMulOnTarget(const TernaryView& w,
                                        const MatMulArgs& args,
                                        void* /*scratch*/) {
  for (size_t t = 0; t < args.tokens; ++t) {
    reference::MatVec(w, args.x + t * args.x_stride, args.row_begin,
                      args.row_end, args.col_begin, args.col_end,
                      args.sums + t * args.sums_stride);
  }
}

#else  // !TERN_PLAIN_TARGET

// A table has a slot for every tile byte up to 0xAA = (2, 2, 2, 2); a slot
// holds one sum of each token.
inline constexpr size_t kSlots = 0xAA + 1;
// A pass adds the tables of this many tiles.  81 of the 171 slots are used, so
// 8 tables of 16 tokens touch 27 KiB of a first-level cache.
inline constexpr size_t kPassTiles = 8;
// 64 tiles of at most 4 * 127 are 32512: int16 sums are exact so far.
inline constexpr size_t kFlushTiles = 64;
// Rows that share the building of a table; their int16 sums (128 KiB for 16
// tokens) stay in a second-level cache.
inline constexpr size_t kBlockRows = 4096;

inline constexpr size_t kMaxTokens =
    hn::MaxLanes(hn::CappedTag<int16_t, 32>()) == 32 ? 32 : 16;

// 16 tokens fill one 256-bit or two 128-bit vectors, 32 one 512-bit vector.
template <size_t kTokens>
struct TokenTileOf {
  using D16 = hn::CappedTag<int16_t, kTokens>;
  using D32 = hn::RepartitionToWide<D16>;
  using V16 = hn::Vec<D16>;
  static constexpr size_t kLanes = hn::MaxLanes(D16());
  static constexpr size_t kVectors = kTokens / kLanes;
  // Tables of 16 tokens lie 48 lanes further apart than they must, so that no
  // set of a 64-set cache gets more than 8 of the used lines (10 otherwise).
  static constexpr size_t kTableLanes =
      kSlots * kTokens + (kTokens == 16 ? 48 : 0);
  static constexpr size_t kTablesBytes =
      hwy::RoundUpTo(kPassTiles * kTableLanes * sizeof(int16_t), 64);
};

struct Scratch {
  int16_t* tables;  // [kPassTiles][kTableLanes]
  int16_t* sums16;  // [rows of a block][kTokens]
  int32_t* sums32;  // [rows of a block][kTokens]
};

inline size_t BlockRows(size_t rows) {
  return std::min(packing::PaddedRows(rows), kBlockRows);
}
HWY_NOINLINE inline size_t TokenTileOnTarget() { return kMaxTokens; }
// Measured with 6912 x 2560, one thread: 7.2 (SSE4), 9.0 (AVX2), 9.8 (AVX3).
HWY_NOINLINE inline size_t MinTokensOnTarget() {
  return hn::MaxLanes(hn::ScalableTag<int16_t>()) == 8 ? 8 : 10;
}
HWY_NOINLINE inline size_t ScratchBytesOnTarget(size_t rows) {
  return TokenTileOf<kMaxTokens>::kTablesBytes +
         BlockRows(rows) * kMaxTokens * (sizeof(int16_t) + sizeof(int32_t));
}

template <size_t kTokens>
inline Scratch Carve(void* scratch, size_t rows) {
  uint8_t* bytes = static_cast<uint8_t*>(scratch);
  uint8_t* sums16 = bytes + TokenTileOf<kTokens>::kTablesBytes;
  uint8_t* sums32 = sums16 + BlockRows(rows) * kTokens * sizeof(int16_t);
  return {reinterpret_cast<int16_t*>(bytes), reinterpret_cast<int16_t*>(sums16),
          reinterpret_cast<int32_t*>(sums32)};
}

// columns[column of the tile][token] = x, 0 beyond the last token and column.
template <size_t kTokens>
inline void LoadColumns(const MatMulArgs& args, size_t col,
                        int16_t* HWY_RESTRICT columns) {
  std::fill(columns, columns + packing::kTileCols * kTokens, int16_t{0});
  const size_t cols = std::min(packing::kTileCols, args.col_end - col);
  for (size_t t = 0; t < args.tokens; ++t) {
    const int8_t* x = args.x + t * args.x_stride + col;
    for (size_t c = 0; c < cols; ++c) {
      columns[c * kTokens + t] = x[c];
    }
  }
}

// table[d0 + 4 d1 + 16 d2 + 64 d3] = (d0 - 1) x0 + ... + (d3 - 1) x3 for all
// digits in 0..2 and the tokens of one vector: each from another by one
// addition.
template <size_t kTokens>
HWY_INLINE void BuildTable(const int16_t* HWY_RESTRICT columns,
                           int16_t* HWY_RESTRICT table) {
  using Tile = TokenTileOf<kTokens>;
  const typename Tile::D16 d;
  const auto x0 = hn::Load(d, columns);
  const auto x1 = hn::Load(d, columns + kTokens);
  const auto x2 = hn::Load(d, columns + 2 * kTokens);
  const auto x3 = hn::Load(d, columns + 3 * kTokens);
  auto sum3 = hn::Sub(hn::Zero(d), x3);
  for (size_t d3 = 0; d3 < 3; ++d3, sum3 = hn::Add(sum3, x3)) {
    auto sum2 = hn::Sub(sum3, x2);
    for (size_t d2 = 0; d2 < 3; ++d2, sum2 = hn::Add(sum2, x2)) {
      auto sum1 = hn::Sub(sum2, x1);
      for (size_t d1 = 0; d1 < 3; ++d1, sum1 = hn::Add(sum1, x1)) {
        int16_t* slot = table + (64 * d3 + 16 * d2 + 4 * d1) * kTokens;
        hn::Store(hn::Sub(sum1, x0), d, slot);
        hn::Store(sum1, d, slot + kTokens);
        hn::Store(hn::Add(sum1, x0), d, slot + 2 * kTokens);
      }
    }
  }
}

template <size_t kTokens>
inline void BuildTables(const MatMulArgs& args, size_t group, size_t tiles,
                        int16_t* HWY_RESTRICT tables) {
  using Tile = TokenTileOf<kTokens>;
  HWY_ALIGN int16_t columns[packing::kTileCols * kTokens];
  for (size_t t = 0; t < tiles; ++t, tables += Tile::kTableLanes) {
    LoadColumns<kTokens>(args, (group + t) * packing::kTileCols, columns);
    for (size_t lane = 0; lane < kTokens; lane += Tile::kLanes) {
      BuildTable<kTokens>(columns + lane, tables + lane);
    }
  }
}

// sums[row][token] += tables[tile][code(row, tile)][token] for the strips of 64
// rows that lie `strip_bytes` apart.
template <size_t kTokens, size_t kTiles>
HWY_INLINE void AddTables(const uint8_t* HWY_RESTRICT codes, size_t strip_bytes,
                          size_t strips, const int16_t* HWY_RESTRICT tables,
                          int16_t* HWY_RESTRICT sums) {
  using Tile = TokenTileOf<kTokens>;
  const typename Tile::D16 d;
  for (size_t s = 0; s < strips; ++s, codes += strip_bytes) {
    for (size_t t = 0; t < kTiles; ++t) {
      hwy::Prefetch(codes + strip_bytes + t * packing::kTileBytes);
    }
    for (size_t r = 0; r < packing::kTileRows; ++r, sums += kTokens) {
      typename Tile::V16 sum[Tile::kVectors];
      for (size_t v = 0; v < Tile::kVectors; ++v) {
        sum[v] = hn::Load(d, sums + v * Tile::kLanes);
      }
      for (size_t t = 0; t < kTiles; ++t) {
        const int16_t* slot = tables + t * Tile::kTableLanes +
                              codes[t * packing::kTileBytes + r] * kTokens;
        for (size_t v = 0; v < Tile::kVectors; ++v) {
          sum[v] = hn::Add(sum[v], hn::Load(d, slot + v * Tile::kLanes));
        }
      }
      for (size_t v = 0; v < Tile::kVectors; ++v) {
        hn::Store(sum[v], d, sums + v * Tile::kLanes);
      }
    }
  }
}

// Empties the int16 sums into the int32 ones.
template <size_t kTokens>
inline void Flush(size_t rows, const Scratch& scratch) {
  using Tile = TokenTileOf<kTokens>;
  const typename Tile::D16 d;
  for (size_t i = 0; i < rows * kTokens; i += Tile::kLanes) {
    AddWidened(typename Tile::D32(), hn::Load(d, scratch.sums16 + i),
               scratch.sums32 + i);
    hn::Store(hn::Zero(d), d, scratch.sums16 + i);
  }
}

// Fills sums32 for the strips of 64 rows from `codes` on.
template <size_t kTokens>
inline void SumBlock(const MatMulArgs& args, const uint8_t* codes,
                     size_t strip_bytes, size_t strips,
                     const Scratch& scratch) {
  const size_t rows = strips * packing::kTileRows;
  std::fill(scratch.sums16, scratch.sums16 + rows * kTokens, int16_t{0});
  std::fill(scratch.sums32, scratch.sums32 + rows * kTokens, 0);
  const size_t end = hwy::DivCeil(args.col_end, packing::kTileCols);
  size_t pending = 0;  // tiles in sums16
  size_t tiles = 0;
  for (size_t g = args.col_begin / packing::kTileCols; g < end; g += tiles) {
    tiles = g + kPassTiles <= end ? kPassTiles : 1;
    if (pending + tiles > kFlushTiles) {
      Flush<kTokens>(rows, scratch);
      pending = 0;
    }
    pending += tiles;
    BuildTables<kTokens>(args, g, tiles, scratch.tables);
    const uint8_t* first = codes + g * packing::kTileBytes;
    if (tiles == kPassTiles) {
      AddTables<kTokens, kPassTiles>(first, strip_bytes, strips, scratch.tables,
                                     scratch.sums16);
    } else {
      AddTables<kTokens, 1>(first, strip_bytes, strips, scratch.tables,
                            scratch.sums16);
    }
  }
  Flush<kTokens>(rows, scratch);
}

template <size_t kTokens>
inline void MultiplyTile(const TernaryView& w, const MatMulArgs& args,
                         void* scratch) {
  const Scratch parts = Carve<kTokens>(scratch, args.row_end - args.row_begin);
  const size_t strip_bytes =
      packing::PaddedCols(w.cols) / packing::kTileCols * packing::kTileBytes;
  for (size_t row = args.row_begin; row < args.row_end; row += kBlockRows) {
    const size_t rows = std::min(kBlockRows, args.row_end - row);
    SumBlock<kTokens>(args, w.tiles + row / packing::kTileRows * strip_bytes,
                      strip_bytes, hwy::DivCeil(rows, packing::kTileRows),
                      parts);
    for (size_t t = 0; t < args.tokens; ++t) {
      int32_t* sums = args.sums + t * args.sums_stride + row;
      for (size_t r = 0; r < rows; ++r) {
        sums[r] = parts.sums32[r * kTokens + t];
      }
    }
  }
}

HWY_NOINLINE inline void MatMulOnTarget(const TernaryView& w,
                                        const MatMulArgs& args, void* scratch) {
  if (args.tokens <= 16) {
    MultiplyTile<16>(w, args, scratch);
  } else {
    MultiplyTile<kMaxTokens>(w, args, scratch);
  }
}

#endif  // TERN_PLAIN_TARGET

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // TERN_TERNARY_KERNELS_MATMUL_INL_H_
