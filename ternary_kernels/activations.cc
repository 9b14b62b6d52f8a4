#include "ternary_kernels/activations.h"

#include <cstddef>
#include <cstdint>

#include "ternary_kernels/float_sums.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ternary_kernels/activations.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ternary_kernels/activations-inl.h"

#if HWY_ONCE
namespace tern::kernels {
namespace {

HWY_EXPORT(QuantizeOnTarget);
HWY_EXPORT(ScaleOnTarget);
HWY_EXPORT(ScaleByRowOnTarget);
HWY_EXPORT(AddScaledOnTarget);
HWY_EXPORT(ScaleFloatsOnTarget);
HWY_EXPORT(ScaleFloatsByRowOnTarget);
HWY_EXPORT(AddScaledFloatsOnTarget);

}  // namespace

float QuantizeActivations(const float* x, std::size_t size, std::int8_t* q) {
  return HWY_DYNAMIC_DISPATCH(QuantizeOnTarget)(x, size, q);
}

void ScaleSums(const std::int32_t* sums, std::size_t size, float multiplier,
               float* y) {
  HWY_DYNAMIC_DISPATCH(ScaleOnTarget)(sums, size, multiplier, y);
}

void ScaleSumsByRow(const std::int32_t* sums, const float* scales,
                    std::size_t size, float multiplier, float* y) {
  HWY_DYNAMIC_DISPATCH(ScaleByRowOnTarget)(sums, scales, size, multiplier, y);
}

void AddScaledSums(const std::int32_t* sums, const float* scales,
                   std::size_t scale_stride, std::size_t size, float multiplier,
                   float* y) {
  HWY_DYNAMIC_DISPATCH(AddScaledOnTarget)
  (sums, scales, scale_stride, size, multiplier, y);
}

void ScaleFloatSums(const float* sums, std::size_t size, float multiplier,
                    float* y) {
  HWY_DYNAMIC_DISPATCH(ScaleFloatsOnTarget)(sums, size, multiplier, y);
}

void ScaleFloatSumsByRow(const float* sums, const float* scales,
                         std::size_t size, float* y) {
  HWY_DYNAMIC_DISPATCH(ScaleFloatsByRowOnTarget)(sums, scales, size, y);
}

void AddScaledFloatSums(const float* sums, const float* scales,
                        std::size_t scale_stride, std::size_t size, float* y) {
  HWY_DYNAMIC_DISPATCH(AddScaledFloatsOnTarget)
  (sums, scales, scale_stride, size, y);
}

}  // namespace tern::kernels
#endif  // HWY_ONCE
