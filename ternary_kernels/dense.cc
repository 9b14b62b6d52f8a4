#include "ternary_kernels/dense.h"

#include <cstring>

#include "packing/q8_0.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ternary_kernels/dense.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "ternary_kernels/dense_product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {

void DenseMatMul(const DenseView& w, const DenseArgs& a, void* scratch) {
  switch (w.type) {
    case DenseType::kF32:
      return MatMulOf<FloatRows<float>>(w, a, scratch);
    case DenseType::kF16:
      return MatMulOf<FloatRows<hwy::float16_t>>(w, a, scratch);
    case DenseType::kBf16:
      return MatMulOf<FloatRows<hwy::bfloat16_t>>(w, a, scratch);
    case DenseType::kQ8_0:
      return MatMulOf<BlockRows<Q8Block>>(w, a, scratch);
    case DenseType::kInt8x16:
      return MatMulOf<BlockRows<Int8x16Block>>(w, a, scratch);
  }
}

template <class Rows>
HWY_INLINE void RowOf(const DenseView& w, std::size_t row,
                      float* HWY_RESTRICT out) {
  const DF d;
  const Rows rows(w, row, row + 1);
  constexpr std::size_t kStep = Rows::kVectors * kLanes;
  std::size_t c = 0;
  for (; c + kStep <= w.cols; c += kStep) {
    const auto scale = rows.Scale(0, c);
    for (std::size_t i = 0; i < kStep; i += kLanes) {
      hn::StoreU(rows.Load(0, c + i, scale), d, out + c + i);
    }
  }
  if (c < w.cols) {
    HWY_ALIGN float tail[kLanes];
    hn::Store(rows.LoadTail(0, c, w.cols - c), d, tail);
    std::memcpy(out + c, tail, (w.cols - c) * sizeof(float));
  }
}

void DenseRow(const DenseView& w, std::size_t row, float* out) {
  switch (w.type) {
    case DenseType::kF32:
      return RowOf<FloatRows<float>>(w, row, out);
    case DenseType::kF16:
      return RowOf<FloatRows<hwy::float16_t>>(w, row, out);
    case DenseType::kBf16:
      return RowOf<FloatRows<hwy::bfloat16_t>>(w, row, out);
    case DenseType::kQ8_0:
      return RowOf<BlockRows<Q8Block>>(w, row, out);
    case DenseType::kInt8x16:
      return RowOf<BlockRows<Int8x16Block>>(w, row, out);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::kernels {
HWY_EXPORT(DenseMatMul);
HWY_EXPORT(DenseRow);

std::size_t DenseRowBytes(DenseType type, std::size_t cols) {
  switch (type) {
    case DenseType::kF32:
      return cols * 4;
    case DenseType::kF16:
    case DenseType::kBf16:
      return cols * 2;
    case DenseType::kQ8_0:
      return packing::Q8RowBytes(cols);
    case DenseType::kInt8x16:
      return cols / HWY_NAMESPACE::Int8x16Block::kWeights *
             HWY_NAMESPACE::Int8x16Block::kBytes;
  }
  return 0;
}

void DenseMatMul(const DenseView& w, const DenseArgs& args, void* scratch) {
  HWY_DYNAMIC_DISPATCH(DenseMatMul)(w, args, scratch);
}

void DenseRow(const DenseView& w, std::size_t row, float* out) {
  HWY_DYNAMIC_DISPATCH(DenseRow)(w, row, out);
}
}  // namespace tern::kernels
#endif  // HWY_ONCE
