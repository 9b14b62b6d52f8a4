// What Highway 1.0.3 lacks and more than one kernel needs, or only an intrinsic
// gives, for one target.
// Included once per target, after hwy/highway.h.
//
// The functions that x.cc dispatches to are HWY_NOINLINE: where one target is
// all that is compiled (NEON), they would else melt into the public functions,
// and the test that reads the machine code could not tell the target's own.
#if defined(TERN_TERNARY_KERNELS_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TERN_TERNARY_KERNELS_SIMD_INL_H_
#undef TERN_TERNARY_KERNELS_SIMD_INL_H_
#else
#define TERN_TERNARY_KERNELS_SIMD_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include <hwy/highway.h>

// The baseline of x86 is HWY_SCALAR with g++ 12 (vectors of one lane, which
// have no byte shuffle) and HWY_EMU128 with clang (arrays); plain loops serve
// both better.
#undef TERN_PLAIN_TARGET
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
#define TERN_PLAIN_TARGET 1
#else
#define TERN_PLAIN_TARGET 0
#endif

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {

// Fetches the line at p, which need not exist, into the second-level cache and
// leaves the first alone.  (hwy::Prefetch fills the first.)
HWY_INLINE void PrefetchToL2(const void* p) {
  __builtin_prefetch(p, /*for writing*/ 0, /*locality*/ 2);
}

// Asks for the line at p + step, and for those two, three and four steps on, as
// a stream from memory passes p: each line is asked for four times on the way.
// Zen 4 drops a prefetch while too many are under way, so that asking once
// leaves holes, which the sums then wait for, and slots empty until the next
// line is asked for.  One thread, f16 in four rows: once 0.89 of the rate of
// plain reading, twice 0.92, three times 0.97, four and five times 1.01 to 1.02
// (2560 columns, steps of 10 KiB, 25 rounds in turn).
HWY_INLINE void PrefetchStream(const std::uint8_t* p, std::size_t step) {
  for (std::size_t i = 1; i <= 4; ++i) PrefetchToL2(p + i * step);
}

}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#if !TERN_PLAIN_TARGET

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// acc[0, N) += v[0, N) and acc[N, 2N) += v[N, 2N), widened to 32 bits (N lanes
// a 32-bit vector).  `acc` is aligned to a vector.
template <class D32, class V16>
HWY_INLINE void AddWidened(D32 d32, V16 v, hn::TFromD<D32>* HWY_RESTRICT acc) {
  const hn::Repartition<hwy::MakeNarrow<hn::TFromD<D32>>, D32> d16;
  const size_t lanes = hn::Lanes(d32);
  const auto low = hn::PromoteTo(d32, hn::LowerHalf(v));
  const auto high =
      hn::PromoteTo(d32, hn::UpperHalf(hn::Half<decltype(d16)>(), v));
  hn::Store(hn::Add(hn::Load(d32, acc), low), d32, acc);
  hn::Store(hn::Add(hn::Load(d32, acc + lanes), high), d32, acc + lanes);
}

// The bytes of `table`, the same 16 in each of its 128-bit parts, at the low
// nibbles of v.  A permutation of all 64 bytes (TableLookupLanes has none of
// bytes) heeds six bits of an index, and two of those do not matter with four
// equal parts: nothing is masked.
template <class V>
HWY_INLINE V LookUpLowNibbles(V table, V v) {
#if HWY_TARGET == HWY_AVX3_DL
  return V{_mm512_permutexvar_epi8(v.raw, table.raw)};
#else
  const hn::DFromV<V> d;
  return hn::TableLookupBytes(table, hn::And(v, hn::Set(d, 15)));
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // !TERN_PLAIN_TARGET

#endif  // TERN_TERNARY_KERNELS_SIMD_INL_H_
