#include "ternary_kernels/attention.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ternary_kernels/attention.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>
// After highway.h:
#include <hwy/contrib/math/math-inl.h>

#include "ternary_kernels/float_load-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {

// Scores are padded to whole vectors with a number whose exponential is 0.
constexpr float kPadding = -1e30F;

template <class T>
HWY_INLINE float Dot(const float* HWY_RESTRICT q, const T* HWY_RESTRICT k,
                     std::size_t size) {
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  VF sum = hn::Zero(d);
  std::size_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    sum = hn::MulAdd(hn::LoadU(d, q + i), LoadAsF32(d, k + i), sum);
  }
  if (i < size) {
    sum = hn::MulAdd(LoadTailAsF32(d, q + i, size - i),
                     LoadTailAsF32(d, k + i, size - i), sum);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

// scores[p] -> exp(scores[p] - max) / sum; `padded` is a multiple of the lanes.
HWY_INLINE void Softmax(float* HWY_RESTRICT scores, std::size_t padded) {
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  VF max = hn::Set(d, kPadding);
  for (std::size_t p = 0; p < padded; p += lanes) {
    max = hn::Max(max, hn::LoadU(d, scores + p));
  }
  max = hn::MaxOfLanes(d, max);
  VF sum = hn::Zero(d);
  for (std::size_t p = 0; p < padded; p += lanes) {
    const VF e = hn::Exp(d, hn::Sub(hn::LoadU(d, scores + p), max));
    hn::StoreU(e, d, scores + p);
    sum = hn::Add(sum, e);
  }
  const VF total = hn::SumOfLanes(d, sum);
  for (std::size_t p = 0; p < padded; p += lanes) {
    hn::StoreU(hn::Div(hn::LoadU(d, scores + p), total), d, scores + p);
  }
}

// out[i .. i + kVectors * lanes) = sum over positions of weights[p] * values.
template <std::size_t kVectors, class T>
HWY_INLINE void MixColumns(const float* HWY_RESTRICT weights,
                           const T* HWY_RESTRICT values, std::size_t positions,
                           std::size_t head_dim, std::size_t i,
                           float* HWY_RESTRICT out) {
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  VF sum[kVectors];
  for (VF& s : sum) s = hn::Zero(d);
  for (std::size_t p = 0; p < positions; ++p) {
    const VF weight = hn::Set(d, weights[p]);
    const T* HWY_RESTRICT row = values + p * head_dim + i;
    for (std::size_t v = 0; v < kVectors; ++v) {
      sum[v] = hn::MulAdd(weight, LoadAsF32(d, row + v * lanes), sum[v]);
    }
  }
  for (std::size_t v = 0; v < kVectors; ++v) {
    hn::StoreU(sum[v], d, out + i + v * lanes);
  }
}

template <class T>
HWY_INLINE void MixValues(const float* HWY_RESTRICT weights,
                          const T* HWY_RESTRICT values, std::size_t positions,
                          std::size_t head_dim, float* HWY_RESTRICT out) {
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + 4 * lanes <= head_dim; i += 4 * lanes) {
    MixColumns<4>(weights, values, positions, head_dim, i, out);
  }
  for (; i + lanes <= head_dim; i += lanes) {
    MixColumns<1>(weights, values, positions, head_dim, i, out);
  }
  for (; i < head_dim; ++i) {
    float sum = 0;
    for (std::size_t p = 0; p < positions; ++p) {
      const VF v = LoadTailAsF32(d, values + p * head_dim + i, 1);
      sum += weights[p] * hn::GetLane(v);
    }
    out[i] = sum;
  }
}

template <class T>
HWY_INLINE void AttendOver(const HeadCache& cache, const AttendArgs& a) {
  const T* keys = static_cast<const T*>(cache.keys);
  const T* values = static_cast<const T*>(cache.values);
  const std::size_t head_dim = cache.head_dim;
  const std::size_t padded = kernels::AttentionScratch(a.positions);
  // Position by position, so that a key serves all queries while it is in L1.
  for (std::size_t p = 0; p < a.positions; ++p) {
    const T* key = keys + p * head_dim;
    const float key_scale = cache.key_scales ? cache.key_scales[p] : 1.0F;
    for (std::size_t g = 0; g < a.queries; ++g) {
      const float dot = Dot(a.query + g * head_dim, key, head_dim);
      a.scratch[g * padded + p] = dot * key_scale * a.scale;
    }
  }
  for (std::size_t g = 0; g < a.queries; ++g) {
    float* scores = a.scratch + g * padded;
    for (std::size_t p = a.positions; p < padded; ++p) scores[p] = kPadding;
    Softmax(scores, padded);
    if (cache.value_scales != nullptr) {
      for (std::size_t p = 0; p < a.positions; ++p) {
        scores[p] *= cache.value_scales[p];
      }
    }
    MixValues(scores, values, a.positions, head_dim, a.out + g * head_dim);
  }
}

void Attend(const HeadCache& cache, const AttendArgs& args) {
  switch (cache.type) {
    case CacheType::kF32:
      return AttendOver<float>(cache, args);
    case CacheType::kF16:
      return AttendOver<hwy::float16_t>(cache, args);
    case CacheType::kQ8:
      return AttendOver<std::int8_t>(cache, args);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::kernels {
HWY_EXPORT(Attend);

std::size_t AttentionScratch(std::size_t positions) {
  constexpr std::size_t kLargestVector = 16;  // float32 lanes of 512 bits
  return (positions + kLargestVector - 1) / kLargestVector * kLargestVector;
}

void Attend(const HeadCache& cache, const AttendArgs& args) {
  HWY_DYNAMIC_DISPATCH(Attend)(cache, args);
}
}  // namespace tern::kernels
#endif  // HWY_ONCE
