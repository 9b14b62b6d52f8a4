// The inner loop of matmul-inl.h on one target: from the codes of strips of
// rows to sums of table slots.  Loads are its limit, and which are cheapest
// depends on a slot's size.  A slot of two vectors, or of one of 512 bits,
// which a core loads as two, leaves only room for a load a row and pass: the
// slots of a row in one 64-bit word.  A slot of one 256-bit vector or less
// leaves room for two, which spare the shifting and masking: 64 bits of each
// tile have the offsets of four rows.  Zen 4, 6912 x 2560, one thread: 16
// tokens by offsets 1.16 times as fast as by words (AVX2, AVX3), 32 tokens 0.87
// (AVX2) and 0.98 times (AVX3), 16 tokens in two vectors (SSE4) 0.94 times.
#if defined(TERN_TERNARY_KERNELS_MATMUL_ROWS_INL_H_) == \
    defined(HWY_TARGET_TOGGLE)
#ifdef TERN_TERNARY_KERNELS_MATMUL_ROWS_INL_H_
#undef TERN_TERNARY_KERNELS_MATMUL_ROWS_INL_H_
#else
#define TERN_TERNARY_KERNELS_MATMUL_ROWS_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include <hwy/base.h>
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "packing/tiles.h"

#include "ternary_kernels/matmul_slots-inl.h"
#include "ternary_kernels/simd-inl.h"

#if !TERN_PLAIN_TARGET

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {
namespace {  // other kernels use the same short names

// A table has a slot for each of the sums of four columns; a slot holds that
// sum of each token.
inline constexpr size_t kSlots = 81;
// The tokens of a tile lie side by side in one or two vectors.
template <size_t kTokens>
struct TokenTileOf {
  using D16 = hn::CappedTag<int16_t, kTokens>;
  using D32 = hn::RepartitionToWide<D16>;
  using D8 = hn::Rebind<int8_t, D16>;
  using V16 = hn::Vec<D16>;
  static constexpr size_t kLanes = hn::MaxLanes(D16());
  static constexpr size_t kVectors = kTokens / kLanes;
  static constexpr size_t kSlotBytes = kTokens * sizeof(int16_t);
  static constexpr size_t kTableLanes = kSlots * kTokens;
  static constexpr size_t kTablesBytes =
      hwy::RoundUpTo(kPassTiles * kTableLanes * sizeof(int16_t), 64);
};

// The byte offset in a table of the slot in byte kByte.
template <size_t kTokens, size_t kByte>
HWY_INLINE size_t SlotOffset(uint64_t word) {
  constexpr size_t kSlotBytes = TokenTileOf<kTokens>::kSlotBytes;
  constexpr int kShift = kSlotBytes == 64 ? 6 : 5;
  static_assert(size_t{1} << kShift == kSlotBytes);
  constexpr uint64_t kMask = uint64_t{0xff} << kShift;
  if constexpr (kByte == 0) {
    return static_cast<size_t>((word << kShift) & kMask);
  } else {
    return static_cast<size_t>((word >> (8 * kByte - kShift)) & kMask);
  }
}

// sum[vector] += the slot of byte kByte of the word, and of those after it.
template <size_t kTokens, size_t kByte = 0>
HWY_INLINE void AddSlots(const int16_t* HWY_RESTRICT tables, uint64_t word,
                         typename TokenTileOf<kTokens>::V16* sum) {
  if constexpr (kByte < kPassTiles) {
    using Tile = TokenTileOf<kTokens>;
    const int16_t* slot = tables + kByte * Tile::kTableLanes +
                          SlotOffset<kTokens, kByte>(word) / sizeof(int16_t);
    for (size_t v = 0; v < Tile::kVectors; ++v) {
      sum[v] = hn::Add(sum[v],
                       hn::Load(typename Tile::D16(), slot + v * Tile::kLanes));
    }
    AddSlots<kTokens, kByte + 1>(tables, word, sum);
  }
}

// sums[token] += the slots of a row.
template <size_t kTokens>
HWY_INLINE void AddRow(const int16_t* HWY_RESTRICT tables, uint64_t word,
                       int16_t* HWY_RESTRICT sums) {
  using Tile = TokenTileOf<kTokens>;
  const typename Tile::D16 d;
  typename Tile::V16 sum[Tile::kVectors];
  for (size_t v = 0; v < Tile::kVectors; ++v) {
    sum[v] = hn::Load(d, sums + v * Tile::kLanes);
  }
  AddSlots<kTokens>(tables, word, sum);
  for (size_t v = 0; v < Tile::kVectors; ++v) {
    hn::Store(sum[v], d, sums + v * Tile::kLanes);
  }
}

// sums[row][token] += the slots of the 64 rows of a strip, by words.
template <size_t kTokens>
HWY_INLINE void AddStripByWords(const uint8_t* HWY_RESTRICT codes, size_t tiles,
                                const int16_t* HWY_RESTRICT tables,
                                int16_t* HWY_RESTRICT sums) {
  constexpr size_t kWords = kLanes8 / 8;  // in a vector
  HWY_ALIGN uint64_t words[packing::kTileRows];
  GatherSlots(codes, tiles, words);
  for (size_t v = 0; v < packing::kTileRows; v += 8 * kWords) {
    for (size_t b = v; b < v + kWords; b += 2) {
      for (size_t i = b; i < b + 8 * kWords; i += kWords) {
        AddRow<kTokens>(tables, words[i], sums);
        AddRow<kTokens>(tables, words[i + 1], sums + kTokens);
        sums += 2 * kTokens;
      }
    }
  }
}

// Rows whose offsets into one table are loaded together.
inline constexpr size_t kRowsAtOnce = 4;

// sum[vector] += the slots of the row whose byte offset into the table of tile
// t is the low half-word of words[t]; shifts it out.
template <size_t kTokens, size_t kTile = 0>
HWY_INLINE void AddSpreadSlots(const int16_t* HWY_RESTRICT tables,
                               uint64_t* words,
                               typename TokenTileOf<kTokens>::V16* sum) {
  if constexpr (kTile < kPassTiles) {
    using Tile = TokenTileOf<kTokens>;
    // Bytes: an offset in lanes would cost a mask each, for it might be odd.
    const auto* table =
        reinterpret_cast<const uint8_t*>(tables + kTile * Tile::kTableLanes);
    const auto* slot =
        reinterpret_cast<const int16_t*>(table + (words[kTile] & 0xffff));
    for (size_t v = 0; v < Tile::kVectors; ++v) {
      sum[v] = hn::Add(sum[v],
                       hn::Load(typename Tile::D16(), slot + v * Tile::kLanes));
    }
    words[kTile] >>= 16;
    AddSpreadSlots<kTokens, kTile + 1>(tables, words, sum);
  }
}

// sums[2 row][token] += the slots of four rows, every other one of a strip,
// whose byte offsets lie side by side: offsets[tile][row].
template <size_t kTokens>
HWY_INLINE void AddSpreadRows(const int16_t* HWY_RESTRICT tables,
                              const uint16_t* HWY_RESTRICT offsets,
                              int16_t* HWY_RESTRICT sums) {
  using Tile = TokenTileOf<kTokens>;
  const typename Tile::D16 d;
  uint64_t words[kPassTiles];
  for (size_t t = 0; t < kPassTiles; ++t) {
    hwy::CopyBytes<sizeof(words[t])>(offsets + t * packing::kTileRows,
                                     &words[t]);
  }
  for (size_t r = 0; r < kRowsAtOnce; ++r, sums += 2 * kTokens) {
    typename Tile::V16 sum[Tile::kVectors];
    for (size_t v = 0; v < Tile::kVectors; ++v) {
      sum[v] = hn::Load(d, sums + v * Tile::kLanes);
    }
    AddSpreadSlots<kTokens>(tables, words, sum);
    for (size_t v = 0; v < Tile::kVectors; ++v) {
      hn::Store(sum[v], d, sums + v * Tile::kLanes);
    }
  }
}

// sums[row][token] += the slots of the 64 rows of a strip, by offsets.
template <size_t kTokens>
HWY_INLINE void AddStripByOffsets(const uint8_t* HWY_RESTRICT codes,
                                  size_t tiles,
                                  const int16_t* HWY_RESTRICT tables,
                                  int16_t* HWY_RESTRICT sums) {
  HWY_ALIGN uint16_t offsets[kPassTiles * packing::kTileRows];
  SpreadOffsets<TokenTileOf<kTokens>::kSlotBytes>(codes, tiles, offsets);
  for (size_t r = 0; r < packing::kTileRows; r += 2 * kRowsAtOnce) {
    const size_t at = r / kLanes8 * kLanes8 + r % kLanes8 / 2;
    AddSpreadRows<kTokens>(tables, offsets + at, sums);
    AddSpreadRows<kTokens>(tables, offsets + at + kOffsetRows, sums + kTokens);
    sums += 2 * kRowsAtOnce * kTokens;
  }
}

// sums[row][token] += tables[tile][slot(row, tile)][token] for the strips of 64
// rows that lie `strip_bytes` apart.
template <size_t kTokens>
HWY_INLINE void AddTables(const uint8_t* HWY_RESTRICT codes, size_t tiles,
                          size_t strip_bytes, size_t strips,
                          const int16_t* HWY_RESTRICT tables,
                          int16_t* HWY_RESTRICT sums) {
  using Tile = TokenTileOf<kTokens>;
  // Strips: one is summed in about the time that memory takes to answer.  16
  // tokens, 35 MB of codes, one thread: 1.06 times the rate of one strip ahead.
  constexpr size_t kAhead = 3;
  for (size_t s = 0; s < strips; ++s, codes += strip_bytes) {
    for (size_t t = 0; t < kPassTiles; ++t) {
      hwy::Prefetch(codes + kAhead * strip_bytes + t * packing::kTileBytes);
    }
    if constexpr (Tile::kVectors == 1 && Tile::kSlotBytes <= 32) {
      AddStripByOffsets<kTokens>(codes, tiles, tables, sums);
    } else {
      AddStripByWords<kTokens>(codes, tiles, tables, sums);
    }
    sums += packing::kTileRows * kTokens;
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // !TERN_PLAIN_TARGET

#endif  // TERN_TERNARY_KERNELS_MATMUL_ROWS_INL_H_
