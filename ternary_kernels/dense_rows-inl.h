// Four rows of a dense matrix as float32 vectors, whatever they are stored as,
// for one target: shared by dense.cc and dense_product-inl.h.
//
// All kinds offer the same.  A step is kVectors vectors of columns that share a
// scale; columns are multiples of that, and only rows of plain floats have a
// tail.
//
//   Scale(r, c)         what Load needs to know for a step, if anything
//   Load(r, c, scale)   Lanes(DF()) columns of row r from c on
//   Prefetch<often>(c)  asks for what the steps behind this one will need
//   Fetch(c)            asks for the step itself
//   LoadPair(r, c)      columns of row r from c on as two vectors, read in one
//                       load: where kPairs says so
//   LoadTail(r, c, n)   the last n < Lanes(DF()) columns, zeros behind them
#if defined(TERN_TERNARY_KERNELS_DENSE_ROWS_INL_H_) == \
    defined(HWY_TARGET_TOGGLE)
#ifdef TERN_TERNARY_KERNELS_DENSE_ROWS_INL_H_
#undef TERN_TERNARY_KERNELS_DENSE_ROWS_INL_H_
#else
#define TERN_TERNARY_KERNELS_DENSE_ROWS_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "packing/q8_0.h"
#include "ternary_kernels/dense.h"

#include "ternary_kernels/float_load-inl.h"
#include "ternary_kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {
namespace {  // other kernels use the same short names

inline constexpr std::size_t kLanes = hn::MaxLanes(DF());
// Rows that share the loads of x: their four sums make one 128-bit vector.
inline constexpr std::size_t kRows = 4;

// The address of a row, or of the last one of the range: what a group lacks is
// computed twice and not stored.
inline const std::uint8_t* RowAt(const DenseView& w, std::size_t row,
                                 std::size_t row_end) {
  return w.data +
         std::min(row, row_end - 1) * kernels::DenseRowBytes(w.type, w.cols);
}

// Asks for what is needed later, `kBytes` of each row at byte `at` being read
// now: the next group's lines, in the order of memory, into the second-level
// cache; and from there what the four rows need 512 bytes on.  Streaming 442 MB
// of f16 gave 57 % of the read bandwidth of one thread without either, 70 %
// with the first alone, 78 % with both (AVX2: 57, 77, 88), and 48 % with the
// second from memory.  `half` is half a group, or 0 where few rows are read:
// what lies behind them would be fetched in vain.  With kOften from one group
// on, again at each half: where one token or two leave time for it; with 8 it
// cost a tenth.
template <std::size_t kBytes, bool kOften>
HWY_INLINE void PrefetchGroup(const std::uint8_t* const (&row)[kRows],
                              std::size_t half, std::size_t at) {
  const std::uint8_t* here = row[0] + at * kRows;
  for (std::size_t i = 0; i < kRows * kBytes; i += 64) {
    if constexpr (!kOften) {
      PrefetchToL2(here + 2 * half + i);
    } else if (half != 0) {
      PrefetchStream(here + half + i, half);
    }
  }
  for (const std::uint8_t* r : row) hwy::Prefetch(r + at + 512);
}

template <class T>
class FloatRows {
 public:
  static constexpr std::size_t kVectors = 1;
  // A load of a whole line reads memory faster than two of half of it: 24.9
  // against 22.8 GB/s a thread on AVX3 (f16, 442 MB; plain reading: 29.0).
  static constexpr bool kPairs = sizeof(T) == 2 && kLanes == 16;
  struct NoScale {};

  FloatRows(const DenseView& w, std::size_t first, std::size_t row_end,
            bool streamed = false) {
    for (std::size_t r = 0; r < kRows; ++r) {
      row_[r] = RowAt(w, first + r, row_end);
    }
    half_ = streamed ? kRows / 2 * kernels::DenseRowBytes(w.type, w.cols) : 0;
  }
  HWY_INLINE NoScale Scale(std::size_t /*r*/, std::size_t /*c*/) const {
    return {};
  }
  HWY_INLINE VF Load(std::size_t r, std::size_t c, NoScale /*scale*/) const {
    return LoadAsF32(DF(), At(r, c));
  }
#if !TERN_PLAIN_TARGET
  HWY_INLINE void LoadPair(std::size_t r, std::size_t c, VF* low,
                           VF* high) const {
    const hn::Repartition<T, DF> d;
    const hn::Half<decltype(d)> half;
    const auto line = hn::LoadU(d, At(r, c));
    *low = hn::PromoteTo(DF(), hn::LowerHalf(half, line));
    *high = hn::PromoteTo(DF(), hn::UpperHalf(half, line));
  }
#endif
  // Of kVectors vectors, or of a pair.
  template <bool kOften, std::size_t kCount = kVectors>
  HWY_INLINE void Prefetch(std::size_t c) const {
    PrefetchGroup<kCount * kLanes * sizeof(T), kOften>(row_, half_,
                                                       c * sizeof(T));
  }
  HWY_INLINE void Fetch(std::size_t c) const {
    for (std::size_t r = 0; r < kRows; ++r) PrefetchToL2(At(r, c));
  }
  HWY_INLINE VF LoadTail(std::size_t r, std::size_t c, std::size_t n) const {
    return LoadTailAsF32(DF(), At(r, c), n);
  }

 private:
  HWY_INLINE const T* At(std::size_t r, std::size_t c) const {
    return reinterpret_cast<const T*>(row_[r]) + c;
  }
  const std::uint8_t* row_[kRows];
  std::size_t half_;
};

// The two block formats: a scale and, behind it, int8.
struct Q8Block {
  static constexpr std::size_t kWeights = packing::kQ8Block;
  static constexpr std::size_t kBytes = packing::kQ8BlockBytes;
  static constexpr std::size_t kScaleBytes = sizeof(std::uint16_t);
  static float Scale(const std::uint8_t* block) { return F16ToF32(block); }
};
struct Int8x16Block {
  static constexpr std::size_t kWeights = 16;
  static constexpr std::size_t kScaleBytes = sizeof(float);
  static constexpr std::size_t kBytes = kScaleBytes + kWeights;
  static float Scale(const std::uint8_t* block) {
    float scale = 0;
    std::memcpy(&scale, block, sizeof(scale));
    return scale;
  }
};

template <class Block>
class BlockRows {
 public:
  static constexpr std::size_t kVectors = Block::kWeights / kLanes;
  static constexpr bool kPairs = false;

  BlockRows(const DenseView& w, std::size_t first, std::size_t row_end,
            bool streamed = false) {
    for (std::size_t r = 0; r < kRows; ++r) {
      row_[r] = RowAt(w, first + r, row_end);
    }
    half_ = streamed ? kRows / 2 * kernels::DenseRowBytes(w.type, w.cols) : 0;
  }
  HWY_INLINE VF Scale(std::size_t r, std::size_t c) const {
    return hn::Set(DF(), Block::Scale(At(r, c)));
  }
  HWY_INLINE VF Load(std::size_t r, std::size_t c, VF scale) const {
    const auto* q =
        reinterpret_cast<const std::int8_t*>(At(r, c) + Block::kScaleBytes);
    return hn::Mul(scale, LoadAsF32(DF(), q + c % Block::kWeights));
  }
  template <bool kOften>
  HWY_INLINE void Prefetch(std::size_t c) const {
    PrefetchGroup<Block::kBytes, kOften>(row_, half_,
                                         c / Block::kWeights * Block::kBytes);
  }
  HWY_INLINE void Fetch(std::size_t c) const {
    for (std::size_t r = 0; r < kRows; ++r) PrefetchToL2(At(r, c));
  }
  HWY_INLINE VF LoadTail(std::size_t /*r*/, std::size_t /*c*/,
                         std::size_t /*n*/) const {
    return hn::Zero(DF());  // columns are whole blocks
  }

 private:
  HWY_INLINE const std::uint8_t* At(std::size_t r, std::size_t c) const {
    return row_[r] + c / Block::kWeights * Block::kBytes;
  }
  const std::uint8_t* row_[kRows];
  std::size_t half_;
};

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // TERN_TERNARY_KERNELS_DENSE_ROWS_INL_H_
