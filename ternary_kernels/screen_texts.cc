#include "ternary_kernels/screen_texts.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <hwy/cache_control.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ternary_kernels/screen_texts.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "ternary_kernels/screen_texts-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {
namespace {

// Rows whose sums are kept before they become floats, and whose bounds are
// computed before they are looked at.
constexpr std::size_t kSums = 64;

// Sums of rows [begin, begin + count) and each digit, modulo 2^32.
using Sums = std::uint32_t[kMostScreenDigits][kSums];

// Plain loops without reductions, which compilers vectorise; products are
// rounded before they are added (-ffp-contract=off), on every target.

void Estimate(const ByteRowsView& w, const ScreenTextsArgs& args,
              std::size_t begin, std::size_t count, Sums& sums) {
  std::size_t digit = 0;
  for (std::size_t t = 0; t < args.count; ++t) {
    const ScreenText& text = args.texts[t];
    const std::uint32_t offset =
        w.TwiceZero() * static_cast<std::uint32_t>(text.input.sum);
    std::uint32_t* first = sums[digit];
    if (text.digits == 2) {
      const std::uint32_t* second = sums[digit + 1];
      for (std::size_t i = 0; i < count; ++i) {
        first[i] = kScreenBase * first[i] + second[i];
      }
    }
    digit += text.digits;
    float* estimates = args.estimates + t * args.stride + begin;
    const float* steps = w.steps + begin;
    const float scale = text.input.scale;
    for (std::size_t i = 0; i < count; ++i) {
      const auto sum = static_cast<std::int32_t>(2 * first[i] - offset);
      estimates[i] = static_cast<float>(sum) * ((steps[i] * scale) * 0.25F);
    }
  }
}

HWY_NOINLINE void ScreenTextsOnTarget(const ByteRowsView& w,
                                      const ScreenTextsArgs& args,
                                      std::size_t row_begin,
                                      std::size_t row_end) {
  std::size_t digits = 0;
  for (std::size_t t = 0; t < args.count; ++t) digits += args.texts[t].digits;
  alignas(kHeadAlign) Sums sums;
  for (std::size_t row = row_begin; row < row_end; row += kSums) {
    const std::size_t count = std::min(kSums, row_end - row);
    WithRows(w, [&](const auto& rows) HWY_ATTR {
      SumRows(rows, ScreenDigitBytes(w.cols) / sizeof(Digit),
              {args.digits, digits, row, count, sums[0], kSums});
    });
    Estimate(w, args, row, count, sums);
  }
}

// masks[r - row_begin] |= bit for the rows that may reach the cut.
HWY_NOINLINE void OpenRowsOnTarget(const ByteRowsView& w,
                                   const OpenRowsArgs& args,
                                   std::size_t row_begin, std::size_t row_end,
                                   std::uint32_t* masks) {
  const ScreenInput& in = args.input;
  const float cut = args.cut;
  const std::uint32_t bit = args.bit;
  for (std::size_t row = row_begin; row < row_end; row += kSums) {
    const std::size_t count = std::min(kSums, row_end - row);
    const float* estimate = args.estimates + row;
    const float* residuals = w.residuals + row;
    const float* norms = w.norms + row;
    std::uint32_t* mask = masks + (row - row_begin);
    for (std::size_t i = 0; i < count; ++i) {
      const float bound =
          estimate[i] + (residuals[i] * in.residual_factor +
                         (norms[i] * in.norm_factor + in.slack));
      mask[i] |= bound < cut ? 0 : bit;
    }
  }
}

}  // namespace

HWY_NOINLINE void PackOnTarget(const ByteRowsView& w, const std::int16_t* digit,
                               std::uint8_t* packed) {
  WithRows(w, [&](const auto& rows) HWY_ATTR {
    PackDigit(rows, digit, reinterpret_cast<Digit*>(packed));
  });
}

HWY_NOINLINE bool MultipliesBytesOnTarget() { return sizeof(Unpacked) == 1; }

}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::kernels {
namespace {
HWY_EXPORT(PackOnTarget);
HWY_EXPORT(MultipliesBytesOnTarget);
HWY_EXPORT(ScreenTextsOnTarget);
HWY_EXPORT(OpenRowsOnTarget);
}  // namespace

bool MultipliesBytes() {
  return HWY_DYNAMIC_DISPATCH(MultipliesBytesOnTarget)();
}

void PackScreenDigit(const ByteRowsView& w, const std::int16_t* digit,
                     std::uint8_t* packed) {
  HWY_DYNAMIC_DISPATCH(PackOnTarget)(w, digit, packed);
}

void ScreenTexts(const ByteRowsView& w, const ScreenTextsArgs& args,
                 std::size_t row_begin, std::size_t row_end) {
  HWY_DYNAMIC_DISPATCH(ScreenTextsOnTarget)(w, args, row_begin, row_end);
}

void OpenRows(const ByteRowsView& w, const OpenRowsArgs& args,
              std::size_t row_begin, std::size_t row_end,
              std::uint32_t* masks) {
  HWY_DYNAMIC_DISPATCH(OpenRowsOnTarget)(w, args, row_begin, row_end, masks);
}

void RefineOpenRows(const DenseView& w, const RefineArgs& args) {
  const std::size_t row_bytes = DenseRowBytes(w.type, w.cols);
  const auto next_open = [&](std::size_t row) {
    while (row < args.row_end && args.masks[row - args.row_begin] == 0) ++row;
    return row;
  };
  std::size_t next = next_open(args.row_begin);
  while (next < args.row_end) {
    const std::size_t row = next;
    next = next_open(row + 1);
    if (next < args.row_end) {
      const std::uint8_t* bytes = w.data + next * row_bytes;
      for (std::size_t b = 0; b < row_bytes; b += kHeadAlign) {
        hwy::Prefetch(bytes + b);
      }
    }
    std::uint32_t texts = args.masks[row - args.row_begin];
    for (; texts != 0; texts &= texts - 1) {
      const auto t = static_cast<std::size_t>(std::countr_zero(texts));
      DenseMatMul(w,
                  {.x = args.x + t * w.cols,
                   .x_stride = w.cols,
                   .tokens = 1,
                   .row_begin = row,
                   .row_end = row + 1,
                   .y = args.y + t * args.y_stride,
                   .y_stride = args.y_stride},
                  nullptr);
    }
  }
}

}  // namespace tern::kernels
#endif  // HWY_ONCE
