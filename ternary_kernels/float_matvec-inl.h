// The look-up matvec of float activations on one target; see float_sums.h for
// the order of the additions.
//
// A nibble of a tile byte holds the codes of two neighbouring columns, so it is
// the index of a table of the pair's 16 sums t0 x0 + t1 x1, each made by the
// very addition that the order asks for.  Where a vector holds 16 floats a
// permutation of lanes looks up; elsewhere four byte shuffles do, one for each
// byte of a float, and interleaving puts the floats together.
#if defined(TERN_TERNARY_KERNELS_FLOAT_MATVEC_INL_H_) == \
    defined(HWY_TARGET_TOGGLE)
#ifdef TERN_TERNARY_KERNELS_FLOAT_MATVEC_INL_H_
#undef TERN_TERNARY_KERNELS_FLOAT_MATVEC_INL_H_
#else
#define TERN_TERNARY_KERNELS_FLOAT_MATVEC_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

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

// args has one token.
HWY_NOINLINE inline void MatVecOnTarget(const TernaryView& w,
                                        const FloatMatMulArgs& args) {
  reference::FloatMatVec(w, args.x, args.row_begin, args.row_end,
                         args.col_begin, args.col_end, args.sums);
}

#else  // !TERN_PLAIN_TARGET

// A part is the rows of a tile whose bytes fill a vector; their sums fill four
// vectors of floats.
using D8 = hn::CappedTag<uint8_t, packing::kTileBytes>;
using D32 = hn::Repartition<uint32_t, D8>;
using DF = hn::Repartition<float, D8>;
using V8 = hn::Vec<D8>;
using VF = hn::Vec<DF>;
inline constexpr size_t kPartRows = hn::MaxLanes(D8());
inline constexpr size_t kVectors = 4;
inline constexpr size_t kBlockCols = kFloatBlockGroups * packing::kTileCols;

// The two tables of a tile: columns 0, 1, then 2, 3.
inline constexpr size_t kEntries = 16;
inline constexpr size_t kPairTableBytes = kEntries * sizeof(float);
inline constexpr size_t kTileTableBytes = 2 * kPairTableBytes;

// entries[c0 + 4 c1] = (c0 - 1) x0 + (c1 - 1) x1; code 3 counts as weight 0.
HWY_INLINE void SumPairs(float x0, float x1, float* HWY_RESTRICT entries) {
  using D = hn::CappedTag<float, kEntries>;
  const D d;
  const hn::RebindToUnsigned<D> du;
  constexpr uint32_t kAll = ~uint32_t{0};
  constexpr uint32_t kSign = uint32_t{1} << 31;
  // What to keep of +-x, and where to change its sign, for each code.
  HWY_ALIGN static constexpr uint32_t kKeep0[kEntries] = {
      kAll, 0, kAll, 0, kAll, 0, kAll, 0, kAll, 0, kAll, 0, kAll, 0, kAll, 0};
  HWY_ALIGN static constexpr uint32_t kFlip0[kEntries] = {
      kSign, 0, 0, 0, kSign, 0, 0, 0, kSign, 0, 0, 0, kSign, 0, 0, 0};
  HWY_ALIGN static constexpr uint32_t kKeep1[kEntries] = {
      kAll, kAll, kAll, kAll, 0, 0, 0, 0, kAll, kAll, kAll, kAll, 0, 0, 0, 0};
  HWY_ALIGN static constexpr uint32_t kFlip1[kEntries] = {kSign, kSign, kSign,
                                                          kSign};
  const auto term = [&](float x, const uint32_t* keep,
                        const uint32_t* flip) HWY_ATTR {
    const auto bits = hn::BitCast(du, hn::Set(d, x));
    return hn::BitCast(
        d, hn::And(hn::Xor(bits, hn::Load(du, flip)), hn::Load(du, keep)));
  };
  for (size_t n = 0; n < kEntries; n += hn::MaxLanes(d)) {
    hn::Store(hn::Add(term(x0, kKeep0 + n, kFlip0 + n),
                      term(x1, kKeep1 + n, kFlip1 + n)),
              d, entries + n);
  }
}

#if HWY_MAX_BYTES == 64

HWY_INLINE void BuildPairTable(float x0, float x1,
                               uint8_t* HWY_RESTRICT table) {
  SumPairs(x0, x1, reinterpret_cast<float*>(table));
}

// sums[j] += one group of four columns; lane i of it is row 4 i + j.
HWY_INLINE void AddGroup(V8 codes, const uint8_t* HWY_RESTRICT table,
                         VF* sums) {
  const DF d;
  const VF first = hn::Load(d, reinterpret_cast<const float*>(table));
  const VF second =
      hn::Load(d, reinterpret_cast<const float*>(table + kPairTableBytes));
  const auto bytes = hn::BitCast(D32(), codes);
  const auto look_up = [&](VF entries, hn::Vec<D32> indices) HWY_ATTR {
    const auto nibbles = hn::And(indices, hn::Set(D32(), 15));
    return hn::TableLookupLanes(entries, hn::IndicesFromVec(d, nibbles));
  };
  const auto add = [&](VF sum, hn::Vec<D32> low, hn::Vec<D32> high) HWY_ATTR {
    return hn::Add(sum, hn::Add(look_up(first, low), look_up(second, high)));
  };
  sums[0] = add(sums[0], bytes, hn::ShiftRight<4>(bytes));
  sums[1] = add(sums[1], hn::ShiftRight<8>(bytes), hn::ShiftRight<12>(bytes));
  sums[2] = add(sums[2], hn::ShiftRight<16>(bytes), hn::ShiftRight<20>(bytes));
  sums[3] = add(sums[3], hn::ShiftRight<24>(bytes), hn::ShiftRight<28>(bytes));
}

// rows[kPartRows] in their order.
HWY_INLINE void StoreRows(const VF* sums, float* HWY_RESTRICT rows) {
  hn::StoreInterleaved4(sums[0], sums[1], sums[2], sums[3], DF(), rows);
}

#else  // HWY_MAX_BYTES < 64

// The first bytes of the 16 entries, then the second, third and fourth.
HWY_INLINE void BuildPairTable(float x0, float x1,
                               uint8_t* HWY_RESTRICT table) {
  HWY_ALIGN float entries[kEntries];
  SumPairs(x0, x1, entries);
  const hn::FixedTag<uint8_t, kEntries> d;
  hn::Vec<decltype(d)> byte[4];
  hn::LoadInterleaved4(d, reinterpret_cast<const uint8_t*>(entries), byte[0],
                       byte[1], byte[2], byte[3]);
  for (size_t b = 0; b < 4; ++b) {
    hn::Store(byte[b], d, table + b * kEntries);
  }
}

// floats[k] = the entries of 4 rows in each 128-bit block, 4 k to 4 k + 3 of
// the 16 that the block's nibbles belong to.
HWY_INLINE void LookUpPair(V8 nibbles, const uint8_t* HWY_RESTRICT table,
                           VF* floats) {
  const D8 d8;
  const hn::Repartition<uint16_t, D8> d16;
  const DF df;
  V8 byte[4];
  for (size_t b = 0; b < 4; ++b) {
    byte[b] =
        hn::TableLookupBytes(hn::LoadDup128(d8, table + b * kEntries), nibbles);
  }
  const auto low0 = hn::BitCast(d16, hn::InterleaveLower(d8, byte[0], byte[1]));
  const auto low1 = hn::BitCast(d16, hn::InterleaveUpper(d8, byte[0], byte[1]));
  const auto high0 =
      hn::BitCast(d16, hn::InterleaveLower(d8, byte[2], byte[3]));
  const auto high1 =
      hn::BitCast(d16, hn::InterleaveUpper(d8, byte[2], byte[3]));
  floats[0] = hn::BitCast(df, hn::InterleaveLower(d16, low0, high0));
  floats[1] = hn::BitCast(df, hn::InterleaveUpper(d16, low0, high0));
  floats[2] = hn::BitCast(df, hn::InterleaveLower(d16, low1, high1));
  floats[3] = hn::BitCast(df, hn::InterleaveUpper(d16, low1, high1));
}

// sums[k] += one group of four columns.
HWY_INLINE void AddGroup(V8 codes, const uint8_t* HWY_RESTRICT table,
                         VF* sums) {
  VF first[kVectors];
  VF second[kVectors];
  LookUpPair(hn::And(codes, hn::Set(D8(), 15)), table, first);
  LookUpPair(hn::ShiftRight<4>(codes), table + kPairTableBytes, second);
  for (size_t k = 0; k < kVectors; ++k) {
    sums[k] = hn::Add(sums[k], hn::Add(first[k], second[k]));
  }
}

// rows[kPartRows] in their order.
HWY_INLINE void StoreRows(const VF* sums, float* HWY_RESTRICT rows) {
  const DF d;
  for (size_t k = 0; k < kVectors; ++k) {
#if HWY_MAX_BYTES == 32
    const hn::Half<DF> half;
    hn::Store(hn::LowerHalf(sums[k]), half, rows + 4 * k);
    hn::Store(hn::UpperHalf(half, sums[k]), half, rows + 16 + 4 * k);
#else
    hn::Store(sums[k], d, rows + 4 * k);
#endif
  }
}

#endif  // HWY_MAX_BYTES

// The tables of `groups` groups of four columns, of which the last may miss
// some: there x counts as 0.
HWY_INLINE void BuildTables(const float* x, size_t cols,
                            uint8_t* HWY_RESTRICT tables) {
  for (size_t c = 0; c < cols; c += packing::kTileCols) {
    float four[packing::kTileCols] = {};
    std::copy(x + c, x + std::min(c + packing::kTileCols, cols), four);
    BuildPairTable(four[0], four[1], tables);
    BuildPairTable(four[2], four[3], tables + kPairTableBytes);
    tables += kTileTableBytes;
  }
}

// sums[0, rows) += one block of `groups` tiles of a strip, rows <= 64.
HWY_INLINE void AddBlock(const uint8_t* HWY_RESTRICT tiles, size_t strip_bytes,
                         const uint8_t* HWY_RESTRICT tables, size_t groups,
                         size_t rows, float* HWY_RESTRICT sums) {
  const D8 d8;
  HWY_ALIGN float block[packing::kTileRows];
  for (size_t part = 0; part < packing::kTileRows; part += kPartRows) {
    VF part_sums[kVectors];
    for (VF& sum : part_sums) sum = hn::Zero(DF());
    for (size_t g = 0; g < groups; ++g) {
      const uint8_t* tile = tiles + g * packing::kTileBytes;
      // The same tile of the strip that comes next.
      if (part == 0) hwy::Prefetch(tile + strip_bytes);
      AddGroup(hn::Load(d8, tile + part), tables + g * kTileTableBytes,
               part_sums);
    }
    StoreRows(part_sums, block + part);
  }
  for (size_t r = 0; r < rows; ++r) sums[r] += block[r];
}

// args has one token.
HWY_NOINLINE inline void MatVecOnTarget(const TernaryView& w,
                                        const FloatMatMulArgs& args) {
  using packing::kTileCols;
  using packing::kTileRows;
  const size_t strip_bytes =
      packing::PaddedCols(w.cols) / kTileCols * packing::kTileBytes;
  HWY_ALIGN uint8_t tables[kFloatBlockGroups * kTileTableBytes];
  std::fill(args.sums + args.row_begin, args.sums + args.row_end, 0.0F);
  for (size_t c = args.col_begin; c < args.col_end; c += kBlockCols) {
    const size_t cols = std::min(kBlockCols, args.col_end - c);
    BuildTables(args.x + c, cols, tables);
    const uint8_t* tiles = w.tiles + c / kTileCols * packing::kTileBytes;
    for (size_t r = args.row_begin; r < args.row_end; r += kTileRows) {
      AddBlock(tiles + r / kTileRows * strip_bytes, strip_bytes, tables,
               hwy::DivCeil(cols, kTileCols),
               std::min(kTileRows, args.row_end - r), args.sums + r);
    }
  }
}

#endif  // TERN_PLAIN_TARGET

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // TERN_TERNARY_KERNELS_FLOAT_MATVEC_INL_H_
