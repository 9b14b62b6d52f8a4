// Sums of 8-bit codes times digits, for one target.  Included once per target.
//
// A panel of four rows is unpacked (byte_rows-inl.h), to bytes where there are
// products of bytes (AVX3_DL's vpdpbusd: 64 exact products added in one
// instruction), else to int16; then tiles of the four rows and kTileDigits
// digits hold their sums in registers, so that what is loaded of a row serves
// all digits of a tile and what is loaded of a digit all four rows.  (Six
// digits would just fit 32 registers, and were no faster; g++ 12 then spills at
// the least change.)
#if defined(TERN_TERNARY_KERNELS_SCREEN_TEXTS_INL_H_) == \
    defined(HWY_TARGET_TOGGLE)
#ifdef TERN_TERNARY_KERNELS_SCREEN_TEXTS_INL_H_
#undef TERN_TERNARY_KERNELS_SCREEN_TEXTS_INL_H_
#else
#define TERN_TERNARY_KERNELS_SCREEN_TEXTS_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <hwy/highway.h>

#include "ternary_kernels/screen_texts.h"

#include "ternary_kernels/byte_rows-inl.h"
#include "ternary_kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {
namespace {

// Where sums go: [digits][stride], of rows [begin, begin + count).
struct SumArgs {
  const std::uint8_t* digits;
  std::size_t num_digits;
  std::size_t begin;
  std::size_t count;
  std::uint32_t* sums;
  std::size_t stride;
};

struct TileArgs {
  const Unpacked* codes;  // [kTileRows][size]
  std::size_t size;
  const Digit* x;  // [digits][x_stride]
  std::size_t x_stride;
  std::int32_t* sums;  // [digits][stride]
  std::size_t stride;
  bool add;           // to what is in sums
  std::size_t fetch;  // bytes that a step fetches of what comes next
};

#if TERN_PLAIN_TARGET

inline constexpr std::size_t kTileDigits = 1;
inline constexpr std::size_t kStep = 1;

template <std::size_t kDigits>
HWY_INLINE void Tile(const TileArgs& args, const std::uint8_t* /*ahead*/) {
  static_assert(kDigits == 1);
  for (std::size_t r = 0; r < kTileRows; ++r) {
    const Unpacked* codes = args.codes + r * args.size;
    std::uint32_t sum = args.add ? static_cast<std::uint32_t>(args.sums[r]) : 0;
    for (std::size_t c = 0; c < args.size; ++c) {
      sum += static_cast<std::uint32_t>(codes[c] * args.x[c]);
    }
    args.sums[r] = static_cast<std::int32_t>(sum);
  }
}

#else  // !TERN_PLAIN_TARGET

using DS = hn::RepartitionToWide<hn::RebindToSigned<DW>>;  // sums
using VS = hn::Vec<DS>;
using DU = hn::Repartition<Unpacked, DW>;
using DD = hn::Repartition<Digit, DW>;

inline constexpr std::size_t kStep = hn::MaxLanes(DU());

#if HWY_TARGET == HWY_AVX3_DL

inline constexpr std::size_t kTileDigits = 4;

// sum += products of 4 neighbouring bytes each.  Highway 1.0.3 has no such
// operation, and its target string not the feature that the intrinsic demands.
HWY_INLINE void AddProducts(const hn::Vec<DU> codes, const hn::Vec<DD> x,
                            VS& sum, VS& /*odd*/) {
  auto result = sum.raw;  // of which the compiler keeps more in registers
  asm("vpdpbusd %2, %1, %0" : "+v"(result) : "v"(codes.raw), "v"(x.raw));
  sum.raw = result;
}

#else  // HWY_TARGET != HWY_AVX3_DL

// Two would just fit 16 registers, but g++ 12 spills three sums then.
inline constexpr std::size_t kTileDigits =
    HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON ? 2 : 1;

HWY_INLINE void AddProducts(const hn::Vec<DU> codes, const hn::Vec<DD> x,
                            VS& even, VS& odd) {
  even = hn::ReorderWidenMulAccumulate(DS(), codes, x, even, odd);
}

#endif  // HWY_TARGET == HWY_AVX3_DL

// The sum of v's blocks of four lanes.
template <class D, class V>
HWY_INLINE auto SumOfBlocks(D d, V v) {
  if constexpr (hn::MaxLanes(d) == 4) {
    return v;
  } else {
    const hn::Half<D> half;
    return SumOfBlocks(half,
                       hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

// The sums of the lanes of v0, v1, v2, v3.
HWY_INLINE auto Totals(VS v0, VS v1, VS v2, VS v3) {
  const DS d;
  const hn::RepartitionToWide<DS> d64;
  const auto pairs = [d](VS a, VS b) HWY_ATTR {
    return hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  };
  const auto low = hn::BitCast(d64, pairs(v0, v1));
  const auto high = hn::BitCast(d64, pairs(v2, v3));
  return SumOfBlocks(
      d, hn::Add(hn::BitCast(d, hn::InterleaveLower(d64, low, high)),
                 hn::BitCast(d, hn::InterleaveUpper(d64, low, high))));
}

template <std::size_t kDigits>
HWY_INLINE void Tile(const TileArgs& args,
                     const std::uint8_t* HWY_RESTRICT ahead) {
  const DU du;
  const DD dd;
  VS even[kDigits][kTileRows];
  VS odd[kDigits][kTileRows];
  for (std::size_t d = 0; d < kDigits; ++d) {
    for (std::size_t r = 0; r < kTileRows; ++r) {
      even[d][r] = hn::Zero(DS());
      odd[d][r] = hn::Zero(DS());
    }
  }
  for (std::size_t c = 0; c < args.size; c += hn::Lanes(du)) {
    PrefetchToL2(ahead);
    ahead += args.fetch;
    hn::Vec<DD> x[kDigits];
    for (std::size_t d = 0; d < kDigits; ++d) {
      x[d] = hn::Load(dd, args.x + d * args.x_stride + c);
    }
    for (std::size_t r = 0; r < kTileRows; ++r) {
      const auto codes = hn::Load(du, args.codes + r * args.size + c);
      for (std::size_t d = 0; d < kDigits; ++d) {
        AddProducts(codes, x[d], even[d][r], odd[d][r]);
      }
    }
  }
  const hn::CappedTag<std::int32_t, kTileRows> d4;
  for (std::size_t d = 0; d < kDigits; ++d) {
    for (std::size_t r = 0; r < kTileRows; ++r) {
      even[d][r] = hn::Add(even[d][r], odd[d][r]);
    }
    auto totals = Totals(even[d][0], even[d][1], even[d][2], even[d][3]);
    std::int32_t* sums = args.sums + d * args.stride;
    if (args.add) totals = hn::Add(totals, hn::LoadU(d4, sums));
    hn::StoreU(totals, d4, sums);
  }
}

#endif  // TERN_PLAIN_TARGET

// All digits, in tiles of kDigits and then of fewer.
template <std::size_t kDigits>
HWY_INLINE void Tiles(TileArgs args, std::size_t digits,
                      const std::uint8_t* ahead) {
  for (; digits >= kDigits; digits -= kDigits) {
    Tile<kDigits>(args, ahead);
    ahead += args.size / kStep * args.fetch;
    args.x += kDigits * args.x_stride;
    args.sums += kDigits * args.stride;
  }
  if constexpr (kDigits > 1) Tiles<kDigits - 1>(args, digits, ahead);
}

// Packed panel after panel, in the order of Unpack.
template <class Rows>
HWY_INLINE void PackDigit(const Rows& rows, const std::int16_t* digit,
                          Digit* packed) {
  for (std::size_t k = 0; k < rows.units(); k += Rows::kPanel) {
    const std::size_t count = std::min(Rows::kPanel, rows.units() - k);
    rows.Pack(digit, k, count, packed);
    packed += Rows::Size(count);
  }
}

// Sums of rows up to the next multiple of kTileRows may be written too.
template <class Rows>
HWY_INLINE void SumRows(const Rows& rows, std::size_t x_stride,
                        const SumArgs& args) {
  if (args.num_digits == 0) return;
  const std::size_t steps = (args.num_digits + kTileDigits - 1) / kTileDigits *
                            (Rows::Size(rows.units()) / kStep);
  const std::size_t lines = kTileRows * rows.lines();
  const bool fetch_all = steps < lines;
  const std::size_t fetch =
      fetch_all ? 0 : (lines * kHeadAlign + steps - 1) / steps;
  alignas(kHeadAlign) Unpacked codes[kTileRows * Rows::Size(Rows::kPanel)];
  for (std::size_t i = 0; i < args.count; i += kTileRows) {
    const std::size_t row = args.begin + i;
    const std::size_t last = std::min(kTileRows, args.count - i) - 1;
    const std::uint8_t* next = rows.At(row + kTileRows);
    const auto* x = reinterpret_cast<const Digit*>(args.digits);
    for (std::size_t k = 0; k < rows.units(); k += Rows::kPanel) {
      const std::size_t panel = std::min(Rows::kPanel, rows.units() - k);
      const std::size_t size = Rows::Size(panel);
      for (std::size_t r = 0; r < kTileRows; ++r) {
        rows.Unpack(row + std::min(r, last), k, panel, fetch_all,
                    codes + r * size);
      }
      Tiles<kTileDigits>({codes, size, x, x_stride,
                          reinterpret_cast<std::int32_t*>(args.sums + i),
                          args.stride, k != 0, fetch},
                         args.num_digits, next);
      x += size;
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // TERN_TERNARY_KERNELS_SCREEN_TEXTS_INL_H_
