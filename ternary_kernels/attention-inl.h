// The steps of attention within one block of the cache, for one target; see
// attention.h.  Included once per target, after hwy/highway.h.
//
// Both products are register tiles of kRows x kVectors accumulators; each
// accumulator is one chain of multiply-adds, over head_dim for the scores and
// over positions for the values, so that its bits do not depend on the shape of
// the tile.
#if defined(TERN_TERNARY_KERNELS_ATTENTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TERN_TERNARY_KERNELS_ATTENTION_INL_H_
#undef TERN_TERNARY_KERNELS_ATTENTION_INL_H_
#else
#define TERN_TERNARY_KERNELS_ATTENTION_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "ternary_kernels/attention.h"

#include "ternary_kernels/float_load-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {

inline constexpr std::size_t kBlock = kBlockPositions;
// Query rows of a register tile, at most.
inline constexpr std::size_t kTileRows = 4;
// Accumulators of a register tile: half of the registers.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL || \
    HWY_TARGET == HWY_NEON
inline constexpr std::size_t kAccumulators = 16;
#else
inline constexpr std::size_t kAccumulators = 8;
#endif
inline constexpr std::size_t kBlockVectors = kBlock / hn::MaxLanes(DF());
static_assert(kBlockVectors >= 4 && kBlock % hn::MaxLanes(DF()) == 0);

// Vectors beside one another in a register tile of `rows` rows.
constexpr std::size_t TileVectors(std::size_t rows) {
  return std::min<std::size_t>(kAccumulators / rows, 8);
}

// 2^x for x <= 0: exactly 1 for 0, exactly 0 below 2^-126, NaN for NaN.  The
// polynomial is within 9.2e-8 of 2^f, all of it within 1.6e-7.
HWY_INLINE VF Exp2(VF x) {
  const DF d;
  const hn::RebindToUnsigned<DF> du;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the lowest bits,
  // here with the bias of an exponent.
  const VF magic = hn::Set(d, 12582912.0F + 127.0F);
  const VF biased = hn::Add(x, magic);
  const VF f = hn::Sub(x, hn::Sub(biased, magic));  // in [-0.5, 0.5]
  VF p = hn::Set(d, 0.00132647285F);
  p = hn::MulAdd(p, f, hn::Set(d, 0.00967151392F));
  p = hn::MulAdd(p, f, hn::Set(d, 0.0555073358F));
  p = hn::MulAdd(p, f, hn::Set(d, 0.240222424F));
  p = hn::MulAdd(p, f, hn::Set(d, 0.693147004F));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0F));
  const VF power = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(du, biased)));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -126.0F)), hn::Mul(p, power));
}

// Where keys and values are read once, as many bytes as a step of a register
// tile reads are asked for ahead of time.
template <std::size_t kBytes>
HWY_INLINE void PrefetchBytes(const std::uint8_t* ahead) {
  for (std::size_t b = 0; b < kBytes; b += 64) hwy::Prefetch(ahead + b);
}

// scores[r][position] = query[r] . keys[..][position] for kRows x kVectors.
// With kStream, `ahead` has as many bytes as the tile reads, to be prefetched.
template <bool kStream, std::size_t kRows, std::size_t kVectors, class T>
HWY_INLINE void ScoreTile(const float* HWY_RESTRICT query, std::size_t head_dim,
                          const T* HWY_RESTRICT keys, const std::uint8_t* ahead,
                          float* HWY_RESTRICT scores) {
  constexpr std::size_t kStep = kVectors * hn::MaxLanes(DF()) * sizeof(T);
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  VF sum[kRows][kVectors];
  for (auto& row : sum) {
    for (VF& s : row) s = hn::Zero(d);
  }
  for (std::size_t i = 0; i < head_dim; ++i, keys += kBlock) {
    if constexpr (kStream) PrefetchBytes<kStep>(ahead + i * kStep);
    VF key[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) {
      key[v] = LoadAsF32(d, keys + v * lanes);
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      const VF q = hn::Set(d, query[r * head_dim + i]);
      for (std::size_t v = 0; v < kVectors; ++v) {
        sum[r][v] = hn::MulAdd(q, key[v], sum[r][v]);
      }
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      hn::StoreU(sum[r][v], d, scores + r * kBlock + v * lanes);
    }
  }
}

// scores [kRows][kBlock] of query [kRows][head_dim] for the first `count`
// positions, or some more.
template <bool kStream, std::size_t kRows, class T>
HWY_INLINE void ScoreRows(const float* HWY_RESTRICT query, std::size_t head_dim,
                          std::size_t count, const T* HWY_RESTRICT keys,
                          const std::uint8_t* ahead,
                          float* HWY_RESTRICT scores) {
  constexpr std::size_t kVectors = std::min(TileVectors(kRows), kBlockVectors);
  const std::size_t step = kVectors * hn::Lanes(DF());
  const auto tile = [&](std::size_t p, auto vectors) HWY_ATTR {
    ScoreTile<kStream, kRows, vectors>(query, head_dim, keys + p,
                                       ahead + p * head_dim * sizeof(T),
                                       scores + p);
  };
  std::size_t p = 0;
  for (; p + step / 2 < count; p += step) {
    tile(p, std::integral_constant<std::size_t, kVectors>());
  }
  // No memory for positions that are not there yet: a short context is read in
  // half the time.
  if (p < count) tile(p, std::integral_constant<std::size_t, kVectors / 2>());
}

// Values of a block and their weights.
template <class T>
struct MixArgs {
  const float* weights;  // [rows][kBlock]
  std::size_t count;     // positions
  const T* values;       // [count][head_dim]
  std::size_t head_dim;
  const std::uint8_t* ahead;  // as above
  float* mix;                 // [rows][mix_stride]
  std::size_t mix_stride;
};

// mix[r][i] += weights[r][p] * values[p][i] over positions p < count, for kRows
// x kVectors, the first of them vector `first` of the row.
template <bool kStream, std::size_t kRows, std::size_t kVectors, class T>
HWY_INLINE void MixTile(const MixArgs<T>& a, std::size_t first) {
  constexpr std::size_t kStep = kVectors * hn::MaxLanes(DF()) * sizeof(T);
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  const float* HWY_RESTRICT weights = a.weights;
  const T* HWY_RESTRICT values = a.values + first * lanes;
  const std::uint8_t* ahead = a.ahead + first * lanes * kBlock * sizeof(T);
  float* HWY_RESTRICT mix = a.mix + first * lanes;
  VF sum[kRows][kVectors];
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      sum[r][v] = hn::LoadU(d, mix + r * a.mix_stride + v * lanes);
    }
  }
  for (std::size_t p = 0; p < a.count; ++p, values += a.head_dim) {
    if constexpr (kStream) PrefetchBytes<kStep>(ahead + p * kStep);
    VF value[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) {
      value[v] = LoadAsF32(d, values + v * lanes);
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      const VF weight = hn::Set(d, weights[r * kBlock + p]);
      for (std::size_t v = 0; v < kVectors; ++v) {
        sum[r][v] = hn::MulAdd(weight, value[v], sum[r][v]);
      }
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      hn::StoreU(sum[r][v], d, mix + r * a.mix_stride + v * lanes);
    }
  }
}

// The same for all of a row from vector `v` on, kVectors at a time, then fewer.
// The last vector may take in what lies behind a value; what comes of it stays
// in the padding of `mix`.
template <bool kStream, std::size_t kRows, std::size_t kVectors, class T>
HWY_INLINE void MixRows(const MixArgs<T>& args, std::size_t v = 0) {
  const std::size_t lanes = hn::Lanes(DF());
  const std::size_t vectors = (args.head_dim + lanes - 1) / lanes;
  for (; v + kVectors <= vectors; v += kVectors) {
    MixTile<kStream, kRows, kVectors>(args, v);
  }
  if constexpr (kVectors > 1) MixRows<kStream, kRows, kVectors / 2>(args, v);
}

// x[i] *= factor for whole vectors.
HWY_INLINE void Scale(VF factor, std::size_t size, float* HWY_RESTRICT x) {
  const DF d;
  for (std::size_t i = 0; i < size; i += hn::Lanes(d)) {
    hn::StoreU(hn::Mul(factor, hn::LoadU(d, x + i)), d, x + i);
  }
}

// Scales of the positions of a block, null unless the cache is kQ8.
struct BlockScales {
  const float* keys;
  const float* values;
};

// What a query has seen of a part so far.
struct RunningRow {
  float* max;            // of the scores
  float* sum;            // [lanes] of the exponentials
  float* mix;            // [mix_size] of the values
  std::size_t mix_size;  // head_dim, padded
};

// scores [kBlock] -> the weights of the values, of which the first `count` are
// seen; the row's state is scaled down if the maximum grows.
HWY_INLINE void WeighBlock(std::size_t count, const BlockScales& scales,
                           const RunningRow& row, float* HWY_RESTRICT scores) {
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  const VF unseen = hn::Set(d, -std::numeric_limits<float>::infinity());
  const VF old_max = hn::Set(d, *row.max);
  VF max = old_max;
  VF score[kBlockVectors];
  for (std::size_t v = 0; v < kBlockVectors; ++v) {
    score[v] = hn::LoadU(d, scores + v * lanes);
    if (scales.keys != nullptr) {
      score[v] = hn::Mul(score[v], hn::LoadU(d, scales.keys + v * lanes));
    }
    if (count < kBlock) {
      const VF index = hn::Iota(d, static_cast<float>(v * lanes));
      const VF end = hn::Set(d, static_cast<float>(count));
      score[v] = hn::IfThenElse(hn::Lt(index, end), score[v], unseen);
    }
    max = hn::Max(max, score[v]);
  }
  max = hn::MaxOfLanes(d, max);
  VF sum = hn::LoadU(d, row.sum);
  if (hn::GetLane(max) != *row.max) {
    const VF factor = Exp2(hn::Sub(old_max, max));
    sum = hn::Mul(sum, factor);
    Scale(factor, row.mix_size, row.mix);
    *row.max = hn::GetLane(max);
  }
  for (std::size_t v = 0; v < kBlockVectors; ++v) {
    VF weight = Exp2(hn::Sub(score[v], max));
    sum = hn::Add(sum, weight);
    if (scales.values != nullptr) {
      weight = hn::Mul(weight, hn::LoadU(d, scales.values + v * lanes));
    }
    hn::StoreU(weight, d, scores + v * lanes);
  }
  hn::StoreU(sum, d, row.sum);
}

}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // TERN_TERNARY_KERNELS_ATTENTION_INL_H_
