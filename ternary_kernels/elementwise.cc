#include "ternary_kernels/elementwise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "packing/half.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ternary_kernels/elementwise.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "ternary_kernels/float_load-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {

using DI = hn::RebindToSigned<DF>;
using VI = hn::Vec<DI>;

HWY_INLINE float SumOfSquares(const float* HWY_RESTRICT x, std::size_t size) {
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  VF sum = hn::Zero(d);
  std::size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const VF v = hn::LoadU(d, x + i);
    sum = hn::MulAdd(v, v, sum);
  }
  if (i < size) {
    const VF v = LoadTailAsF32(d, x + i, size - i);
    sum = hn::MulAdd(v, v, sum);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

void RmsNorm(const float* x, const float* weight, std::size_t size, float eps,
             float* out) {
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  const float mean = SumOfSquares(x, size) / static_cast<float>(size);
  const float factor = 1.0F / std::sqrt(mean + eps);
  const VF factors = hn::Set(d, factor);
  std::size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const VF normed = hn::Mul(hn::LoadU(d, x + i), factors);
    hn::StoreU(hn::Mul(hn::LoadU(d, weight + i), normed), d, out + i);
  }
  for (; i < size; ++i) out[i] = weight[i] * (x[i] * factor);
}

void SquaredReluGate(const float* gate, const float* up, std::size_t size,
                     float* out) {
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const VF v = hn::LoadU(d, gate + i);
    // Not Max: that would turn NaN into 0.
    const VF g = hn::IfThenZeroElse(hn::Lt(v, hn::Zero(d)), v);
    hn::StoreU(hn::Mul(hn::Mul(g, g), hn::LoadU(d, up + i)), d, out + i);
  }
  for (; i < size; ++i) {
    const float g = gate[i] < 0 ? 0.0F : gate[i];
    out[i] = g * g * up[i];
  }
}

// e^a = mantissa * 2^exponent for -110 <= a <= 0, with mantissa in
// [0.7, 1.42], to within a unit in its last place; kept apart so that products
// with it need not pass through the small numbers, which have fewer bits.
struct Exponential {
  VF mantissa;
  VI exponent;
};
HWY_INLINE Exponential ExpOf(VF a) {
  const DF d;
  // ln 2 in two parts; the first has 9 bits, so that its multiples are exact.
  const VF ln2_high = hn::Set(d, 0.693359375F);
  const VF ln2_low = hn::Set(d, -2.12194440e-4F);
  const VI exponent = hn::NearestInt(hn::Mul(a, hn::Set(d, 1.44269504F)));
  const VF n = hn::ConvertTo(d, exponent);
  const VF r = hn::NegMulAdd(n, ln2_low, hn::NegMulAdd(n, ln2_high, a));
  // |r| <= 0.347: the first term left out, r^8 / 8!, is below 2^-27.
  VF sum = hn::Set(d, 1.0F / 5040);
  for (const float k : {720.0F, 120.0F, 24.0F, 6.0F, 2.0F}) {
    sum = hn::MulAdd(sum, r, hn::Set(d, 1.0F / k));
  }
  sum = hn::MulAdd(hn::Mul(r, r), sum, r);
  return {hn::Add(hn::Set(d, 1.0F), sum), exponent};
}

// v * 2^exponent, rounded once, for -252 <= exponent <= 0.
HWY_INLINE VF ScaleByPower(VF v, VI exponent) {
  const DF d;
  const DI di;
  const VI half = hn::ShiftRight<1>(exponent);
  const auto power = [&](VI n) HWY_ATTR {
    const VI biased = hn::Add(n, hn::Set(di, 127));
    return hn::BitCast(d, hn::ShiftLeft<23>(biased));
  };
  return hn::Mul(hn::Mul(v, power(half)), power(hn::Sub(exponent, half)));
}

// x / (1 + e^-x), for negative x as x e^x / (1 + e^x).
HWY_INLINE VF Silu(VF x) {
  const DF d;
  // From here down the result rounds to -0.  Not Max: NaN must stay.
  const VF least = hn::Set(d, -110.0F);
  const auto negative = hn::Lt(x, hn::Zero(d));
  const VF bounded = hn::IfThenElse(hn::Lt(x, least), least, x);
  const VF a = hn::Neg(hn::Abs(bounded));
  const Exponential e = ExpOf(hn::IfThenElse(hn::Lt(a, least), least, a));
  const VF sum =
      hn::Add(hn::Set(d, 1.0F), ScaleByPower(e.mantissa, e.exponent));
  const VF above =
      hn::IfThenElse(negative, hn::Mul(bounded, e.mantissa), bounded);
  const VI exponent =
      hn::IfThenElseZero(hn::RebindMask(DI(), negative), e.exponent);
  return ScaleByPower(hn::Div(above, sum), exponent);
}

void SiluGate(const float* gate, const float* up, std::size_t size,
              float* out) {
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const VF g = Silu(hn::LoadU(d, gate + i));
    hn::StoreU(hn::Mul(g, hn::LoadU(d, up + i)), d, out + i);
  }
  if (i < size) {
    HWY_ALIGN float tail[hn::MaxLanes(DF())];
    const VF g = Silu(LoadTailAsF32(d, gate + i, size - i));
    hn::Store(hn::Mul(g, LoadTailAsF32(d, up + i, size - i)), d, tail);
    std::copy(tail, tail + (size - i), out + i);
  }
}

void AddTo(const float* y, std::size_t size, float* x) {
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    hn::StoreU(hn::Add(hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, x + i);
  }
  for (; i < size; ++i) x[i] += y[i];
}

void RotateHead(const float* cosine, const float* sine, std::size_t head_dim,
                float* head) {
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t half = head_dim / 2;
  std::size_t i = 0;
  for (; i + lanes <= half; i += lanes) {
    const VF c = hn::LoadU(d, cosine + i);
    const VF s = hn::LoadU(d, sine + i);
    const VF a = hn::LoadU(d, head + i);
    const VF b = hn::LoadU(d, head + half + i);
    hn::StoreU(hn::Sub(hn::Mul(a, c), hn::Mul(b, s)), d, head + i);
    hn::StoreU(hn::Add(hn::Mul(b, c), hn::Mul(a, s)), d, head + half + i);
  }
  for (; i < half; ++i) {
    const float a = head[i];
    const float b = head[half + i];
    head[i] = a * cosine[i] - b * sine[i];
    head[half + i] = b * cosine[i] + a * sine[i];
  }
}

// Half way between the largest f16, 65504, and the next step: rounds to
// infinity.
constexpr float kBeyondF16 = 65520.0F;
constexpr float kLargestF32 = std::numeric_limits<float>::max();

// True if |x| <= bound for all; NaN fails.
HWY_INLINE bool AllWithin(const float* HWY_RESTRICT x, std::size_t size,
                          float bound) {
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  const VF bounds = hn::Set(d, bound);
  auto within = hn::Le(hn::Zero(d), hn::Zero(d));
  std::size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    within = hn::And(within, hn::Le(hn::Abs(hn::LoadU(d, x + i)), bounds));
  }
  bool all = hn::AllTrue(d, within);
  for (; i < size; ++i) all = all && std::abs(x[i]) <= bound;
  return all;
}

bool AllFinite(const float* x, std::size_t size) {
  return AllWithin(x, size, kLargestF32);
}

bool StoreF16(const float* x, std::size_t size, std::uint16_t* out) {
  std::size_t i = 0;
// Highway 1.0.3 truncates where the CPU has no conversion instruction (SSSE3,
// SSE4, scalar): there the plain integer code below does all of it.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || \
    HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_NEON
  const DF d;
  const hn::Rebind<hwy::float16_t, DF> d16;
  const std::size_t lanes = hn::Lanes(d);
  auto* halves = reinterpret_cast<hwy::float16_t*>(out);
  for (; i + lanes <= size; i += lanes) {
    hn::StoreU(hn::DemoteTo(d16, hn::LoadU(d, x + i)), d16, halves + i);
  }
#endif
  for (; i < size; ++i) out[i] = packing::F32ToF16(x[i]);
  return AllWithin(x, size, std::nextafter(kBeyondF16, 0.0F));
}

bool StoreQ8(const float* x, std::size_t size, std::int8_t* out, float* scale) {
  if (!AllFinite(x, size)) return false;
  float absmax = 0;
  for (std::size_t i = 0; i < size; ++i) {
    absmax = std::max(absmax, std::abs(x[i]));
  }
  // Below this 1 / scale would not be finite.
  constexpr float kSmallest = 127 * std::numeric_limits<float>::min();
  *scale = absmax >= kSmallest ? absmax / 127.0F : 0.0F;
  const float inverse = *scale > 0 ? 1.0F / *scale : 0.0F;
  for (std::size_t i = 0; i < size; ++i) {
    // |x * inverse| <= 127.00002, so that no clamp is needed.
    out[i] = static_cast<std::int8_t>(std::nearbyint(x[i] * inverse));
  }
  return true;
}

}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::kernels {
HWY_EXPORT(RmsNorm);
HWY_EXPORT(SquaredReluGate);
HWY_EXPORT(SiluGate);
HWY_EXPORT(AddTo);
HWY_EXPORT(RotateHead);
HWY_EXPORT(AllFinite);
HWY_EXPORT(StoreF16);
HWY_EXPORT(StoreQ8);

void RmsNorm(const float* x, const float* weight, std::size_t size, float eps,
             float* out) {
  HWY_DYNAMIC_DISPATCH(RmsNorm)(x, weight, size, eps, out);
}
void SquaredReluGate(const float* gate, const float* up, std::size_t size,
                     float* out) {
  HWY_DYNAMIC_DISPATCH(SquaredReluGate)(gate, up, size, out);
}
void SiluGate(const float* gate, const float* up, std::size_t size,
              float* out) {
  HWY_DYNAMIC_DISPATCH(SiluGate)(gate, up, size, out);
}
void AddTo(const float* y, std::size_t size, float* x) {
  HWY_DYNAMIC_DISPATCH(AddTo)(y, size, x);
}
void RotateHead(const float* cosine, const float* sine, std::size_t head_dim,
                float* head) {
  HWY_DYNAMIC_DISPATCH(RotateHead)(cosine, sine, head_dim, head);
}
bool AllFinite(const float* x, std::size_t size) {
  return HWY_DYNAMIC_DISPATCH(AllFinite)(x, size);
}
bool StoreF16(const float* x, std::size_t size, std::uint16_t* out) {
  return HWY_DYNAMIC_DISPATCH(StoreF16)(x, size, out);
}
bool StoreQ8(const float* x, std::size_t size, std::int8_t* out, float* scale) {
  return HWY_DYNAMIC_DISPATCH(StoreQ8)(x, size, out, scale);
}
}  // namespace tern::kernels
#endif  // HWY_ONCE
