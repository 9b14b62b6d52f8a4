#include "ternary_kernels/attention.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ternary_kernels/attention.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>
// After highway.h:
#include "ternary_kernels/attention-inl.h"
#include "ternary_kernels/float_load-inl.h"

#ifndef TERN_TERNARY_KERNELS_ATTENTION_ONCE_
#define TERN_TERNARY_KERNELS_ATTENTION_ONCE_
namespace tern::kernels {
namespace {

// Floats to which arrays are padded: a cache line, and the largest vector.
constexpr std::size_t kLine = 16;
// More queries than share a block before they are split into tiles: the block's
// keys and values as float32 are 64 KiB for a head of 128, and the queries with
// their state another 96 KiB.
constexpr std::size_t kMostRows = 64;

std::size_t Padded(std::size_t floats) {
  return (floats + kLine - 1) / kLine * kLine;
}

// The state of a tile after a part; rows are [token][head of the group].
struct State {
  State(float* state, std::size_t rows, std::size_t head_dim)
      : max(state),
        sum(state + Padded(rows)),
        mix(state + 2 * Padded(rows)),
        mix_size(Padded(head_dim)) {}
  static std::size_t Size(std::size_t rows, std::size_t head_dim) {
    return 2 * Padded(rows) + rows * Padded(head_dim);
  }

  float* max;  // [rows] of the scores, in units of log2
  float* sum;  // [rows] of 2^(score - max)
  float* mix;  // [rows][mix_size], sum of 2^(score - max) * value
  std::size_t mix_size;
};

struct Scratch {
  Scratch(float* scratch, std::size_t rows, std::size_t head_dim)
      : query(scratch),
        weights(query + Padded(rows * head_dim)),
        sums(weights + rows * kBlockPositions),
        keys(sums + rows * kLine),
        values(keys + kBlockPositions * head_dim),
        states(values + kBlockPositions * head_dim + kLine) {}
  static std::size_t Size(std::size_t rows, std::size_t head_dim) {
    return Padded(rows * head_dim) + rows * (kBlockPositions + kLine) +
           2 * kBlockPositions * head_dim + kLine +
           2 * State::Size(rows, head_dim);
  }

  float* query;    // [rows][head_dim], scaled
  float* weights;  // [rows][kBlockPositions], scores before
  float* sums;     // [rows][kLine], of a part
  float* keys;     // [head_dim][kBlockPositions], a block as float32
  float* values;   // [kBlockPositions][head_dim], likewise
  float* states;   // of a part, and of all so far
};

std::size_t Rows(const AttentionTile& tile) { return tile.tokens * tile.group; }

// Of the positions [begin, begin + most), those that a row sees.
std::size_t Seen(const AttentionTile& tile, std::size_t row, std::size_t begin,
                 std::size_t most) {
  const std::size_t end = tile.position + row / tile.group + 1;
  return end <= begin ? 0 : std::min(most, end - begin);
}

}  // namespace
}  // namespace tern::kernels
#endif  // TERN_TERNARY_KERNELS_ATTENTION_ONCE_

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {

// Scores are in units of log2, so that their exponential is a power of 2.
inline void ScaleQueries(const AttentionTile& tile, std::size_t head_dim,
                         float* HWY_RESTRICT out) {
  constexpr float kLog2E = 1.44269504F;
  const float scale = tile.scale * kLog2E;
  const std::size_t size = tile.group * head_dim;
  for (std::size_t t = 0; t < tile.tokens; ++t) {
    const float* token = tile.query + t * tile.stride;
    for (std::size_t i = 0; i < size; ++i) *out++ = token[i] * scale;
  }
}

// `size` elements, rounded up to whole vectors.
template <class T>
HWY_INLINE void Convert(const T* HWY_RESTRICT from, std::size_t size,
                        float* HWY_RESTRICT to) {
  const DF d;
  for (std::size_t i = 0; i < size; i += hn::Lanes(d)) {
    hn::StoreU(LoadAsF32(d, from + i), d, to + i);
  }
}

// Calls fn(first row, number of rows as a constant) for all rows.
template <class Fn>
HWY_INLINE void ForRowTiles(std::size_t rows, const Fn& fn) {
  std::size_t r = 0;
  for (; r + 4 <= rows; r += 4) fn(r, std::integral_constant<std::size_t, 4>());
  if (r + 2 <= rows) {
    fn(r, std::integral_constant<std::size_t, 2>());
    r += 2;
  }
  if (r < rows) fn(r, std::integral_constant<std::size_t, 1>());
}

// A block of keys and values of type T, and what is read after it.
template <class T>
struct Block {
  const T* keys;
  const T* values;
  BlockScales scales;
  const T* next;  // block
};

// Takes the block at positions [begin, begin + kBlock) into the state.  With
// kStream it is read only once.
template <bool kStream, class T>
HWY_NOINLINE void AddBlock(const AttentionTile& tile, std::size_t begin,
                           std::size_t head_dim, const Block<T>& block,
                           const Scratch& s, const State& state) {
  const std::size_t rows = Rows(tile);
  ForRowTiles(rows, [&](std::size_t r, auto count) HWY_ATTR {
    ScoreRows<kStream, count>(
        s.query + r * head_dim, head_dim,
        Seen(tile, r + count - 1, begin, kBlock), block.keys,
        reinterpret_cast<const std::uint8_t*>(block.values),
        s.weights + r * kBlock);
  });
  for (std::size_t r = 0; r < rows; ++r) {
    float* weights = s.weights + r * kBlock;
    const std::size_t seen = Seen(tile, r, begin, kBlock);
    if (seen == 0) {
      std::fill_n(weights, kBlock, 0.0F);
      continue;
    }
    WeighBlock(seen, block.scales,
               {state.max + r, s.sums + r * kLine,
                state.mix + r * state.mix_size, state.mix_size},
               weights);
  }
  ForRowTiles(rows, [&](std::size_t r, auto count) HWY_ATTR {
    MixRows<kStream, count, TileVectors(count)>(
        MixArgs<T>{.weights = s.weights + r * kBlock,
                   .count = Seen(tile, r + count - 1, begin, kBlock),
                   .values = block.values,
                   .head_dim = head_dim,
                   .ahead = reinterpret_cast<const std::uint8_t*>(block.next),
                   .mix = state.mix + r * state.mix_size,
                   .mix_stride = state.mix_size});
  });
}

// The block at a position; `more` if another follows.
template <class T>
HWY_INLINE Block<T> BlockAt(const HeadCache& cache, std::size_t position,
                            bool more) {
  const std::uint8_t* block =
      cache.first_block + position / kBlock * cache.block_stride;
  Block<T> result;
  result.keys = reinterpret_cast<const T*>(block);
  result.values = result.keys + kBlock * cache.head_dim;
  result.scales = {nullptr, nullptr};
  if (cache.type == CacheType::kQ8) {
    result.scales.keys =
        reinterpret_cast<const float*>(result.values + kBlock * cache.head_dim);
    result.scales.values = result.scales.keys + kBlock;
  }
  result.next = more ? reinterpret_cast<const T*>(block + cache.block_stride)
                     : result.keys;
  return result;
}

// The state of one part.
template <class T>
HWY_INLINE void AttendPartOf(const HeadCache& cache, const AttentionTile& tile,
                             std::size_t part, float* scratch,
                             const State& state) {
  const DF d;
  const std::size_t rows = Rows(tile);
  const std::size_t head_dim = cache.head_dim;
  const Scratch s(scratch, rows, head_dim);
  const std::size_t first = part * kPartPositions;
  const std::size_t end = first + Seen(tile, rows - 1, first, kPartPositions);
  ScaleQueries(tile, head_dim, s.query);
  std::fill_n(state.max, rows, -std::numeric_limits<float>::infinity());
  std::fill_n(s.sums, rows * kLine, 0.0F);
  std::fill_n(state.mix, rows * state.mix_size, 0.0F);
  for (std::size_t begin = first; begin < end; begin += kBlock) {
    const Block<T> block = BlockAt<T>(cache, begin, begin + kBlock < end);
    if (rows <= kTileRows) {
      AddBlock<true>(tile, begin, head_dim, block, s, state);
    } else if constexpr (sizeof(T) == sizeof(float)) {
      AddBlock<false>(tile, begin, head_dim, block, s, state);
    } else {
      Convert(block.keys, kBlock * head_dim, s.keys);
      Convert(block.values, std::min(kBlock, end - begin) * head_dim, s.values);
      const Block<float> converted = {s.keys, s.values, block.scales, s.keys};
      AddBlock<false>(tile, begin, head_dim, converted, s, state);
    }
  }
  for (std::size_t r = 0; r < rows; ++r) {
    const VF sum = hn::LoadU(d, s.sums + r * kLine);
    state.sum[r] = hn::GetLane(hn::SumOfLanes(d, sum));
  }
}

HWY_NOINLINE void AttendPartOnTarget(const HeadCache& cache,
                                     const AttentionTile& tile,
                                     std::size_t part, float* scratch,
                                     float* state) {
  const State out(state, Rows(tile), cache.head_dim);
  switch (cache.type) {
    case CacheType::kF32:
      return AttendPartOf<float>(cache, tile, part, scratch, out);
    case CacheType::kF16:
      return AttendPartOf<hwy::float16_t>(cache, tile, part, scratch, out);
    case CacheType::kQ8:
      return AttendPartOf<std::int8_t>(cache, tile, part, scratch, out);
  }
}

// total = total and part on the scale of the greater maximum: what has it is
// taken as it is, because 2^0 is exactly 1.
HWY_INLINE void CombineRow(const State& part, std::size_t r,
                           const State& total) {
  const DF d;
  const VF old_max = hn::Set(d, total.max[r]);
  const VF part_max = hn::Set(d, part.max[r]);
  const VF max = hn::Max(old_max, part_max);
  const VF old_factor = Exp2(hn::Sub(old_max, max));
  const VF part_factor = Exp2(hn::Sub(part_max, max));
  const float* part_mix = part.mix + r * part.mix_size;
  float* mix = total.mix + r * total.mix_size;
  for (std::size_t i = 0; i < total.mix_size; i += hn::Lanes(d)) {
    const VF scaled = hn::Mul(old_factor, hn::LoadU(d, mix + i));
    const VF added = hn::LoadU(d, part_mix + i);
    hn::StoreU(hn::MulAdd(part_factor, added, scaled), d, mix + i);
  }
  const VF scaled = hn::Mul(old_factor, hn::Set(d, total.sum[r]));
  const VF added = hn::Set(d, part.sum[r]);
  total.sum[r] = hn::GetLane(hn::MulAdd(part_factor, added, scaled));
  total.max[r] = hn::GetLane(max);
}

// A zero may have either sign on the way here, depending on the other queries
// of the tile (their positions add 0 * value); adding +0 leaves only +0.
HWY_INLINE void WriteRows(const State& total, const AttentionTile& tile,
                          std::size_t head_dim) {
  for (std::size_t r = 0; r < Rows(tile); ++r) {
    const float inverse = 1.0F / total.sum[r];
    const float* mix = total.mix + r * total.mix_size;
    float* out =
        tile.out + r / tile.group * tile.stride + r % tile.group * head_dim;
    for (std::size_t i = 0; i < head_dim; ++i) out[i] = mix[i] * inverse + 0.0F;
  }
}

HWY_NOINLINE void CombinePartsOnTarget(std::size_t head_dim,
                                       const AttentionTile& tile,
                                       const float* states, std::size_t first,
                                       std::size_t count, float* total) {
  const std::size_t rows = Rows(tile);
  const State all(total, rows, head_dim);
  if (first == 0) {
    std::fill_n(all.max, rows, -std::numeric_limits<float>::infinity());
    std::fill_n(all.sum, rows, 0.0F);
    std::fill_n(all.mix, rows * all.mix_size, 0.0F);
  }
  for (std::size_t i = 0; i < count; ++i) {
    // Only read, but State is for both.
    const State part(
        const_cast<float*>(states) + i * State::Size(rows, head_dim), rows,
        head_dim);
    // To a row that sees nothing of the part this adds zeros.
    for (std::size_t r = 0; r < rows; ++r) CombineRow(part, r, all);
  }
  if (first + count == PartsSeen(tile)) WriteRows(all, tile, head_dim);
}

}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::kernels {
HWY_EXPORT(AttendPartOnTarget);
HWY_EXPORT(CombinePartsOnTarget);

std::size_t MostTileTokens(std::size_t group) {
  return std::max<std::size_t>(1, kMostRows / group);
}

std::size_t PartsSeen(const AttentionTile& tile) {
  return (tile.position + tile.tokens + kPartPositions - 1) / kPartPositions;
}

std::size_t AttentionScratchSize(std::size_t tokens, std::size_t group,
                                 std::size_t head_dim) {
  return Scratch::Size(tokens * group, head_dim);
}

std::size_t PartStateSize(std::size_t tokens, std::size_t group,
                          std::size_t head_dim) {
  return State::Size(tokens * group, head_dim);
}

void AttendPart(const HeadCache& cache, const AttentionTile& tile,
                std::size_t part, float* scratch, float* state) {
  HWY_DYNAMIC_DISPATCH(AttendPartOnTarget)(cache, tile, part, scratch, state);
}

void CombineParts(std::size_t head_dim, const AttentionTile& tile,
                  const float* states, std::size_t first, std::size_t count,
                  float* total) {
  HWY_DYNAMIC_DISPATCH(CombinePartsOnTarget)
  (head_dim, tile, states, first, count, total);
}

void Attend(const HeadCache& cache, const AttentionTile& tile, float* scratch) {
  const std::size_t rows = Rows(tile);
  float* state = Scratch(scratch, rows, cache.head_dim).states;
  float* total = state + State::Size(rows, cache.head_dim);
  for (std::size_t part = 0; part < PartsSeen(tile); ++part) {
    AttendPart(cache, tile, part, scratch, state);
    CombineParts(cache.head_dim, tile, state, part, 1, total);
  }
}
}  // namespace tern::kernels
#endif  // HWY_ONCE
