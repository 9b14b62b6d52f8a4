// Loads of stored floats as float32 vectors, for one target: shared by dense.cc
// and attention.cc.  Included once per target, after hwy/highway.h.
#if defined(TERN_TERNARY_KERNELS_FLOAT_LOAD_INL_H_) == \
    defined(HWY_TARGET_TOGGLE)
#ifdef TERN_TERNARY_KERNELS_FLOAT_LOAD_INL_H_
#undef TERN_TERNARY_KERNELS_FLOAT_LOAD_INL_H_
#else
#define TERN_TERNARY_KERNELS_FLOAT_LOAD_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::ScalableTag<float>;
using VF = hn::Vec<DF>;

// Lanes(DF()) elements from p, as float32; p need not be aligned.
HWY_INLINE VF LoadAsF32(DF d, const float* HWY_RESTRICT p) {
  return hn::LoadU(d, p);
}
HWY_INLINE VF LoadAsF32(DF d, const hwy::float16_t* HWY_RESTRICT p) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<hwy::float16_t, DF>(), p));
}
HWY_INLINE VF LoadAsF32(DF d, const hwy::bfloat16_t* HWY_RESTRICT p) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<hwy::bfloat16_t, DF>(), p));
}
HWY_INLINE VF LoadAsF32(DF d, const std::int8_t* HWY_RESTRICT p) {
  const hn::Rebind<std::int32_t, DF> di;
  const auto bytes = hn::LoadU(hn::Rebind<std::int8_t, DF>(), p);
  return hn::ConvertTo(d, hn::PromoteTo(di, bytes));
}

// One f16, in one lane, so that targets with a conversion instruction use it.
HWY_INLINE float F16ToF32(const void* HWY_RESTRICT p) {
  const hn::CappedTag<float, 1> d;
  const hn::Rebind<hwy::float16_t, decltype(d)> d16;
  hwy::float16_t half;
  std::memcpy(&half, p, sizeof(half));
  return hn::GetLane(hn::PromoteTo(d, hn::LoadU(d16, &half)));
}

// The last count < Lanes(d) elements from p, as float32; the rest are zero.
template <class T>
HWY_INLINE VF LoadTailAsF32(DF d, const T* HWY_RESTRICT p, std::size_t count) {
  HWY_ALIGN T padded[hn::MaxLanes(DF())] = {};
  std::memcpy(padded, p, count * sizeof(T));
  return LoadAsF32(d, padded);
}

}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // TERN_TERNARY_KERNELS_FLOAT_LOAD_INL_H_
