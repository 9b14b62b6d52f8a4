#include "ternary_kernels/screen_texts.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

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

void Estimate(const ScreenView& w, const ScreenTextsArgs& args,
              std::size_t begin, std::size_t count, Sums& sums) {
  std::size_t digit = 0;
  for (std::size_t t = 0; t < args.count; ++t) {
    const ScreenText& text = args.texts[t];
    const std::uint32_t offset =
        255 * static_cast<std::uint32_t>(text.input.sum);
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

HWY_NOINLINE void ScreenTextsOnTarget(const ScreenView& w,
                                      const ScreenTextsArgs& args,
                                      std::size_t row_begin,
                                      std::size_t row_end) {
  std::size_t digits = 0;
  for (std::size_t t = 0; t < args.count; ++t) digits += args.texts[t].digits;
  alignas(kHeadAlign) Sums sums;
  for (std::size_t row = row_begin; row < row_end; row += kSums) {
    const std::size_t count = std::min(kSums, row_end - row);
    SumRows(w, args.digits, digits, row, count, sums[0], kSums);
    Estimate(w, args, row, count, sums);
  }
}

HWY_NOINLINE std::size_t OpenRowsOnTarget(const ScreenView& w,
                                          const ScreenInput& in,
                                          const float* estimates, float cut,
                                          std::size_t row_begin,
                                          std::size_t row_end,
                                          std::uint32_t* rows) {
  const float residual_factor = in.residual_factor;
  const float norm_factor = in.norm_factor;
  const float slack = in.slack;
  float bounds[kSums];
  std::size_t open = 0;
  for (std::size_t row = row_begin; row < row_end; row += kSums) {
    const std::size_t count = std::min(kSums, row_end - row);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t r = row + i;
      bounds[i] = estimates[r] + (w.fine_residuals[r] * residual_factor +
                                  (w.norms[r] * norm_factor + slack));
    }
    for (std::size_t i = 0; i < count; ++i) {
      rows[open] = static_cast<std::uint32_t>(row + i);
      open += bounds[i] < cut ? 0 : 1;
    }
  }
  return open;
}

}  // namespace

HWY_NOINLINE void PackOnTarget(std::size_t cols, const std::int16_t* digit,
                               std::uint8_t* packed) {
  PackDigit(ScreenWords(cols), digit, packed);
}

}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::kernels {
namespace {
HWY_EXPORT(PackOnTarget);
HWY_EXPORT(ScreenTextsOnTarget);
HWY_EXPORT(OpenRowsOnTarget);
}  // namespace

void PackScreenDigit(std::size_t cols, const std::int16_t* digit,
                     std::uint8_t* packed) {
  HWY_DYNAMIC_DISPATCH(PackOnTarget)(cols, digit, packed);
}

void ScreenTexts(const ScreenView& w, const ScreenTextsArgs& args,
                 std::size_t row_begin, std::size_t row_end) {
  HWY_DYNAMIC_DISPATCH(ScreenTextsOnTarget)(w, args, row_begin, row_end);
}

std::size_t OpenRows(const ScreenView& w, const ScreenInput& in,
                     const float* estimates, float cut, std::size_t row_begin,
                     std::size_t row_end, std::uint32_t* rows) {
  return HWY_DYNAMIC_DISPATCH(OpenRowsOnTarget)(w, in, estimates, cut,
                                                row_begin, row_end, rows);
}

}  // namespace tern::kernels
#endif  // HWY_ONCE
