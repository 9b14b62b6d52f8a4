// The nibble look-up matvec of one target; see matvec.h for the method.
#if defined(TERN_TERNARY_KERNELS_MATVEC_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TERN_TERNARY_KERNELS_MATVEC_INL_H_
#undef TERN_TERNARY_KERNELS_MATVEC_INL_H_
#else
#define TERN_TERNARY_KERNELS_MATVEC_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "packing/tiles.h"
#include "ternary_kernels/strips.h"

#include "ternary_kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {
namespace {  // other kernels use the same short names

// The four tables of a tile: low part and rest for columns 0, 1, then 2, 3.
inline constexpr size_t kTableBytes = 16;
inline constexpr size_t kTileTableBytes = 4 * kTableBytes;
// An entry is the sum plus this, so that it is not negative.
inline constexpr int32_t kNibbleOffset = 254;
inline constexpr int32_t kTileOffset = 2 * kNibbleOffset;

#if TERN_PLAIN_TARGET

inline constexpr size_t kStrips = 1;

// T[c0 + 4 c1] = x0 (c0 - 1) + x1 (c1 - 1) + 254.
inline void BuildPairTables(int x0, int x1, uint8_t* low, uint8_t* rest) {
  const int first[4] = {-x0, 0, x0, 0};
  const int second[4] = {-x1, 0, x1, 0};
  for (size_t n = 0; n < kTableBytes; ++n) {
    const int entry = first[n % 4] + second[n / 4] + kNibbleOffset;
    low[n] = static_cast<uint8_t>(entry & 15);
    rest[n] = static_cast<uint8_t>(entry >> 4);
  }
}

inline void BuildTileTables(const int8_t* x, uint8_t* tables) {
  BuildPairTables(x[0], x[1], tables, tables + kTableBytes);
  BuildPairTables(x[2], x[3], tables + 2 * kTableBytes,
                  tables + 3 * kTableBytes);
}

// sums[r] for the 64 rows of the strip.
template <size_t kCount>
inline void SumTiles(const Strips& strips, const uint8_t* tables,
                     int32_t* sums) {
  static_assert(kCount == 1);
  std::fill(sums, sums + packing::kTileRows, 0);
  for (size_t g = 0; g < strips.groups; ++g) {
    const uint8_t* tile = strips.Tile(g);
    const uint8_t* table = tables + g * kTileTableBytes;
    for (size_t r = 0; r < packing::kTileRows; ++r) {
      const unsigned first = tile[r] & 15U;
      const unsigned second = tile[r] >> 4;
      sums[r] += table[first] + (table[kTableBytes + first] << 4) +
                 table[2 * kTableBytes + second] +
                 (table[3 * kTableBytes + second] << 4) - kTileOffset;
    }
  }
}

#else  // !TERN_PLAIN_TARGET

using D8 = hn::CappedTag<uint8_t, packing::kTileBytes>;
using D16 = hn::Repartition<uint16_t, D8>;
using D32 = hn::Repartition<uint32_t, D8>;
using V8 = hn::Vec<D8>;
using V16 = hn::Vec<D16>;

inline constexpr size_t kLanes8 = hn::MaxLanes(D8());
// Vectors in a tile.
inline constexpr size_t kVectors = packing::kTileBytes / kLanes8;
// Strips that share each load of a table: four vectors of sums and the tables
// fit 16 registers.
inline constexpr size_t kStrips = 4 / kVectors;

// A byte holds 17 look-ups of a low part (at most 15 each) and 8 of a rest (at
// most 31); a tile makes two of each in every byte.
inline constexpr size_t kLowTiles = 8;
inline constexpr size_t kRestTiles = 4;
// 64 tiles of 2 * 508 are 65024, just under 2^16.
inline constexpr size_t kChunkTiles = 64;
// Weights that stream from memory are fetched two chunks ahead, strip by strip,
// 4 KiB of each in the order of memory: whatever follows streams in the machine
// then sees one, not kStrips of them.  One core of Zen 4 reads 30 GB/s as one
// stream, 23 as two and 17 as four, and in this order decodes at 34 GB/s where
// fetching each strip a little ahead gave 21.
inline constexpr size_t kAheadChunks = 2;
// And again one chunk ahead: Zen 4 drops prefetches while too many are under
// way, and a sum that meets a dropped line waits for memory.
inline constexpr size_t kAgainChunks = 1;
// And last into the first-level cache, in each strip: a line that is still not
// there is then waited for while the sums go on.
inline constexpr size_t kNearTiles = 12;

// Sums of bytes in 16-bit lanes, modulo 2^16: of both bytes of a lane as they
// stand (even byte + 256 * odd byte) and of the odd byte.  Keeping the even
// byte's sum itself would take one more operation a fold.
template <size_t kSize>
struct ByteSums {
  V16 both[kSize];
  V16 odd[kSize];

  HWY_INLINE void Clear() {
    for (size_t v = 0; v < kSize; ++v) {
      both[v] = hn::Zero(D16());
      odd[v] = hn::Zero(D16());
    }
  }
  HWY_INLINE void Fold(const V8* bytes) {
    for (size_t v = 0; v < kSize; ++v) {
      const V16 lanes = hn::BitCast(D16(), bytes[v]);
      both[v] = hn::Add(both[v], lanes);
      odd[v] = hn::Add(odd[v], hn::ShiftRight<8>(lanes));
    }
  }
  HWY_INLINE V16 Even(size_t v) const {
    return hn::Sub(both[v], hn::ShiftLeft<8>(odd[v]));
  }
};

template <size_t kSize>
HWY_INLINE void Clear(V8* bytes) {
  for (size_t v = 0; v < kSize; ++v) {
    bytes[v] = hn::Zero(D8());
  }
}

// Fetches a chunk of kCount strips while another is summed.
template <size_t kCount>
struct Fetch {
  const uint8_t* ahead;
  const uint8_t* again;
  size_t strip_bytes;
  size_t steps;  // for a strip
  size_t left = steps;

  // kCount lines for each tile column: all of the first strip, then the next.
  HWY_INLINE void Next() {
    for (size_t s = 0; s < kCount; ++s) {
      PrefetchToL2(ahead + s * packing::kTileBytes);
      PrefetchToL2(again + s * packing::kTileBytes);
    }
    size_t step = kCount * packing::kTileBytes;
    if (--left == 0) {
      left = steps;
      step += strip_bytes - steps * kCount * packing::kTileBytes;
    }
    ahead += step;
    again += step;
  }
};

// low[strip][vector], rest likewise += the look-ups of one tile of each strip.
template <size_t kCount>
HWY_INLINE void LookUp(const uint8_t* HWY_RESTRICT tile, Fetch<kCount>& fetch,
                       const uint8_t* HWY_RESTRICT tables, V8* low, V8* rest) {
  const D8 d;
  const V8 low0 = hn::LoadDup128(d, tables);
  const V8 rest0 = hn::LoadDup128(d, tables + kTableBytes);
  const V8 low1 = hn::LoadDup128(d, tables + 2 * kTableBytes);
  const V8 rest1 = hn::LoadDup128(d, tables + 3 * kTableBytes);
  fetch.Next();
  for (size_t s = 0; s < kCount; ++s, tile += fetch.strip_bytes) {
    for (size_t v = 0; v < kVectors; ++v) {
      const size_t at = s * kVectors + v;
      const V8 codes = hn::Load(d, tile + v * kLanes8);
      if (v == 0) hwy::Prefetch(tile + kNearTiles * packing::kTileBytes);
      const V8 high =
          hn::BitCast(d, hn::ShiftRight<4>(hn::BitCast(D16(), codes)));
      low[at] = hn::Add(low[at], LookUpLowNibbles(low0, codes));
      rest[at] = hn::Add(rest[at], LookUpLowNibbles(rest0, codes));
      low[at] = hn::Add(low[at], LookUpLowNibbles(low1, high));
      rest[at] = hn::Add(rest[at], LookUpLowNibbles(rest1, high));
    }
  }
}

// The sums of `groups` tiles of each strip, at most 64, added to
// even[strip][32], the rows of the even bytes, and odd[strip][32].
template <size_t kCount>
HWY_INLINE void SumChunk(const uint8_t* HWY_RESTRICT tiles,
                         const uint8_t* HWY_RESTRICT tables, size_t groups,
                         Fetch<kCount>& fetch, uint32_t* HWY_RESTRICT even,
                         uint32_t* HWY_RESTRICT odd) {
  constexpr size_t kSize = kCount * kVectors;
  ByteSums<kSize> low_sums;
  ByteSums<kSize> rest_sums;
  low_sums.Clear();
  rest_sums.Clear();
  V8 low[kSize];
  V8 rest[kSize];
  for (size_t low_end = 0, g = 0; g < groups;) {
    Clear<kSize>(low);
    low_end = std::min(g + kLowTiles, groups);
    while (g < low_end) {
      Clear<kSize>(rest);
      const size_t rest_end = std::min(g + kRestTiles, low_end);
      for (; g < rest_end; ++g) {
        LookUp<kCount>(tiles + g * packing::kTileBytes, fetch,
                       tables + g * kTileTableBytes, low, rest);
      }
      rest_sums.Fold(rest);
    }
    low_sums.Fold(low);
  }
  for (size_t v = 0; v < kSize; ++v) {
    const V16 even16 =
        hn::Add(low_sums.Even(v), hn::ShiftLeft<4>(rest_sums.Even(v)));
    const V16 odd16 =
        hn::Add(low_sums.odd[v], hn::ShiftLeft<4>(rest_sums.odd[v]));
    AddWidened(D32(), even16, even + v * kLanes8 / 2);
    AddWidened(D32(), odd16, odd + v * kLanes8 / 2);
  }
}

// Tile columns of a chunk: as equal as kCount lines at a time allow, for while
// a short one is summed, not all of a long one could be fetched.
template <size_t kCount>
HWY_INLINE size_t ChunkTiles(size_t groups) {
  const size_t chunks =
      std::max<size_t>((groups + kChunkTiles - 1) / kChunkTiles, 1);
  const size_t steps = (groups + chunks * kCount - 1) / (chunks * kCount);
  return steps * kCount;
}

// The tiles from group g on, over the ends of the strips to the next ones.
template <size_t kCount>
HWY_INLINE const uint8_t* Ahead(const Strips& strips, size_t g, size_t chunk) {
  const size_t left = strips.strip_groups - strips.first_group;
  if (g < left) return strips.Tile(g);
  const size_t end = (left + chunk - 1) / chunk * chunk;
  return strips.tiles + kCount * strips.Bytes() +
         (g - end) * packing::kTileBytes;
}

// sums[strip][64].
template <size_t kCount>
HWY_INLINE void SumTiles(const Strips& strips,
                         const uint8_t* HWY_RESTRICT tables,
                         int32_t* HWY_RESTRICT sums) {
  constexpr size_t kRows = kCount * packing::kTileRows;
  HWY_ALIGN uint32_t even[kRows / 2] = {};
  HWY_ALIGN uint32_t odd[kRows / 2] = {};
  const size_t chunk = ChunkTiles<kCount>(strips.groups);
  for (size_t g = 0; g < strips.groups; g += chunk) {
    Fetch<kCount> fetch = {
        Ahead<kCount>(strips, g + kAheadChunks * chunk, chunk),
        Ahead<kCount>(strips, g + kAgainChunks * chunk, chunk), strips.Bytes(),
        chunk / kCount};
    const size_t groups = std::min(chunk, strips.groups - g);
    SumChunk<kCount>(strips.Tile(g), tables + g * kTileTableBytes, groups,
                     fetch, even, odd);
    for (size_t rest = groups; rest < chunk; ++rest) fetch.Next();
  }
  const int32_t offset = kTileOffset * static_cast<int32_t>(strips.groups);
  for (size_t r = 0; r < kRows; r += 2) {
    sums[r] = static_cast<int32_t>(even[r / 2]) - offset;
    sums[r + 1] = static_cast<int32_t>(odd[r / 2]) - offset;
  }
}

using D128 = hn::FixedTag<uint8_t, kTableBytes>;
using V128 = hn::Vec<D128>;

// An entry is A + B, A = 127 + x0 (c0 - 1) and B = 127 + x1 (c1 - 1), each 0 to
// 254.  `low` and `rest` hold the parts of all A and B of a tile, `a` and `b`
// the places of those that the 16 entries need.
HWY_INLINE void BuildPairTables(V128 low, V128 rest, const uint8_t* a,
                                const uint8_t* b, uint8_t* tables) {
  const D128 d;
  const V128 at_a = hn::Load(d, a);
  const V128 at_b = hn::Load(d, b);
  const V128 low_sum =
      hn::Add(hn::TableLookupBytes(low, at_a), hn::TableLookupBytes(low, at_b));
  const V128 rest_sum = hn::Add(hn::TableLookupBytes(rest, at_a),
                                hn::TableLookupBytes(rest, at_b));
  hn::Store(hn::And(low_sum, hn::Set(d, 15)), d, tables);
  hn::Store(hn::Add(rest_sum, hn::ShiftRight<4>(low_sum)), d,
            tables + kTableBytes);
}

// The tables of columns 0 .. 3.
HWY_INLINE void BuildTileTables(const int8_t* HWY_RESTRICT x,
                                uint8_t* HWY_RESTRICT tables) {
  const D128 d;
  const hn::Repartition<uint32_t, D128> d32;
  // Bytes 0..3 become 127 - x, 4..7 127 + x, 8..15 127.
  alignas(16) static constexpr uint8_t kNegated[16] = {255, 255, 255, 255};
  alignas(16) static constexpr uint8_t kUsed[16] = {255, 255, 255, 255,
                                                    255, 255, 255, 255};
  alignas(16) static constexpr uint8_t kPlaces[4][16] = {
      {0, 8, 4, 8, 0, 8, 4, 8, 0, 8, 4, 8, 0, 8, 4, 8},
      {1, 1, 1, 1, 8, 8, 8, 8, 5, 5, 5, 5, 8, 8, 8, 8},
      {2, 8, 6, 8, 2, 8, 6, 8, 2, 8, 6, 8, 2, 8, 6, 8},
      {3, 3, 3, 3, 8, 8, 8, 8, 7, 7, 7, 7, 8, 8, 8, 8}};
  uint32_t four = 0;
  hwy::CopyBytes<sizeof(four)>(x, &four);
  const V128 values =
      hn::And(hn::BitCast(d, hn::Set(d32, four)), hn::Load(d, kUsed));
  const V128 negated = hn::Load(d, kNegated);
  const V128 signed_values = hn::Sub(hn::Xor(values, negated), negated);
  const V128 parts = hn::Add(signed_values, hn::Set(d, 127));
  const V128 low = hn::And(parts, hn::Set(d, 15));
  const V128 rest = hn::ShiftRight<4>(parts);
  BuildPairTables(low, rest, kPlaces[0], kPlaces[1], tables);
  BuildPairTables(low, rest, kPlaces[2], kPlaces[3], tables + 2 * kTableBytes);
}

#endif  // TERN_PLAIN_TARGET

HWY_NOINLINE inline void BuildTables(const int8_t* x, size_t cols,
                                     uint8_t* tables) {
  const size_t whole = cols / packing::kTileCols * packing::kTileCols;
  for (size_t c = 0; c < whole; c += packing::kTileCols) {
    BuildTileTables(x + c, tables + c / packing::kTileCols * kTileTableBytes);
  }
  // Padding columns have code 1, weight 0: any x would do, but the offset of
  // every tile must be there.
  for (size_t c = whole; c < packing::PaddedCols(cols);
       c += packing::kTileCols) {
    int8_t last[packing::kTileCols] = {};
    if (c < cols) {
      std::copy(x + c, x + cols, last);
    }
    BuildTileTables(last, tables + c / packing::kTileCols * kTileTableBytes);
  }
}

// sums[0, rows) of strips that hold as many rows.
HWY_NOINLINE inline void SumStrips(Strips strips, const uint8_t* tables,
                                   size_t rows, int32_t* sums) {
  constexpr size_t kRows = kStrips * packing::kTileRows;
  for (; rows >= kRows; rows -= kRows) {
    SumTiles<kStrips>(strips, tables, sums);
    strips.tiles += kStrips * strips.Bytes();
    sums += kRows;
  }
  int32_t last[packing::kTileRows];
  while (rows != 0) {
    const size_t count = std::min(rows, packing::kTileRows);
    SumTiles<1>(strips, tables, last);
    std::copy(last, last + count, sums);
    strips.tiles += strips.Bytes();
    sums += count;
    rows -= count;
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // TERN_TERNARY_KERNELS_MATVEC_INL_H_
