// From the codes of the tiles to the slots of matmul-inl.h's tables, on one
// target.
#if defined(TERN_TERNARY_KERNELS_MATMUL_SLOTS_INL_H_) == \
    defined(HWY_TARGET_TOGGLE)
#ifdef TERN_TERNARY_KERNELS_MATMUL_SLOTS_INL_H_
#undef TERN_TERNARY_KERNELS_MATMUL_SLOTS_INL_H_
#else
#define TERN_TERNARY_KERNELS_MATMUL_SLOTS_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <hwy/highway.h>

#include "packing/tiles.h"

#include "ternary_kernels/simd-inl.h"

#if !TERN_PLAIN_TARGET

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {
namespace {  // other kernels use the same short names

// A pass adds the tables of this many tiles: as many as a row's codes fill one
// 64-bit word, so that one load serves them all.  On Zen 4 loads are the limit:
// a load of 512 bits takes as long as two others, and codes loaded byte by byte
// made the kernel 1.2 times slower.
inline constexpr size_t kPassTiles = 8;
using D8 = hn::CappedTag<uint8_t, packing::kTileBytes>;
using V8 = hn::Vec<D8>;
inline constexpr size_t kLanes8 = hn::MaxLanes(D8());

// d0 + 4 d1 + 16 d2 + 64 d3 -> d0 + 3 d1 + 9 d2 + 27 d3 in each byte: 81 slots
// in a row take half the cache lines of 171.
HWY_INLINE V8 SlotOf(V8 codes) {
  const D8 d;
  alignas(16) static constexpr uint8_t kLow[16] = {0, 1, 2, 0, 3, 4, 5, 0,
                                                   6, 7, 8, 0, 0, 0, 0, 0};
  alignas(16) static constexpr uint8_t kHigh[16] = {
      0, 9, 18, 0, 27, 36, 45, 0, 54, 63, 72, 0, 0, 0, 0, 0};
  const V8 low = hn::And(codes, hn::Set(d, 15));
  const V8 high = hn::ShiftRight<4>(codes);
  return hn::Add(hn::TableLookupBytes(hn::LoadDup128(d, kLow), low),
                 hn::TableLookupBytes(hn::LoadDup128(d, kHigh), high));
}

// Bytes of two vectors, alternating, in each 128-bit block: words of D's size.
template <class D>
HWY_INLINE void Interleave(D d, V8 a, V8 b, V8* low, V8* high) {
  const D8 d8;
  const auto x = hn::BitCast(d, a);
  const auto y = hn::BitCast(d, b);
  *low = hn::BitCast(d8, hn::InterleaveLower(d, x, y));
  *high = hn::BitCast(d8, hn::InterleaveUpper(d, x, y));
}

// The slots of one row and pass, tile t in byte t, for the rows of a strip of
// `tiles` tiles.  Each block of 16 rows (128 bits of a vector) gives two words
// to each of the eight vectors that are stored: words [64 / kLanes8][8][kLanes8
// / 16][2] of rows [64 / kLanes8][kLanes8 / 16][8][2].
HWY_INLINE void GatherSlots(const uint8_t* HWY_RESTRICT codes, size_t tiles,
                            uint64_t* HWY_RESTRICT words) {
  const D8 d;
  const hn::Repartition<uint16_t, D8> d16;
  const hn::Repartition<uint32_t, D8> d32;
  for (size_t at = 0; at < packing::kTileRows; at += kLanes8) {
    V8 slots[kPassTiles];
    for (size_t t = 0; t < kPassTiles; ++t) {
      slots[t] = t < tiles
                     ? SlotOf(hn::Load(d, codes + t * packing::kTileBytes + at))
                     : hn::Zero(d);
    }
    // A transposition of 8 x 8 bytes: pairs of tiles, fours, eights.
    V8 pairs[2][4];  // rows 0..7 and 8..15 of each block, tiles 2i and 2i + 1
    for (size_t i = 0; i < 4; ++i) {
      Interleave(d, slots[2 * i], slots[2 * i + 1], &pairs[0][i], &pairs[1][i]);
    }
    for (size_t h = 0; h < 2; ++h) {
      V8 fours[2][2];  // [rows 0..3 or 4..7 of those][tiles 0..3 or 4..7]
      Interleave(d16, pairs[h][0], pairs[h][1], &fours[0][0], &fours[1][0]);
      Interleave(d16, pairs[h][2], pairs[h][3], &fours[0][1], &fours[1][1]);
      for (size_t f = 0; f < 2; ++f, words += 2 * kLanes8 / 8) {
        V8 low;
        V8 high;
        Interleave(d32, fours[f][0], fours[f][1], &low, &high);
        hn::Store(hn::BitCast(hn::Repartition<uint64_t, D8>(), low),
                  hn::Repartition<uint64_t, D8>(), words);
        hn::Store(hn::BitCast(hn::Repartition<uint64_t, D8>(), high),
                  hn::Repartition<uint64_t, D8>(), words + kLanes8 / 8);
      }
    }
  }
}

// Where the offsets of the even and the odd rows of a vector's 16-bit lanes go:
// lanes stay where they are, which costs no shuffles.
inline constexpr size_t kOffsetRows = kLanes8 / 2;

// offsets[tile][64 / kLanes8][row % 2][row % kLanes8 / 2] = the bytes from the
// start of a table to the slot of that row's code, kSlotBytes a slot; 0 for the
// tiles of the pass that are not there.
template <size_t kSlotBytes>
HWY_INLINE void SpreadOffsets(const uint8_t* HWY_RESTRICT codes, size_t tiles,
                              uint16_t* HWY_RESTRICT offsets) {
  constexpr int kShift = kSlotBytes == 64 ? 6 : 5;
  static_assert(size_t{1} << kShift == kSlotBytes);
  const D8 d;
  const hn::Repartition<uint16_t, D8> d16;
  const auto mask = hn::Set(d16, uint16_t{0xff << kShift});
  for (size_t t = 0; t < tiles; ++t) {
    for (size_t at = 0; at < packing::kTileRows; at += kLanes8) {
      const auto slots = hn::BitCast(
          d16, SlotOf(hn::Load(d, codes + t * packing::kTileBytes + at)));
      uint16_t* to = offsets + t * packing::kTileRows + at;
      hn::Store(hn::And(hn::ShiftLeft<kShift>(slots), mask), d16, to);
      hn::Store(hn::And(hn::ShiftRight<8 - kShift>(slots), mask), d16,
                to + kOffsetRows);
    }
  }
  std::fill(offsets + tiles * packing::kTileRows,
            offsets + kPassTiles * packing::kTileRows, uint16_t{0});
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // !TERN_PLAIN_TARGET

#endif  // TERN_TERNARY_KERNELS_MATMUL_SLOTS_INL_H_
