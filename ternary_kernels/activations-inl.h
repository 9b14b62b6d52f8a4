// Quantising and scaling on one target; see activations.h.  The names of these
// functions are what tests/ternary_kernels/multiplications.awk lets multiply.
#if defined(TERN_TERNARY_KERNELS_ACTIVATIONS_INL_H_) == \
    defined(HWY_TARGET_TOGGLE)
#ifdef TERN_TERNARY_KERNELS_ACTIVATIONS_INL_H_
#undef TERN_TERNARY_KERNELS_ACTIVATIONS_INL_H_
#else
#define TERN_TERNARY_KERNELS_ACTIVATIONS_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <hwy/highway.h>

#include "ternary_kernels/reference.h"

#include "ternary_kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {
namespace {  // other kernels use the same short names

#if TERN_PLAIN_TARGET

HWY_NOINLINE inline float QuantizeOnTarget(const float* x, size_t size,
                                           int8_t* q) {
  return reference::QuantizeActivations(x, size, q);
}

#else  // !TERN_PLAIN_TARGET

using DF = hn::CappedTag<float, 16>;
using DI = hn::RebindToSigned<DF>;
inline constexpr size_t kFloats = hn::MaxLanes(DF());

// The bits of the largest |x[i]|.  Compared as integers: the same order for
// numbers, and NaN (0x7F800001 and up) wins over all.
inline int32_t AbsMaxBits(const float* x, size_t size) {
  const DF df;
  const DI di;
  auto largest = hn::Zero(di);
  size_t i = 0;
  for (; i + kFloats <= size; i += kFloats) {
    const auto bits = hn::BitCast(di, hn::Abs(hn::LoadU(df, x + i)));
    largest = hn::Max(largest, bits);
  }
  HWY_ALIGN float last[kFloats] = {};
  std::copy(x + i, x + size, last);
  largest = hn::Max(largest, hn::BitCast(di, hn::Abs(hn::Load(df, last))));
  return hn::GetLane(hn::MaxOfLanes(di, largest));
}

// q = round_half_even(x * scale) for one vector.
HWY_INLINE void QuantizeVector(const float* x, hn::Vec<DF> scale, int8_t* q) {
  const hn::Rebind<int8_t, DF> d8;
  const auto scaled = hn::Mul(hn::LoadU(DF(), x), scale);
  hn::StoreU(hn::DemoteTo(d8, hn::NearestInt(scaled)), d8, q);
}

HWY_NOINLINE inline float QuantizeOnTarget(const float* x, size_t size,
                                           int8_t* q) {
  const int32_t bits = AbsMaxBits(x, size);
  constexpr int32_t kInfinity = 0x7F800000;
  if (bits >= kInfinity) {
    std::fill(q, q + size, int8_t{0});
    return bits > kInfinity ? std::numeric_limits<float>::quiet_NaN() : 0.0F;
  }
  float absmax = 0.0F;
  hwy::CopyBytes<sizeof(absmax)>(&bits, &absmax);
  const float reciprocal = 1.0F / std::max(absmax, 1e-5F);
  const float scale = reciprocal * 127.0F;
  const auto scales = hn::Set(DF(), scale);
  size_t i = 0;
  for (; i + kFloats <= size; i += kFloats) {
    QuantizeVector(x + i, scales, q + i);
  }
  float last[kFloats] = {};
  int8_t last_q[kFloats];
  std::copy(x + i, x + size, last);
  QuantizeVector(last, scales, last_q);
  std::copy(last_q, last_q + (size - i), q + i);
  return scale;
}

#endif  // TERN_PLAIN_TARGET

// Plain loops without reductions: every compiler makes vectors of them, and no
// order of evaluation can change a bit.

HWY_NOINLINE inline void ScaleOnTarget(const int32_t* HWY_RESTRICT sums,
                                       size_t size, float multiplier,
                                       float* HWY_RESTRICT y) {
  for (size_t i = 0; i < size; ++i) {
    y[i] = static_cast<float>(sums[i]) * multiplier;
  }
}

HWY_NOINLINE inline void ScaleByRowOnTarget(const int32_t* HWY_RESTRICT sums,
                                            const float* HWY_RESTRICT scales,
                                            size_t size, float multiplier,
                                            float* HWY_RESTRICT y) {
  for (size_t i = 0; i < size; ++i) {
    y[i] = static_cast<float>(sums[i]) * (scales[i] * multiplier);
  }
}

HWY_NOINLINE inline void AddScaledOnTarget(const int32_t* HWY_RESTRICT sums,
                                           const float* HWY_RESTRICT scales,
                                           size_t scale_stride, size_t size,
                                           float multiplier,
                                           float* HWY_RESTRICT y) {
  for (size_t i = 0; i < size; ++i) {
    const float scale = scales[i * scale_stride] * multiplier;
    y[i] += static_cast<float>(sums[i]) * scale;
  }
}

HWY_NOINLINE inline void ScaleFloatsOnTarget(const float* HWY_RESTRICT sums,
                                             size_t size, float multiplier,
                                             float* HWY_RESTRICT y) {
  for (size_t i = 0; i < size; ++i) y[i] = sums[i] * multiplier;
}

HWY_NOINLINE inline void ScaleFloatsByRowOnTarget(
    const float* HWY_RESTRICT sums, const float* HWY_RESTRICT scales,
    size_t size, float* HWY_RESTRICT y) {
  for (size_t i = 0; i < size; ++i) y[i] = sums[i] * scales[i];
}

HWY_NOINLINE inline void AddScaledFloatsOnTarget(
    const float* HWY_RESTRICT sums, const float* HWY_RESTRICT scales,
    size_t scale_stride, size_t size, float* HWY_RESTRICT y) {
  for (size_t i = 0; i < size; ++i) y[i] += sums[i] * scales[i * scale_stride];
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // TERN_TERNARY_KERNELS_ACTIVATIONS_INL_H_
