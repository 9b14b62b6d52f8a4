// Rows as 8-bit codes (screen_texts.h) unpacked for products, for one target:
// to bytes where there are products of bytes (AVX3_DL), else to int16.
// Included once per target.
//
// Both kinds of rows, HeldRows and RoundedRows, offer the same.  A unit is a
// word of a screen or a column of a stored row; a panel is so many units that
// the codes of four rows take a third of the first-level cache.
//
//   kPanel                   units that are unpacked at a time
//   Size(units)              codes that as many units become
//   units()                  of a row
//   lines()                  of 64 bytes that a row begins with, at At(row);
//                            what lies elsewhere Unpack fetches ahead
//   Unpack(row, k, count, fetch_all, out)   units [k, k + count) of a row;
//                            fetches what the row four further on will need,
//                            with fetch_all also its lines
//   Pack(digit, k, count, out)  of a token, in the order of Unpack
#if defined(TERN_TERNARY_KERNELS_BYTE_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TERN_TERNARY_KERNELS_BYTE_ROWS_INL_H_
#undef TERN_TERNARY_KERNELS_BYTE_ROWS_INL_H_
#else
#define TERN_TERNARY_KERNELS_BYTE_ROWS_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <hwy/highway.h>

#include "ternary_kernels/head.h"
#include "ternary_kernels/screen_texts.h"

#include "ternary_kernels/float_load-inl.h"
#include "ternary_kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {
namespace {

// Rows that are unpacked together.
inline constexpr std::size_t kTileRows = 4;
// Words of a line.
inline constexpr std::size_t kScreenLine = kHeadAlign / sizeof(std::uint16_t);

#if !TERN_PLAIN_TARGET
using DW = hn::CappedTag<std::uint16_t, kScreenLine>;
#endif

// What the next four rows will need is fetched while these are unpacked (fine
// words; with few digits all words) and multiplied (some lines at each step of
// a tile): in one go it would come at the memory's pace while nothing is
// computed.  Words from what is read now.
struct Ahead {
  std::size_t words;
  std::size_t fine;
  bool all;
};

using DI = hn::RebindToSigned<DF>;

// A code in the lowest bits of a float: beyond 2^23 they count ones.  (The
// conversion to integers would first look for those that do not fit.)
HWY_INLINE hn::Vec<DI> Position(VF w, float levels) {
  const DF d;
  const auto position = hn::Mul(w, hn::Set(d, levels));
  return hn::BitCast(DI(), hn::Add(position, hn::Set(d, kRoundingToCodes)));
}

#if HWY_TARGET == HWY_AVX3_DL

using Unpacked = std::uint8_t;
using Digit = std::int8_t;

// Bytes of fields 0 and 1 are those of one word, in turn, lines one after the
// other; behind them those of field 2, of a pair's two lines in turn.
constexpr std::size_t UnpackedSize(std::size_t words) {
  return 2 * words + 2 * ((words / kScreenLine + 1) / 2 * kScreenLine);
}

HWY_INLINE void PackWords(const std::int16_t* first, const std::int16_t* second,
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

HWY_INLINE void UnpackWords(const std::uint16_t* HWY_RESTRICT first,
                            const std::uint16_t* HWY_RESTRICT fine,
                            std::size_t words, const Ahead& ahead,
                            Unpacked* HWY_RESTRICT out) {
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

// Codes of kRoundedCols weights.  Sixteen columns make a vector; byte 4 i + v
// is of vector v, lane i.
template <class T>
HWY_INLINE void RoundColumns(const T* HWY_RESTRICT weights, float levels,
                             Unpacked* HWY_RESTRICT out) {
  const DI di;
  const auto code = [&](std::size_t v) HWY_ATTR {
    return Position(LoadAsF32(DF(), weights + v * hn::Lanes(DF())), levels);
  };
  // What lies above 8 bits in the second of a pair is shifted out or zero.
  const auto low = hn::Or(code(0), hn::ShiftLeft<8>(code(1)));
  const auto high = hn::Or(code(2), hn::ShiftLeft<8>(code(3)));
  hn::Store(
      hn::IfVecThenElse(hn::Set(di, 0xFFFF), low, hn::ShiftLeft<16>(high)), di,
      reinterpret_cast<std::int32_t*>(out));
}

HWY_INLINE void PackColumns(const std::int16_t* digit, Digit* out) {
  for (std::size_t b = 0; b < kRoundedCols; ++b) {
    out[b] = static_cast<Digit>(digit[16 * (b % 4) + b / 4]);
  }
}

#else  // HWY_TARGET != HWY_AVX3_DL

using Unpacked = std::int16_t;
using Digit = std::int16_t;

constexpr std::size_t UnpackedSize(std::size_t words) { return 3 * words; }

HWY_INLINE void PackWords(const std::int16_t* first, const std::int16_t* second,
                          const std::int16_t* third, std::size_t words,
                          Digit* out) {
  std::copy_n(first, words, out);
  std::copy_n(second, words, out + words);
  std::copy_n(third, words, out + 2 * words);
}

#if TERN_PLAIN_TARGET

HWY_INLINE void UnpackWords(const std::uint16_t* first,
                            const std::uint16_t* fine, std::size_t words,
                            const Ahead& /*ahead*/, Unpacked* out) {
  for (std::size_t k = 0; k < words; ++k) {
    const bool even = k / kScreenLine % 2 == 0;
    const int word = first[k];
    const int more =
        fine[k / (2 * kScreenLine) * kScreenLine + k % kScreenLine];
    const int three = more >> (even ? 0 : 3);
    const int two = more >> (even ? 6 : 14);
    out[k] = static_cast<Unpacked>((word << 3 & 0xF8) | (three & 7));
    out[words + k] =
        static_cast<Unpacked>((word >> 2 & 0xF8) | (three >> 8 & 7));
    out[2 * words + k] = static_cast<Unpacked>((word >> 8 & 0xFC) | (two & 3));
  }
}

#else  // !TERN_PLAIN_TARGET

HWY_INLINE void UnpackWords(const std::uint16_t* HWY_RESTRICT first,
                            const std::uint16_t* HWY_RESTRICT fine,
                            std::size_t words, const Ahead& ahead,
                            Unpacked* HWY_RESTRICT out) {
  const DW d;
  const hn::RebindToSigned<DW> d16;
  const auto five = hn::Set(d, 0xF8);
  const auto six = hn::Set(d, 0xFC);
  const auto three = hn::Set(d, 7);
  const auto two = hn::Set(d, 3);
  const auto line = [&](auto word, auto threes, auto twos,
                        std::size_t k) HWY_ATTR {
    const auto store = [&](auto codes, auto more, std::size_t at) HWY_ATTR {
      hn::Store(hn::BitCast(d16, hn::Or(codes, more)), d16, out + at);
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

#endif  // TERN_PLAIN_TARGET

// Codes of kRoundedCols weights.
template <class T>
HWY_INLINE void RoundColumns(const T* HWY_RESTRICT weights, float levels,
                             Unpacked* HWY_RESTRICT out) {
  const hn::Rebind<std::int16_t, DF> d16;
  const auto byte = hn::Set(DI(), 0xFF);
  for (std::size_t c = 0; c < kRoundedCols; c += hn::Lanes(DF())) {
    const auto code = Position(LoadAsF32(DF(), weights + c), levels);
    hn::StoreU(hn::DemoteTo(d16, hn::And(code, byte)), d16, out + c);
  }
}

HWY_INLINE void PackColumns(const std::int16_t* digit, Digit* out) {
  std::copy_n(digit, kRoundedCols, out);
}

#endif  // HWY_TARGET == HWY_AVX3_DL

// The rows of a screen.
class HeldRows {
 public:
  // Of 2560 columns all 864 words.
  static constexpr std::size_t kPanel = 28 * kScreenLine;
  static constexpr std::size_t Size(std::size_t units) {
    return UnpackedSize(units);
  }

  explicit HeldRows(const ByteRowsView& w)
      : first_(w.words),
        fine_(w.fine_words),
        words_(ScreenWords(w.cols)),
        fine_words_(FineWords(w.cols)) {}
  [[nodiscard]] std::size_t units() const { return words_; }
  [[nodiscard]] std::size_t lines() const { return words_ / kScreenLine; }
  [[nodiscard]] const std::uint8_t* At(std::size_t row) const {
    return reinterpret_cast<const std::uint8_t*>(first_ + row * words_);
  }
  HWY_INLINE void Unpack(std::size_t row, std::size_t k, std::size_t count,
                         bool fetch_all, Unpacked* out) const {
    UnpackWords(first_ + row * words_ + k, fine_ + row * fine_words_ + k / 2,
                count, {kTileRows * words_, kTileRows * fine_words_, fetch_all},
                out);
  }
  void Pack(const std::int16_t* digit, std::size_t k, std::size_t count,
            Digit* out) const {
    PackWords(digit + k, digit + words_ + k, digit + 2 * words_ + k, count,
              out);
  }

 private:
  const std::uint16_t* first_;
  const std::uint16_t* fine_;
  std::size_t words_;
  std::size_t fine_words_;
};

// The rows of a stored matrix of T, rounded on the way.
template <class T>
class RoundedRows {
 public:
  static constexpr std::size_t kPanel = 42 * kRoundedCols;
  static constexpr std::size_t Size(std::size_t units) {
    return (units + kRoundedCols - 1) / kRoundedCols * kRoundedCols;
  }

  explicit RoundedRows(const ByteRowsView& w)
      : weights_(reinterpret_cast<const T*>(w.stored.data)),
        steps_(w.steps),
        cols_(w.cols) {}
  [[nodiscard]] std::size_t units() const { return cols_; }
  [[nodiscard]] std::size_t lines() const {
    return (cols_ * sizeof(T) + kHeadAlign - 1) / kHeadAlign;
  }
  [[nodiscard]] const std::uint8_t* At(std::size_t row) const {
    return reinterpret_cast<const std::uint8_t*>(weights_ + row * cols_);
  }
  HWY_INLINE void Unpack(std::size_t row, std::size_t k, std::size_t count,
                         bool fetch_all, Unpacked* out) const {
    const T* weights = weights_ + row * cols_ + k;
    const std::uint8_t* ahead = At(row + kTileRows) + k * sizeof(T);
    const float levels = RoundedLevels(steps_[row]);
    std::size_t c = 0;
    for (; c + kRoundedCols <= count; c += kRoundedCols) {
      if (fetch_all) {
        for (std::size_t i = 0; i < kRoundedCols * sizeof(T); i += kHeadAlign) {
          PrefetchToL2(ahead + c * sizeof(T) + i);
        }
      }
      RoundColumns(weights + c, levels, out + c);
    }
    if (c == count) return;
    alignas(kHeadAlign) T last[kRoundedCols] = {};
    std::memcpy(last, weights + c, (count - c) * sizeof(T));
    RoundColumns(last, levels, out + c);
  }
  void Pack(const std::int16_t* digit, std::size_t k, std::size_t count,
            Digit* out) const {
    for (std::size_t c = 0; c < count; c += kRoundedCols) {
      std::int16_t columns[kRoundedCols] = {};
      std::copy_n(digit + k + c, std::min(kRoundedCols, count - c), columns);
      PackColumns(columns, out + c);
    }
  }

 private:
  const T* weights_;
  const float* steps_;
  std::size_t cols_;
};

// Calls fn(rows) with what w is.
template <class Fn>
HWY_INLINE void WithRows(const ByteRowsView& w, const Fn& fn) {
  if (w.words != nullptr) return fn(HeldRows(w));
  switch (w.stored.type) {
    case DenseType::kF16:
      return fn(RoundedRows<hwy::float16_t>(w));
    case DenseType::kBf16:
      return fn(RoundedRows<hwy::bfloat16_t>(w));
    case DenseType::kF32:
      return fn(RoundedRows<float>(w));
    default:
      return;  // screen_texts.h: not these
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // TERN_TERNARY_KERNELS_BYTE_ROWS_INL_H_
