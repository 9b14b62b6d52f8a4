// Sums of 8-bit codes times digits, for one target.  Included once per target.
//
// A panel of four rows is unpacked, to bytes where there are products of bytes
// (AVX3_DL's vpdpbusd: 64 exact products added in one instruction), else to
// int16; then tiles of the four rows and kTileDigits digits hold their sums in
// registers, so that what is loaded of a row serves all digits of a tile and
// what is loaded of a digit all four rows.  (Six digits would just fit 32
// registers, and were no faster; g++ 12 then spills at the least change.)
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

#include "ternary_kernels/head.h"
#include "ternary_kernels/screen_texts.h"

#include "ternary_kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {
namespace {

// Words of a line.
inline constexpr std::size_t kScreenLine = kHeadAlign / sizeof(std::uint16_t);

// Where sums go: [digits][stride], of rows [begin, begin + count).
struct SumArgs {
  const std::uint8_t* digits;
  std::size_t num_digits;
  std::size_t begin;
  std::size_t count;
  std::uint32_t* sums;
  std::size_t stride;
};

#if TERN_PLAIN_TARGET

HWY_INLINE void PackDigit(std::size_t words, const std::int16_t* digit,
                          std::uint8_t* packed) {
  std::copy_n(digit, 3 * words, reinterpret_cast<std::int16_t*>(packed));
}

HWY_INLINE void SumRows(const ScreenView& w, const SumArgs& args) {
  const std::size_t words = ScreenWords(w.cols);
  for (std::size_t i = 0; i < args.count; ++i) {
    const std::uint16_t* first = w.words + (args.begin + i) * words;
    const std::uint16_t* fine =
        w.fine_words + (args.begin + i) * FineWords(w.cols);
    for (std::size_t d = 0; d < args.num_digits; ++d) {
      const auto* x = reinterpret_cast<const std::int16_t*>(
          args.digits + d * ScreenDigitBytes(w.cols));
      std::uint32_t sum = 0;
      for (std::size_t k = 0; k < words; ++k) {
        const bool even = k / kScreenLine % 2 == 0;
        const int word = first[k];
        const int more =
            fine[k / (2 * kScreenLine) * kScreenLine + k % kScreenLine];
        const int three = more >> (even ? 0 : 3);
        const int two = more >> (even ? 6 : 14);
        const int b0 = (word << 3 & 0xF8) | (three & 7);
        const int b1 = (word >> 2 & 0xF8) | (three >> 8 & 7);
        const int b2 = (word >> 8 & 0xFC) | (two & 3);
        sum += static_cast<std::uint32_t>(b0 * x[k] + b1 * x[words + k] +
                                          b2 * x[2 * words + k]);
      }
      args.sums[d * args.stride + i] = sum;
    }
  }
}

#else  // !TERN_PLAIN_TARGET

using DW = hn::CappedTag<std::uint16_t, kScreenLine>;
using DS = hn::RepartitionToWide<hn::RebindToSigned<DW>>;  // sums
using VS = hn::Vec<DS>;

inline constexpr std::size_t kTileRows = 4;
// Words of a row that are unpacked at a time: of 2560 columns all 864, of which
// four rows' bytes take a third of the first-level cache.
inline constexpr std::size_t kPanelWords = 28 * kScreenLine;

// What the next four rows will need is fetched while these are unpacked (fine
// words; with few digits all words) and multiplied (a line of words at each
// step of a tile): in one go it would come at the memory's pace while nothing
// is computed.
struct Ahead {
  std::size_t words;
  std::size_t fine;
  bool all;
};

#if HWY_TARGET == HWY_AVX3_DL

inline constexpr std::size_t kTileDigits = 4;
using Unpacked = std::uint8_t;
using Digit = std::int8_t;
using DU = hn::Repartition<Unpacked, DW>;
using DD = hn::Repartition<Digit, DW>;

// Bytes of fields 0 and 1 are those of one word, in turn, lines one after the
// other; behind them those of field 2, of a pair's two lines in turn.
constexpr std::size_t UnpackedSize(std::size_t words) {
  return 2 * words + 2 * ((words / kScreenLine + 1) / 2 * kScreenLine);
}

HWY_INLINE void PackPanel(const std::int16_t* first, const std::int16_t* second,
                          const std::int16_t* third, std::size_t words,
                          Digit* out) {
  const auto byte = [](std::int16_t v) { return static_cast<Digit>(v); };
  for (std::size_t k = 0; k < words; ++k) {
    *out++ = byte(first[k]);
    *out++ = byte(second[k]);
  }
  for (std::size_t line = 0; line < words; line += 2 * kScreenLine) {
    const bool pair = line + kScreenLine < words;
    for (std::size_t k = line; k < line + kScreenLine; ++k) {
      *out++ = byte(third[k]);
      *out++ = pair ? byte(third[k + kScreenLine]) : Digit{0};
    }
  }
}

HWY_INLINE void Unpack(const std::uint16_t* HWY_RESTRICT first,
                       const std::uint16_t* HWY_RESTRICT fine,
                       std::size_t words, Unpacked* HWY_RESTRICT out,
                       const Ahead& ahead) {
  const DW d;
  static_assert(hn::MaxLanes(d) == kScreenLine);
  const auto low = hn::Set(d, 0x00FF);
  const auto five = hn::Set(d, 0xF8F8);
  const auto six = hn::Set(d, 0xFCFC);
  const auto store = [d](auto v, Unpacked* p) HWY_ATTR {
    hn::Store(v, d, reinterpret_cast<std::uint16_t*>(p));
  };
  const auto fives = [&](auto word, auto more) HWY_ATTR {
    const auto codes =
        hn::IfVecThenElse(low, hn::ShiftLeft<3>(word), hn::ShiftLeft<6>(word));
    return hn::IfVecThenElse(five, codes, more);
  };
  Unpacked* sixes = out + 2 * words;
  for (std::size_t line = 0; line < words; line += 2 * kScreenLine) {
    PrefetchToL2(fine + ahead.fine + line / 2);
    if (ahead.all) {
      PrefetchToL2(first + ahead.words + line);
      PrefetchToL2(first + ahead.words + line + kScreenLine);
    }
    const auto more = hn::Load(d, fine + line / 2);
    const auto a = hn::Load(d, first + line);
    auto b = a;
    store(fives(a, more), out + 2 * line);
    if (line + kScreenLine < words) {
      b = hn::Load(d, first + line + kScreenLine);
      store(fives(b, hn::ShiftRight<3>(more)),
            out + 2 * line + 2 * kScreenLine);
    }
    const auto codes = hn::IfVecThenElse(low, hn::ShiftRight<8>(a), b);
    store(hn::IfVecThenElse(six, codes, hn::ShiftRight<6>(more)), sixes + line);
  }
}

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
using Unpacked = std::int16_t;
using Digit = std::int16_t;
using DU = hn::RebindToSigned<DW>;
using DD = DU;

constexpr std::size_t UnpackedSize(std::size_t words) { return 3 * words; }

HWY_INLINE void PackPanel(const std::int16_t* first, const std::int16_t* second,
                          const std::int16_t* third, std::size_t words,
                          Digit* out) {
  std::copy_n(first, words, out);
  std::copy_n(second, words, out + words);
  std::copy_n(third, words, out + 2 * words);
}

HWY_INLINE void Unpack(const std::uint16_t* HWY_RESTRICT first,
                       const std::uint16_t* HWY_RESTRICT fine,
                       std::size_t words, Unpacked* HWY_RESTRICT out,
                       const Ahead& ahead) {
  const DW d;
  const auto five = hn::Set(d, 0xF8);
  const auto six = hn::Set(d, 0xFC);
  const auto three = hn::Set(d, 7);
  const auto two = hn::Set(d, 3);
  const auto line = [&](auto word, auto threes, auto twos,
                        std::size_t k) HWY_ATTR {
    const auto store = [&](auto codes, auto more, std::size_t at) HWY_ATTR {
      hn::Store(hn::BitCast(DU(), hn::Or(codes, more)), DU(), out + at);
    };
    store(hn::And(hn::ShiftLeft<3>(word), five), hn::And(threes, three), k);
    store(hn::And(hn::ShiftRight<2>(word), five),
          hn::And(hn::ShiftRight<8>(threes), three), words + k);
    store(hn::And(hn::ShiftRight<8>(word), six), hn::And(twos, two),
          2 * words + k);
  };
  for (std::size_t k = 0; k < words; k += 2 * kScreenLine) {
    PrefetchToL2(fine + ahead.fine + k / 2);
    if (ahead.all) {
      PrefetchToL2(first + ahead.words + k);
      PrefetchToL2(first + ahead.words + k + kScreenLine);
    }
    for (std::size_t i = 0; i < kScreenLine; i += hn::Lanes(d)) {
      const auto more = hn::Load(d, fine + k / 2 + i);
      line(hn::Load(d, first + k + i), more, hn::ShiftRight<6>(more), k + i);
      if (k + kScreenLine == words) continue;  // no second line
      line(hn::Load(d, first + k + kScreenLine + i), hn::ShiftRight<3>(more),
           hn::ShiftRight<14>(more), k + kScreenLine + i);
    }
  }
}

HWY_INLINE void AddProducts(const hn::Vec<DU> codes, const hn::Vec<DD> x,
                            VS& even, VS& odd) {
  even = hn::ReorderWidenMulAccumulate(DS(), codes, x, even, odd);
}

#endif  // HWY_TARGET == HWY_AVX3_DL

// Packed panel after panel, in the order of Unpack.
HWY_INLINE void PackDigit(std::size_t words, const std::int16_t* digit,
                          std::uint8_t* packed) {
  auto* out = reinterpret_cast<Digit*>(packed);
  for (std::size_t k = 0; k < words; k += kPanelWords) {
    const std::size_t size = std::min(kPanelWords, words - k);
    PackPanel(digit + k, digit + words + k, digit + 2 * words + k, size, out);
    out += UnpackedSize(size);
  }
}

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

// All digits, in tiles of kDigits and then of fewer.
template <std::size_t kDigits>
HWY_INLINE void Tiles(TileArgs args, std::size_t digits,
                      const std::uint8_t* ahead) {
  for (; digits >= kDigits; digits -= kDigits) {
    Tile<kDigits>(args, ahead);
    ahead += args.size / hn::Lanes(DU()) * args.fetch;
    args.x += kDigits * args.x_stride;
    args.sums += kDigits * args.stride;
  }
  if constexpr (kDigits > 1) Tiles<kDigits - 1>(args, digits, ahead);
}

// Sums of rows up to the next multiple of kTileRows may be written too.
HWY_INLINE void SumRows(const ScreenView& w, const SumArgs& args) {
  if (args.num_digits == 0) return;
  const std::size_t words = ScreenWords(w.cols);
  const std::size_t fine_words = FineWords(w.cols);
  const std::size_t steps = (args.num_digits + kTileDigits - 1) / kTileDigits *
                            (UnpackedSize(words) / hn::Lanes(DU()));
  const std::size_t lines = kTileRows * words / kScreenLine;
  const Ahead ahead{kTileRows * words, kTileRows * fine_words, steps < lines};
  const std::size_t fetch = (lines * kHeadAlign + steps - 1) / steps;
  alignas(kHeadAlign) Unpacked codes[kTileRows * UnpackedSize(kPanelWords)];
  for (std::size_t i = 0; i < args.count; i += kTileRows) {
    const std::size_t row = args.begin + i;
    const std::size_t last = std::min(kTileRows, args.count - i) - 1;
    const auto* next = reinterpret_cast<const std::uint8_t*>(
        w.words + (row + kTileRows) * words);
    const auto* x = reinterpret_cast<const Digit*>(args.digits);
    for (std::size_t k = 0; k < words; k += kPanelWords) {
      const std::size_t panel = std::min(kPanelWords, words - k);
      const std::size_t size = UnpackedSize(panel);
      for (std::size_t r = 0; r < kTileRows; ++r) {
        const std::size_t at = row + std::min(r, last);
        Unpack(w.words + at * words + k, w.fine_words + at * fine_words + k / 2,
               panel, codes + r * size, ahead);
      }
      Tiles<kTileDigits>(
          {codes, size, x, ScreenDigitBytes(w.cols) / sizeof(Digit),
           reinterpret_cast<std::int32_t*>(args.sums + i), args.stride, k != 0,
           fetch},
          args.num_digits, next);
      x += size;
    }
  }
}

#endif  // TERN_PLAIN_TARGET

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // TERN_TERNARY_KERNELS_SCREEN_TEXTS_INL_H_
