// The sum-table matmul of float activations on one target: as matmul.h has it
// for int8, with the additions in the order of float_sums.h.
#if defined(TERN_TERNARY_KERNELS_FLOAT_MATMUL_INL_H_) == \
    defined(HWY_TARGET_TOGGLE)
#ifdef TERN_TERNARY_KERNELS_FLOAT_MATMUL_INL_H_
#undef TERN_TERNARY_KERNELS_FLOAT_MATMUL_INL_H_
#else
#define TERN_TERNARY_KERNELS_FLOAT_MATMUL_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "packing/tiles.h"
#include "ternary_kernels/float_sums.h"
#include "ternary_kernels/reference.h"

#include "ternary_kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {
namespace {  // other kernels use the same short names

#if TERN_PLAIN_TARGET

HWY_NOINLINE inline size_t TokenTileOnTarget() { return 16; }
// Never: there is nothing to share.
HWY_NOINLINE inline size_t MinTokensOnTarget() {
  return std::numeric_limits<size_t>::max();
}
HWY_NOINLINE inline size_t ScratchBytesOnTarget(size_t /*rows*/) { return 0; }

HWY_NOINLINE inline void MatMulOnTarget(const TernaryView& w,
                                        const FloatMatMulArgs& args,
                                        void* /*scratch*/) {
  for (size_t t = 0; t < args.tokens; ++t) {
    reference::FloatMatVec(w, args.x + t * args.x_stride, args.row_begin,
                           args.row_end, args.col_begin, args.col_end,
                           args.sums + t * args.sums_stride);
  }
}

#else  // !TERN_PLAIN_TARGET

inline constexpr size_t kTokens = 16;
// A table has a slot for every tile byte up to 0xAA = (2, 2, 2, 2); a slot
// holds one sum of each token.
inline constexpr size_t kSlots = 0xAA + 1;
// A pass adds the tables of this many tiles; it divides kFloatBlockGroups. They
// take 41 KiB, more than most first-level caches, yet fewer tables are slower:
// the rows' sums are then read and written more often.
inline constexpr size_t kPassTiles = 8;
// Rows that share the building of a table; their sums of a block (128 KiB) stay
// in a second-level cache.
inline constexpr size_t kRowsAtOnce = 2048;
// Tables lie so much further apart than they must that no set of a 64-set cache
// gets more than 12 of the used lines (18 otherwise).
inline constexpr size_t kTableLanes = kSlots * kTokens + 224;

using DT = hn::CappedTag<float, kTokens>;
using VT = hn::Vec<DT>;
inline constexpr size_t kLanes = hn::MaxLanes(DT());
inline constexpr size_t kTokenVectors = kTokens / kLanes;

inline constexpr size_t kTablesBytes =
    hwy::RoundUpTo(kPassTiles * kTableLanes * sizeof(float), 64);

struct Scratch {
  float* tables;  // [kPassTiles][kTableLanes]
  float* block;   // [rows at once][kTokens], the sums of up to 64 groups
  float* total;   // [rows at once][kTokens]
};

inline size_t RowsAtOnce(size_t rows) {
  return std::min(packing::PaddedRows(rows), kRowsAtOnce);
}
HWY_NOINLINE inline size_t TokenTileOnTarget() { return kTokens; }
// Measured with 6912 x 2560, one thread: 4.1 (SSE4), 4.7 (AVX2), 7.1 (AVX3).
HWY_NOINLINE inline size_t MinTokensOnTarget() {
  return hn::MaxLanes(hn::ScalableTag<float>()) == 16 ? 8 : 5;
}
HWY_NOINLINE inline size_t ScratchBytesOnTarget(size_t rows) {
  return kTablesBytes + 2 * RowsAtOnce(rows) * kTokens * sizeof(float);
}

inline Scratch Carve(void* scratch, size_t rows) {
  uint8_t* bytes = static_cast<uint8_t*>(scratch);
  float* block = reinterpret_cast<float*>(bytes + kTablesBytes);
  return {reinterpret_cast<float*>(bytes), block,
          block + RowsAtOnce(rows) * kTokens};
}

// columns[column][token] = x[token][column] of four tokens and four columns.
HWY_INLINE void Transpose(const float* HWY_RESTRICT x, size_t x_stride,
                          float* HWY_RESTRICT columns) {
  const hn::FixedTag<float, 4> d;
  const hn::FixedTag<uint64_t, 2> d64;
  const auto v0 = hn::LoadU(d, x);
  const auto v1 = hn::LoadU(d, x + x_stride);
  const auto v2 = hn::LoadU(d, x + 2 * x_stride);
  const auto v3 = hn::LoadU(d, x + 3 * x_stride);
  const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d, v0, v1));
  const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d, v2, v3));
  const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d, v0, v1));
  const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d, v2, v3));
  const auto store = [&](hn::Vec<decltype(d64)> v, size_t column) HWY_ATTR {
    hn::Store(hn::BitCast(d, v), d, columns + column * kTokens);
  };
  store(hn::InterleaveLower(d64, low01, low23), 0);
  store(hn::InterleaveUpper(d64, low01, low23), 1);
  store(hn::InterleaveLower(d64, high01, high23), 2);
  store(hn::InterleaveUpper(d64, high01, high23), 3);
}

// columns[column of the tile][token] = x, 0 beyond the last token and column.
inline void LoadColumns(const FloatMatMulArgs& args, size_t col,
                        float* HWY_RESTRICT columns) {
  const size_t cols = std::min(packing::kTileCols, args.col_end - col);
  const float* x = args.x + col;
  size_t t = 0;
  if (cols == packing::kTileCols) {
    for (; t + 4 <= args.tokens; t += 4) {
      Transpose(x + t * args.x_stride, args.x_stride, columns + t);
    }
  }
  for (; t < kTokens; ++t) {
    for (size_t c = 0; c < packing::kTileCols; ++c) {
      const bool inside = t < args.tokens && c < cols;
      columns[c * kTokens + t] = inside ? x[t * args.x_stride + c] : 0.0F;
    }
  }
}

// pairs[3 d1 + d0] = (d0 - 1) x0 + (d1 - 1) x1 for the tokens of one vector.
HWY_INLINE void SumPairsOfTokens(VT x0, VT x1, VT* pairs) {
  const VT zero = hn::Zero(DT());
  const VT terms0[3] = {hn::Neg(x0), zero, x0};
  const VT terms1[3] = {hn::Neg(x1), zero, x1};
  for (size_t d1 = 0; d1 < 3; ++d1) {
    for (size_t d0 = 0; d0 < 3; ++d0) {
      pairs[3 * d1 + d0] = hn::Add(terms0[d0], terms1[d1]);
    }
  }
}

// table[d0 + 4 d1 + 16 d2 + 64 d3] = the group's sum for all digits in 0..2 and
// the tokens of one vector.
HWY_INLINE void BuildTable(const float* HWY_RESTRICT columns,
                           float* HWY_RESTRICT table) {
  const DT d;
  VT first[9];
  VT second[9];
  SumPairsOfTokens(hn::Load(d, columns), hn::Load(d, columns + kTokens), first);
  SumPairsOfTokens(hn::Load(d, columns + 2 * kTokens),
                   hn::Load(d, columns + 3 * kTokens), second);
  for (size_t high = 0; high < 9; ++high) {
    for (size_t low = 0; low < 9; ++low) {
      const size_t slot =
          low % 3 + 4 * (low / 3) + 16 * (high % 3 + 4 * (high / 3));
      hn::Store(hn::Add(first[low], second[high]), d, table + slot * kTokens);
    }
  }
}

inline void BuildTables(const FloatMatMulArgs& args, size_t group, size_t tiles,
                        float* HWY_RESTRICT tables) {
  HWY_ALIGN float columns[packing::kTileCols * kTokens];
  for (size_t t = 0; t < tiles; ++t, tables += kTableLanes) {
    LoadColumns(args, args.col_begin + (group + t) * packing::kTileCols,
                columns);
    for (size_t lane = 0; lane < kTokens; lane += kLanes) {
      BuildTable(columns + lane, tables + lane);
    }
  }
}

// sums[row][token] += tables[tile][code(row, tile)][token], tile after tile,
// for the strips of 64 rows that lie `strip_bytes` apart.
template <size_t kTiles>
HWY_INLINE void AddTables(const uint8_t* HWY_RESTRICT codes, size_t strip_bytes,
                          size_t strips, const float* HWY_RESTRICT tables,
                          float* HWY_RESTRICT sums) {
  const DT d;
  for (size_t s = 0; s < strips; ++s, codes += strip_bytes) {
    for (size_t t = 0; t < kTiles; ++t) {
      hwy::Prefetch(codes + strip_bytes + t * packing::kTileBytes);
    }
    for (size_t r = 0; r < packing::kTileRows; ++r, sums += kTokens) {
      VT sum[kTokenVectors];
      for (size_t v = 0; v < kTokenVectors; ++v) {
        sum[v] = hn::Load(d, sums + v * kLanes);
      }
      for (size_t t = 0; t < kTiles; ++t) {
        const float* slot = tables + t * kTableLanes +
                            codes[t * packing::kTileBytes + r] * kTokens;
        for (size_t v = 0; v < kTokenVectors; ++v) {
          sum[v] = hn::Add(sum[v], hn::Load(d, slot + v * kLanes));
        }
      }
      for (size_t v = 0; v < kTokenVectors; ++v) {
        hn::Store(sum[v], d, sums + v * kLanes);
      }
    }
  }
}

// Empties the sums of a block into the totals.
inline void Flush(size_t rows, const Scratch& scratch) {
  const DT d;
  for (size_t i = 0; i < rows * kTokens; i += kLanes) {
    const VT total = hn::Load(d, scratch.total + i);
    hn::Store(hn::Add(total, hn::Load(d, scratch.block + i)), d,
              scratch.total + i);
    hn::Store(hn::Zero(d), d, scratch.block + i);
  }
}

// Fills the totals of the strips of 64 rows from `codes` on, the tiles of
// column col_begin.
inline void SumStrips(const FloatMatMulArgs& args, const uint8_t* codes,
                      size_t strip_bytes, size_t strips,
                      const Scratch& scratch) {
  const size_t rows = strips * packing::kTileRows;
  std::fill(scratch.block, scratch.block + rows * kTokens, 0.0F);
  std::fill(scratch.total, scratch.total + rows * kTokens, 0.0F);
  const size_t groups =
      hwy::DivCeil(args.col_end - args.col_begin, packing::kTileCols);
  for (size_t tiles = 0, g = 0; g < groups; g += tiles) {
    tiles = g + kPassTiles <= groups ? kPassTiles : 1;
    BuildTables(args, g, tiles, scratch.tables);
    const uint8_t* first = codes + g * packing::kTileBytes;
    if (tiles == kPassTiles) {
      AddTables<kPassTiles>(first, strip_bytes, strips, scratch.tables,
                            scratch.block);
    } else {
      AddTables<1>(first, strip_bytes, strips, scratch.tables, scratch.block);
    }
    if ((g + tiles) % kFloatBlockGroups == 0) Flush(rows, scratch);
  }
  Flush(rows, scratch);
}

HWY_NOINLINE inline void MatMulOnTarget(const TernaryView& w,
                                        const FloatMatMulArgs& args,
                                        void* scratch) {
  const Scratch parts = Carve(scratch, args.row_end - args.row_begin);
  const size_t strip_bytes =
      packing::PaddedCols(w.cols) / packing::kTileCols * packing::kTileBytes;
  const uint8_t* tiles =
      w.tiles + args.col_begin / packing::kTileCols * packing::kTileBytes;
  for (size_t row = args.row_begin; row < args.row_end; row += kRowsAtOnce) {
    const size_t rows = std::min(kRowsAtOnce, args.row_end - row);
    SumStrips(args, tiles + row / packing::kTileRows * strip_bytes, strip_bytes,
              hwy::DivCeil(rows, packing::kTileRows), parts);
    for (size_t t = 0; t < args.tokens; ++t) {
      float* sums = args.sums + t * args.sums_stride + row;
      for (size_t r = 0; r < rows; ++r) {
        sums[r] = parts.total[r * kTokens + t];
      }
    }
  }
}

#endif  // TERN_PLAIN_TARGET

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // TERN_TERNARY_KERNELS_FLOAT_MATMUL_INL_H_
