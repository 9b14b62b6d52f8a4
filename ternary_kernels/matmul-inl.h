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

#include "ternary_kernels/matmul_rows-inl.h"
#include "ternary_kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {
namespace {  // other kernels use the same short names

#if TERN_PLAIN_TARGET

inline constexpr size_t kMaxTokens = 16;

// Never: MatVec's tables save more here.
HWY_NOINLINE inline size_t MinTokensOnTarget() {
  return std::numeric_limits<size_t>::max();
}
HWY_NOINLINE inline size_t ScratchBytesOnTarget(size_t /*rows*/) { return 0; }

HWY_NOINLINE inline void MatMulOnTarget(const TernaryView& w,
                                        const MatMulArgs& args,
                                        void* /*scratch*/) {
  for (size_t t = 0; t < args.tokens; ++t) {
    int32_t* sums = args.sums + t * args.sums_stride;
    for (size_t r = args.row_begin; r < args.row_end; ++r) {
      int32_t sum = 0;
      for (size_t c = args.col_begin; c < args.col_end; ++c) {
        const unsigned code = packing::TileCode(w.tiles, w.cols, r, c);
        const int8_t x = args.packed[c * kMaxTokens + t];
        sum += code == 2 ? x : code == 0 ? -x : 0;
      }
      sums[r] = sum;
    }
  }
}

#else  // !TERN_PLAIN_TARGET

// Rows that share the building of a table.  Their int16 sums (288 KiB for 32
// tokens) should stay in a second-level cache; callers take fewer rows on
// machines with a small one.
inline constexpr size_t kBlockRows = 4608;

inline constexpr size_t kMaxTokens =
    hn::MaxLanes(hn::ScalableTag<int16_t>()) == 8 ? 16 : 32;

struct Scratch {
  int16_t* tables;  // [kPassTiles][kSlots][kTokens]
  int16_t* sums16;  // [rows of a block][kTokens]
  int32_t* sums32;  // [rows of a block][kTokens]
};

inline size_t BlockRows(size_t rows) {
  return std::min(packing::PaddedRows(rows), kBlockRows);
}
// Measured with 6912 x 2560, one thread, in the caches: 6.8 (SSE4), 8.4 (AVX2),
// 9.5 (AVX3).
HWY_NOINLINE inline size_t MinTokensOnTarget() {
  return kMaxTokens == 16 ? 7 : 9;
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

// table[d0 + 3 d1 + 9 d2 + 27 d3] = (d0 - 1) x0 + ... + (d3 - 1) x3 for all
// digits in 0..2 and the tokens of one vector: each from another by one
// addition.  Adds to `most` how far from zero the sums can be.
template <size_t kTokens>
HWY_INLINE void BuildTable(const int8_t* HWY_RESTRICT columns,
                           int16_t* HWY_RESTRICT table,
                           typename TokenTileOf<kTokens>::V16* most) {
  using Tile = TokenTileOf<kTokens>;
  const typename Tile::D16 d;
  const typename Tile::D8 d8;
  const auto x0 = hn::PromoteTo(d, hn::Load(d8, columns));
  const auto x1 = hn::PromoteTo(d, hn::Load(d8, columns + kTokens));
  const auto x2 = hn::PromoteTo(d, hn::Load(d8, columns + 2 * kTokens));
  const auto x3 = hn::PromoteTo(d, hn::Load(d8, columns + 3 * kTokens));
  const auto reach = hn::Add(hn::Add(hn::Abs(x0), hn::Abs(x1)),
                             hn::Add(hn::Abs(x2), hn::Abs(x3)));
  *most = hn::Add(*most, reach);
  auto sum3 = hn::Sub(hn::Zero(d), x3);
  for (size_t d3 = 0; d3 < 3; ++d3, sum3 = hn::Add(sum3, x3)) {
    auto sum2 = hn::Sub(sum3, x2);
    for (size_t d2 = 0; d2 < 3; ++d2, sum2 = hn::Add(sum2, x2)) {
      auto sum1 = hn::Sub(sum2, x1);
      for (size_t d1 = 0; d1 < 3; ++d1, sum1 = hn::Add(sum1, x1)) {
        hn::Store(hn::Sub(sum1, x0), d, table);
        hn::Store(sum1, d, table + kTokens);
        hn::Store(hn::Add(sum1, x0), d, table + 2 * kTokens);
        table += 3 * kTokens;
      }
    }
  }
}

// How far from zero the sum of each token can be, by the activations that went
// into it: when it could leave int16 the sums are flushed, after 64 tiles of
// activations +-127 and hardly ever for those of a real model.
template <size_t kTokens>
struct Reach {
  using Tile = TokenTileOf<kTokens>;
  typename Tile::V16 most[Tile::kVectors];

  HWY_INLINE Reach() {
    for (auto& m : most) m = hn::Zero(typename Tile::D16());
  }
  // Adds that of another pass; false, and nothing but that of the other pass is
  // left, if a sum might not fit.
  HWY_INLINE bool Add(const Reach& pass) {
    const typename Tile::D16 d;
    bool fits = true;
    for (size_t v = 0; v < Tile::kVectors; ++v) {
      most[v] = hn::SaturatedAdd(most[v], pass.most[v]);
      fits = fits && hn::AllTrue(d, hn::Lt(most[v], hn::Set(d, 32767)));
    }
    if (!fits) *this = pass;
    return fits;
  }
};

// The tables of tiles [group, group + tiles) and, for the rest of the pass,
// tables whose sums are zero.
template <size_t kTokens>
inline void BuildTables(const MatMulArgs& args, size_t group, size_t tiles,
                        int16_t* HWY_RESTRICT tables, Reach<kTokens>* reach) {
  using Tile = TokenTileOf<kTokens>;
  for (size_t t = 0; t < tiles; ++t, tables += Tile::kTableLanes) {
    const int8_t* columns =
        args.packed + (group + t) * packing::kTileCols * kTokens;
    for (size_t v = 0; v < Tile::kVectors; ++v) {
      BuildTable<kTokens>(columns + v * Tile::kLanes, tables + v * Tile::kLanes,
                          &reach->most[v]);
    }
  }
  std::fill(tables, tables + (kPassTiles - tiles) * Tile::kTableLanes,
            int16_t{0});
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
  Reach<kTokens> reach;
  for (size_t g = args.col_begin / packing::kTileCols; g < end;
       g += kPassTiles) {
    const size_t tiles = std::min(kPassTiles, end - g);
    Reach<kTokens> pass;  // 8 * 4 * 127 = 4064 at most
    BuildTables<kTokens>(args, g, tiles, scratch.tables, &pass);
    if (!reach.Add(pass)) Flush<kTokens>(rows, scratch);
    AddTables<kTokens>(codes + g * packing::kTileBytes, tiles, strip_bytes,
                       strips, scratch.tables, scratch.sums16);
  }
  Flush<kTokens>(rows, scratch);
}

// sums[t * stride + r] = from[r][t], r < 4, t < 4.
HWY_INLINE void Transpose4x4(const int32_t* HWY_RESTRICT from,
                             size_t from_stride, int32_t* HWY_RESTRICT sums,
                             size_t stride) {
  const hn::FixedTag<int32_t, 4> d;
  const hn::FixedTag<int64_t, 2> d64;
  const auto r0 = hn::Load(d, from);
  const auto r1 = hn::Load(d, from + from_stride);
  const auto r2 = hn::Load(d, from + 2 * from_stride);
  const auto r3 = hn::Load(d, from + 3 * from_stride);
  const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d, r0, r1));
  const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d, r2, r3));
  const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d, r0, r1));
  const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d, r2, r3));
  const auto store = [&](auto v, size_t t) HWY_ATTR {
    hn::StoreU(hn::BitCast(d, v), d, sums + t * stride);
  };
  store(hn::InterleaveLower(d64, low01, low23), 0);
  store(hn::InterleaveUpper(d64, low01, low23), 1);
  store(hn::InterleaveLower(d64, high01, high23), 2);
  store(hn::InterleaveUpper(d64, high01, high23), 3);
}

// args.sums of rows [row, row + rows) = sums32 [rows][kTokens].
template <size_t kTokens>
inline void StoreSums(const MatMulArgs& args, size_t row, size_t rows,
                      const int32_t* HWY_RESTRICT sums32) {
  const size_t whole_rows = rows / 4 * 4;
  const size_t whole_tokens = args.tokens / 4 * 4;
  for (size_t r = 0; r < rows; r += 4) {
    for (size_t t = 0; t < args.tokens; t += 4) {
      const int32_t* from = sums32 + r * kTokens + t;
      int32_t* to = args.sums + t * args.sums_stride + row + r;
      if (r < whole_rows && t < whole_tokens) {
        Transpose4x4(from, kTokens, to, args.sums_stride);
        continue;
      }
      for (size_t i = r; i < std::min(r + 4, rows); ++i) {
        for (size_t j = t; j < std::min(t + 4, args.tokens); ++j) {
          args.sums[j * args.sums_stride + row + i] = sums32[i * kTokens + j];
        }
      }
    }
  }
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
    StoreSums<kTokens>(args, row, rows, parts.sums32);
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

HWY_NOINLINE inline size_t TokenTileOnTarget() { return kMaxTokens; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // TERN_TERNARY_KERNELS_MATMUL_INL_H_
