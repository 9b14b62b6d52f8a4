#include "ternary_kernels/head.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <type_traits>

#include <hwy/cache_control.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ternary_kernels/head.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "ternary_kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {
namespace {

// Rows whose sums are kept before they become floats.
constexpr std::size_t kSums = 64;
// Rows that share the loads of x.
constexpr std::size_t kSharing = 4;

// Words of a line.
constexpr std::size_t kLine = kHeadAlign / sizeof(std::uint16_t);

// Fine rows of a list lie far apart: those so many further on are asked for
// while one is summed, a line of each at a time; four times each, because
// prefetches are dropped (PrefetchStream).  All lines at once, four rows ahead,
// took 0.12 us a row, this takes 0.07 (2560 columns, every 13th row).
constexpr std::size_t kAheadRows[] = {12, 8, 4, 2};
struct FineAhead {
  const std::uint16_t* rows[std::size(kAheadRows)];
};

// Sums are kept as uint32: they may wrap on the way, the result fits int32.

#if TERN_PLAIN_TARGET

template <std::size_t kCount>
void Int8RowSums(const std::int8_t* w, const std::int16_t* x, std::size_t size,
                 std::int32_t* sums) {
  for (std::size_t r = 0; r < kCount; ++r, w += size) {
    std::uint32_t sum = 0;
    for (std::size_t c = 0; c < size; ++c) {
      sum += static_cast<std::uint32_t>(w[c] * x[c]);
    }
    sums[r] = static_cast<std::int32_t>(sum);
  }
}

template <std::size_t kCount>
void ScreenRowSums(const std::uint16_t* w, const std::int16_t* x,
                   std::size_t words, std::uint32_t* sums) {
  for (std::size_t r = 0; r < kCount; ++r, w += words) {
    std::uint32_t coarse = 0;
    std::uint32_t fine = 0;
    for (std::size_t i = 0; i < words; ++i) {
      const int word = w[i];
      coarse += static_cast<std::uint32_t>((word & 31) * x[i]);
      coarse += static_cast<std::uint32_t>((word >> 5 & 31) * x[words + i]);
      fine += static_cast<std::uint32_t>((word >> 10) * x[2 * words + i]);
    }
    sums[r] = 4 * coarse + 2 * fine;
  }
}

std::uint32_t FineRowSum(const std::uint16_t* w, const std::int16_t* x,
                         std::size_t words, const FineAhead& /*ahead*/) {
  std::uint32_t sum = 0;
  for (std::size_t k = 0; k < words; ++k) {
    const int word = w[k / (2 * kLine) * kLine + k % kLine];
    const int low = word >> (k / kLine % 2 == 0 ? 0 : 3);
    const int two = word >> (k / kLine % 2 == 0 ? 6 : 14);
    sum += static_cast<std::uint32_t>((low & 7) * x[k]);
    sum += static_cast<std::uint32_t>((low >> 8 & 7) * x[words + k]);
    sum += static_cast<std::uint32_t>((two & 3) * x[2 * words + k]);
  }
  return sum;
}

#else  // !TERN_PLAIN_TARGET

using D16 = hn::CappedTag<std::int16_t, kHeadAlign / sizeof(std::int16_t)>;
using DU16 = hn::RebindToUnsigned<D16>;
using D32 = hn::RepartitionToWide<D16>;
using V32 = hn::Vec<D32>;

HWY_INLINE std::uint32_t Total(V32 sum) {
  return static_cast<std::uint32_t>(hn::GetLane(hn::SumOfLanes(D32(), sum)));
}

// Asks for what kCount rows of `stride` bytes that are read from byte `at` on
// will need, and the rows after them.
template <std::size_t kCount>
HWY_INLINE void PrefetchRows(const std::uint8_t* rows, std::size_t stride,
                             std::size_t at) {
  for (std::size_t r = 0; r < kCount; ++r) {
    PrefetchStream(rows + at * kCount + r * kHeadAlign, kCount * stride);
    hwy::Prefetch(rows + r * stride + at + 512);
  }
}

// sums[r] of kCount rows that follow each other and share the loads of x.
// Within a model one thread of 2B4T decodes 1.10 times as fast as with one row
// after the other, asked for once; when nothing but this product runs, 0.96.
template <std::size_t kCount>
HWY_INLINE void Int8RowSums(const std::int8_t* HWY_RESTRICT w,
                            const std::int16_t* HWY_RESTRICT x,
                            std::size_t size, std::int32_t* sums) {
  const D16 d16;
  const D32 d32;
  const hn::Repartition<std::int8_t, D16> d8;
  const hn::Half<decltype(d8)> half;
  const std::size_t lanes = hn::Lanes(d8);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(w);
  V32 even[kCount];
  V32 odd[kCount];
  for (std::size_t r = 0; r < kCount; ++r) even[r] = odd[r] = hn::Zero(d32);
  for (std::size_t line = 0; line < size; line += kHeadAlign) {
    PrefetchRows<kCount>(bytes, size, line);
    for (std::size_t c = line; c < line + kHeadAlign; c += lanes) {
      const auto low_in = hn::Load(d16, x + c);
      const auto high_in = hn::Load(d16, x + c + lanes / 2);
      for (std::size_t r = 0; r < kCount; ++r) {
        const auto weights = hn::Load(d8, w + r * size + c);
        const auto low = hn::PromoteTo(d16, hn::LowerHalf(half, weights));
        const auto high = hn::PromoteTo(d16, hn::UpperHalf(half, weights));
        even[r] =
            hn::ReorderWidenMulAccumulate(d32, low, low_in, even[r], odd[r]);
        even[r] =
            hn::ReorderWidenMulAccumulate(d32, high, high_in, even[r], odd[r]);
      }
    }
  }
  for (std::size_t r = 0; r < kCount; ++r) {
    sums[r] = static_cast<std::int32_t>(Total(hn::Add(even[r], odd[r])));
  }
}

// The same of a screen's rows.
template <std::size_t kCount>
HWY_INLINE void ScreenRowSums(const std::uint16_t* HWY_RESTRICT w,
                              const std::int16_t* HWY_RESTRICT x,
                              std::size_t words, std::uint32_t* sums) {
  const D16 d16;
  const DU16 du16;
  const D32 d32;
  const auto mask = hn::Set(du16, 31);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(w);
  const std::size_t stride = words * sizeof(std::uint16_t);
  V32 coarse[kCount];
  V32 coarse_odd[kCount];
  V32 fine[kCount];
  V32 fine_odd[kCount];
  for (std::size_t r = 0; r < kCount; ++r) {
    coarse[r] = coarse_odd[r] = fine[r] = fine_odd[r] = hn::Zero(d32);
  }
  const auto add = [&](auto codes, auto in, V32& even, V32& odd) HWY_ATTR {
    even = hn::ReorderWidenMulAccumulate(d32, hn::BitCast(d16, codes), in, even,
                                         odd);
  };
  for (std::size_t line = 0; line < words; line += kLine) {
    PrefetchRows<kCount>(bytes, stride, line * sizeof(std::uint16_t));
    for (std::size_t i = line; i < line + kLine; i += hn::Lanes(d16)) {
      const auto in0 = hn::Load(d16, x + i);
      const auto in1 = hn::Load(d16, x + words + i);
      const auto in2 = hn::Load(d16, x + 2 * words + i);
      for (std::size_t r = 0; r < kCount; ++r) {
        const auto word = hn::Load(du16, w + r * words + i);
        add(hn::And(word, mask), in0, coarse[r], coarse_odd[r]);
        add(hn::And(hn::ShiftRight<5>(word), mask), in1, coarse[r],
            coarse_odd[r]);
        add(hn::ShiftRight<10>(word), in2, fine[r], fine_odd[r]);
      }
    }
  }
  for (std::size_t r = 0; r < kCount; ++r) {
    sums[r] = Total(hn::Add(hn::ShiftLeft<2>(hn::Add(coarse[r], coarse_odd[r])),
                            hn::ShiftLeft<1>(hn::Add(fine[r], fine_odd[r]))));
  }
}

HWY_INLINE std::uint32_t FineRowSum(const std::uint16_t* HWY_RESTRICT w,
                                    const std::int16_t* HWY_RESTRICT x,
                                    std::size_t words, const FineAhead& ahead) {
  const D16 d16;
  const DU16 du16;
  const D32 d32;
  const auto three = hn::Set(du16, 7);
  const auto two = hn::Set(du16, 3);
  V32 even = hn::Zero(d32);
  V32 odd = hn::Zero(d32);
  const auto add = [&](auto codes,
                       const std::int16_t* HWY_RESTRICT in) HWY_ATTR {
    even = hn::ReorderWidenMulAccumulate(d32, hn::BitCast(d16, codes),
                                         hn::Load(d16, in), even, odd);
  };
  for (std::size_t line = 0; line < words; line += 2 * kLine) {
    for (const std::uint16_t* row : ahead.rows) PrefetchToL2(row + line / 2);
    for (std::size_t i = 0; i < kLine; i += hn::Lanes(d16)) {
      const auto word = hn::Load(du16, w + line / 2 + i);
      const std::int16_t* in = x + line + i;
      add(hn::And(word, three), in);
      add(hn::And(hn::ShiftRight<8>(word), three), in + words);
      add(hn::And(hn::ShiftRight<6>(word), two), in + 2 * words);
      if (line + kLine == words) continue;  // no second line
      add(hn::And(hn::ShiftRight<3>(word), three), in + kLine);
      add(hn::And(hn::ShiftRight<11>(word), three), in + kLine + words);
      add(hn::ShiftRight<14>(word), in + kLine + 2 * words);
    }
  }
  return Total(hn::Add(even, odd));
}

#endif  // TERN_PLAIN_TARGET

// sum(rows, i) of rows [0, count): of kSharing from i on at a time, and one by
// one of what is left.
template <class Sum>
HWY_INLINE void ForSharingRows(std::size_t count, const Sum& sum) {
  std::size_t i = 0;
  for (; i + kSharing <= count; i += kSharing) {
    sum(std::integral_constant<std::size_t, kSharing>(), i);
  }
  for (; i < count; ++i) sum(std::integral_constant<std::size_t, 1>(), i);
}

// Plain loops without reductions, which compilers vectorise; products are
// rounded before they are added (-ffp-contract=off), on every target.

HWY_NOINLINE void Int8RowsOnTarget(const Int8RowsView& w, const std::int16_t* x,
                                   float x_scale, std::size_t row_begin,
                                   std::size_t row_end, float* y) {
  const std::size_t stride = Int8RowStride(w.cols);
  std::int32_t sums[kSums];
  for (std::size_t row = row_begin; row < row_end; row += kSums) {
    const std::size_t count = std::min(kSums, row_end - row);
    ForSharingRows(count, [&](auto rows, std::size_t i) HWY_ATTR {
      Int8RowSums<rows()>(w.data + (row + i) * stride, x, stride, sums + i);
    });
    for (std::size_t i = 0; i < count; ++i) {
      y[row + i] = static_cast<float>(sums[i]) * (w.scales[row + i] * x_scale);
    }
  }
}

// What the sum of all columns must lose because codes are not negative.
std::uint32_t ScreenOffset(const std::int16_t* x, std::size_t words) {
  std::uint32_t coarse = 0;
  std::uint32_t fine = 0;
  for (std::size_t i = 0; i < 2 * words; ++i) {
    coarse += static_cast<std::uint32_t>(x[i]);
  }
  for (std::size_t i = 2 * words; i < 3 * words; ++i) {
    fine += static_cast<std::uint32_t>(x[i]);
  }
  return 62 * coarse + 63 * fine;
}

// The same of the fine codes.
std::uint32_t FineOffset(const ScreenInput& in, std::size_t words) {
  std::uint32_t two = 0;  // over columns whose fine codes have two bits
  for (std::size_t i = 2 * words; i < 3 * words; ++i) {
    two += static_cast<std::uint32_t>(in.x[i]);
  }
  return 7 * static_cast<std::uint32_t>(in.sum) - 4 * two;
}

HWY_NOINLINE void ScreenOnTarget(const ScreenView& w, const ScreenInput& in,
                                 std::size_t row_begin, std::size_t row_end,
                                 float* HWY_RESTRICT estimates,
                                 float* HWY_RESTRICT bounds) {
  const std::size_t words = ScreenWords(w.cols);
  const std::uint32_t offset = ScreenOffset(in.x, words);
  std::uint32_t sums[kSums];
  for (std::size_t row = row_begin; row < row_end; row += kSums) {
    const std::size_t count = std::min(kSums, row_end - row);
    ForSharingRows(count, [&](auto rows, std::size_t i) HWY_ATTR {
      ScreenRowSums<rows()>(w.words + (row + i) * words, in.x, words, sums + i);
    });
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t r = row + i;
      const auto sum = static_cast<std::int32_t>(sums[i] - offset);
      estimates[r] = static_cast<float>(sum) * (w.steps[r] * in.scale);
      bounds[r] = estimates[r] + (w.residuals[r] * in.residual_factor +
                                  (w.norms[r] * in.norm_factor + in.slack));
    }
  }
}

HWY_NOINLINE void ScreenFineOnTarget(const ScreenView& w, const ScreenInput& in,
                                     const std::uint32_t* rows,
                                     std::size_t count, const float* estimates,
                                     float* bounds) {
  const std::size_t words = FineWords(w.cols);
  const std::uint32_t offset = FineOffset(in, ScreenWords(w.cols));
  for (std::size_t i = 0; i < count; ++i) {
    FineAhead ahead;
    for (std::size_t a = 0; a < std::size(kAheadRows); ++a) {
      const std::size_t next = std::min(i + kAheadRows[a], count - 1);
      ahead.rows[a] = w.fine_words + rows[next] * words;
    }
    const std::size_t r = rows[i];
    const std::uint32_t sum =
        FineRowSum(w.fine_words + r * words, in.x, ScreenWords(w.cols), ahead);
    const auto fine =
        static_cast<float>(static_cast<std::int32_t>(2 * sum - offset));
    bounds[r] = (estimates[r] + fine * ((w.steps[r] * in.scale) * 0.25F)) +
                (w.fine_residuals[r] * in.residual_factor +
                 (w.norms[r] * in.norm_factor + in.slack));
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::kernels {
namespace {
HWY_EXPORT(Int8RowsOnTarget);
HWY_EXPORT(ScreenOnTarget);
HWY_EXPORT(ScreenFineOnTarget);
}  // namespace

void Int8RowsMatVec(const Int8RowsView& w, const std::int16_t* x, float x_scale,
                    std::size_t row_begin, std::size_t row_end, float* y) {
  HWY_DYNAMIC_DISPATCH(Int8RowsOnTarget)
  (w, x, x_scale, row_begin, row_end, y);
}

void Screen(const ScreenView& w, const ScreenInput& in, std::size_t row_begin,
            std::size_t row_end, float* estimates, float* bounds) {
  HWY_DYNAMIC_DISPATCH(ScreenOnTarget)
  (w, in, row_begin, row_end, estimates, bounds);
}

void ScreenFine(const ScreenView& w, const ScreenInput& in,
                const std::uint32_t* rows, std::size_t count,
                const float* estimates, float* bounds) {
  HWY_DYNAMIC_DISPATCH(ScreenFineOnTarget)
  (w, in, rows, count, estimates, bounds);
}

void RefineRows(const DenseView& w, const float* x, const std::uint32_t* rows,
                std::size_t count, float* y) {
  const std::size_t row_bytes = DenseRowBytes(w.type, w.cols);
  for (std::size_t i = 0; i < count;) {
    std::size_t end = i + 1;
    while (end < count && rows[end] == rows[end - 1] + 1) ++end;
    if (end < count) {
      const std::uint8_t* next = w.data + rows[end] * row_bytes;
      for (std::size_t b = 0; b < row_bytes; b += kHeadAlign) {
        hwy::Prefetch(next + b);
      }
    }
    DenseMatMul(w,
                {.x = x,
                 .x_stride = w.cols,
                 .tokens = 1,
                 .row_begin = rows[i],
                 .row_end = rows[end - 1] + std::size_t{1},
                 .y = y,
                 .y_stride = w.rows},
                nullptr);
    i = end;
  }
}

}  // namespace tern::kernels
#endif  // HWY_ONCE
