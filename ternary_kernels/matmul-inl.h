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

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "packing/tiles.h"
#include "ternary_kernels/matmul.h"
#include "ternary_kernels/reference.h"

#include "ternary_kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {

#if TERN_PLAIN_TARGET

inline size_t TokenTileOfTarget() { return 16; }
// The plain product of several tokens is that of each.
inline size_t MinTokensOfTarget() { return 16; }
inline size_t ScratchBytesOfTarget(size_t /*rows*/) { return 0; }

inline void MatMulOfTarget(const TernaryView& w, const MatMulArgs& args,
                           void* /*scratch*/) {
  for (size_t t = 0; t < args.tokens; ++t) {
    reference::MatVec(w, args.x + t * args.x_stride, args.row_begin,
                      args.row_end, args.col_begin, args.col_end,
                      args.sums + t * args.sums_stride);
  }
}

#else  // !TERN_PLAIN_TARGET

using D16 = hn::CappedTag<int16_t, 32>;
using D32 = hn::RepartitionToWide<D16>;
using V16 = hn::Vec<D16>;

inline constexpr size_t kLanes = hn::MaxLanes(D16());
#ifdef TT
inline constexpr size_t kTokens = TT;
#else
inline constexpr size_t kTokens = kLanes == 32 ? 32 : 16;
#endif
inline constexpr size_t kVectors = kTokens / kLanes;

// A table has a slot for every tile byte up to 0xAA = (2, 2, 2, 2); a slot
// holds one sum of each token.
inline constexpr size_t kSlots = 0xAA + 1;
inline constexpr uint8_t kZeroSlot = 0x55;  // (1, 1, 1, 1): no weight
// A pass adds the tables of this many tiles: together they fit a first-level
// cache of 32 KiB (81 of the 171 slots are used: 28 KiB for 8 tables of 16
// tokens, 21 KiB for 4 of 32).
#ifdef PP
inline constexpr size_t kPassTiles = PP;
#else
inline constexpr size_t kPassTiles = kTokens == 32 ? 4 : 8;
#endif
// Tables lie apart so that the used slots fill the sets of such a cache evenly
// (at most 8 lines a set instead of 10).
#ifndef PAD
#define PAD 48
#endif
inline constexpr size_t kTableLanes =
    kSlots * kTokens + (kTokens == 16 ? PAD : 0);
// 64 tiles of at most 4 * 127 are 32512: int16 sums are exact so far.
inline constexpr size_t kFlushTiles = 64;
// Rows whose sums, 6 bytes a token, stay in a second-level cache of 512 KiB.
#ifndef RB
#define RB 2048
#endif
inline constexpr size_t kBlockRows = RB;

struct Scratch {
  int16_t* tables;  // [kPassTiles][kTableLanes]
  int16_t* sums16;  // [rows of a block][kTokens]
  int32_t* sums32;  // [rows of a block][kTokens]
};

inline constexpr size_t kTablesBytes =
    hwy::RoundUpTo(kPassTiles * kTableLanes * sizeof(int16_t), 64);

inline size_t BlockRows(size_t rows) {
  return std::min(packing::PaddedRows(rows), kBlockRows);
}
inline size_t TokenTileOfTarget() { return kTokens; }
inline size_t MinTokensOfTarget() { return kTokens == 32 ? 10 : 6; }
inline size_t ScratchBytesOfTarget(size_t rows) {
  return kTablesBytes +
         BlockRows(rows) * kTokens * (sizeof(int16_t) + sizeof(int32_t));
}

inline Scratch Carve(void* scratch, size_t rows) {
  uint8_t* bytes = static_cast<uint8_t*>(scratch);
  int16_t* tables = reinterpret_cast<int16_t*>(bytes);
  int16_t* sums16 = reinterpret_cast<int16_t*>(bytes + kTablesBytes);
  int32_t* sums32 =
      reinterpret_cast<int32_t*>(sums16 + BlockRows(rows) * kTokens);
  return {tables, sums16, sums32};
}

// lanes[t] = x of token t at column c, 0 beyond the last token and column.
inline void LoadColumn(const MatMulArgs& args, size_t c,
                       int16_t* HWY_RESTRICT lanes) {
  const size_t tokens = c < args.col_end ? args.tokens : 0;
  for (size_t t = 0; t < tokens; ++t) lanes[t] = args.x[t * args.x_stride + c];
  std::fill(lanes + tokens, lanes + kTokens, int16_t{0});
}

// table[d0 + 4 d1 + 16 d2 + 64 d3] = (d0 - 1) x0 + ... + (d3 - 1) x3 for all
// digits in 0..2 and the lanes of one vector: each from another by one
// addition.
HWY_INLINE void BuildTable(const int16_t* HWY_RESTRICT columns,
                           int16_t* HWY_RESTRICT table) {
  const D16 d;
  const V16 x0 = hn::Load(d, columns);
  const V16 x1 = hn::Load(d, columns + kTokens);
  const V16 x2 = hn::Load(d, columns + 2 * kTokens);
  V16 sum3 = hn::Sub(hn::Zero(d), hn::Load(d, columns + 3 * kTokens));
  for (size_t d3 = 0; d3 < 3; ++d3) {
    V16 sum2 = hn::Sub(sum3, x2);
    for (size_t d2 = 0; d2 < 3; ++d2) {
      V16 sum1 = hn::Sub(sum2, x1);
      for (size_t d1 = 0; d1 < 3; ++d1) {
        int16_t* slot = table + (64 * d3 + 16 * d2 + 4 * d1) * kTokens;
        hn::Store(hn::Sub(sum1, x0), d, slot);
        hn::Store(sum1, d, slot + kTokens);
        hn::Store(hn::Add(sum1, x0), d, slot + 2 * kTokens);
        sum1 = hn::Add(sum1, x1);
      }
      sum2 = hn::Add(sum2, x2);
    }
    sum3 = hn::Add(sum3, hn::Load(d, columns + 3 * kTokens));
  }
}

inline void BuildTables(const MatMulArgs& args, size_t group, size_t tiles,
                        int16_t* HWY_RESTRICT tables) {
  HWY_ALIGN int16_t columns[packing::kTileCols * kTokens];
  for (size_t t = 0; t < tiles; ++t) {
    const size_t col = (group + t) * packing::kTileCols;
    for (size_t c = 0; c < packing::kTileCols; ++c) {
      LoadColumn(args, col + c, columns + c * kTokens);
    }
    for (size_t v = 0; v < kTokens; v += kLanes) {
      BuildTable(columns + v, tables + t * kTableLanes + v);
    }
  }
}

// sums[row][t] += tables[tile][code(row, tile)][t] for the strips of 64 rows
// that lie `strip_bytes` apart.
template <size_t kTiles>
HWY_INLINE void AddTables(const uint8_t* HWY_RESTRICT codes, size_t strip_bytes,
                          size_t strips, const int16_t* HWY_RESTRICT tables,
                          int16_t* HWY_RESTRICT sums) {
  const D16 d;
  for (size_t s = 0; s < strips; ++s, codes += strip_bytes) {
    for (size_t t = 0; t < kTiles; ++t) {
      hwy::Prefetch(codes + strip_bytes + t * packing::kTileBytes);
    }
    for (size_t r = 0; r < packing::kTileRows; ++r, sums += kTokens) {
      V16 sum[kVectors];
      for (size_t v = 0; v < kVectors; ++v) {
        sum[v] = hn::Load(d, sums + v * kLanes);
      }
      for (size_t t = 0; t < kTiles; ++t) {
        const int16_t* slot = tables + t * kTableLanes +
                              codes[t * packing::kTileBytes + r] * kTokens;
        for (size_t v = 0; v < kVectors; ++v) {
          sum[v] = hn::Add(sum[v], hn::Load(d, slot + v * kLanes));
        }
      }
      for (size_t v = 0; v < kVectors; ++v) {
        hn::Store(sum[v], d, sums + v * kLanes);
      }
    }
  }
}

// Empties the int16 sums into the int32 ones.
inline void Flush(size_t rows, const Scratch& scratch) {
  const D16 d;
  for (size_t i = 0; i < rows * kTokens; i += kLanes) {
    AddWidened(D32(), hn::Load(d, scratch.sums16 + i), scratch.sums32 + i);
    hn::Store(hn::Zero(d), d, scratch.sums16 + i);
  }
}

// Rows [row, row + rows) of the product; `row` is a multiple of 64.
inline void MultiplyBlock(const TernaryView& w, const MatMulArgs& args,
                          size_t row, size_t rows, const Scratch& scratch) {
  const size_t padded = packing::PaddedRows(rows);
  std::fill(scratch.sums16, scratch.sums16 + padded * kTokens, int16_t{0});
  std::fill(scratch.sums32, scratch.sums32 + padded * kTokens, 0);
  const size_t strip_bytes =
      packing::PaddedCols(w.cols) / packing::kTileCols * packing::kTileBytes;
  const uint8_t* codes = w.tiles + row / packing::kTileRows * strip_bytes;
  const size_t strips = padded / packing::kTileRows;
  const size_t end = hwy::DivCeil(args.col_end, packing::kTileCols);
  size_t pending = 0;
  size_t tiles = 0;
  for (size_t g = args.col_begin / packing::kTileCols; g < end; g += tiles) {
    tiles = g + kPassTiles <= end ? kPassTiles : 1;
    if (pending + tiles > kFlushTiles) {
      Flush(padded, scratch);
      pending = 0;
    }
    pending += tiles;
    BuildTables(args, g, tiles, scratch.tables);
    const uint8_t* first = codes + g * packing::kTileBytes;
    if (tiles == kPassTiles) {
      AddTables<kPassTiles>(first, strip_bytes, strips, scratch.tables,
                            scratch.sums16);
    } else {
      AddTables<1>(first, strip_bytes, strips, scratch.tables, scratch.sums16);
    }
  }
  Flush(padded, scratch);
  for (size_t t = 0; t < args.tokens; ++t) {
    int32_t* sums = args.sums + t * args.sums_stride + row;
    for (size_t r = 0; r < rows; ++r) {
      sums[r] = scratch.sums32[r * kTokens + t];
    }
  }
}

inline void MatMulOfTarget(const TernaryView& w, const MatMulArgs& args,
                           void* scratch) {
  const Scratch parts = Carve(scratch, args.row_end - args.row_begin);
  for (size_t r = args.row_begin; r < args.row_end; r += kBlockRows) {
    MultiplyBlock(w, args, r, std::min(kBlockRows, args.row_end - r), parts);
  }
}

#endif  // TERN_PLAIN_TARGET

}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // TERN_TERNARY_KERNELS_MATMUL_INL_H_
