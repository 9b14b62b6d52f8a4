#include "ternary_kernels/dense.h"

#include <cstring>

#include "packing/q8_0.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ternary_kernels/dense.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "ternary_kernels/float_load-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {

// Rows of W and tokens that share their loads.  4 x 2 accumulators, 4 weight
// vectors and one of x fit the 16 registers of AVX2.
constexpr std::size_t kRows = 4;
constexpr std::size_t kTokens = 2;

// y[t][r] for kR rows from `w` (stride `cols`) and kT tokens from `x`.
template <std::size_t kR, std::size_t kT, class T>
HWY_INLINE void Block(const T* HWY_RESTRICT w, std::size_t cols,
                      const float* HWY_RESTRICT x, std::size_t x_stride,
                      float* HWY_RESTRICT y, std::size_t y_stride) {
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  VF sum[kR][kT];
  for (auto& row : sum) {
    for (VF& s : row) s = hn::Zero(d);
  }
  std::size_t c = 0;
  for (; c + lanes <= cols; c += lanes) {
    VF weights[kR];
    for (std::size_t r = 0; r < kR; ++r) {
      weights[r] = LoadAsF32(d, w + r * cols + c);
    }
    for (std::size_t t = 0; t < kT; ++t) {
      const VF in = hn::LoadU(d, x + t * x_stride + c);
      for (std::size_t r = 0; r < kR; ++r) {
        sum[r][t] = hn::MulAdd(weights[r], in, sum[r][t]);
      }
    }
  }
  if (c < cols) {
    for (std::size_t t = 0; t < kT; ++t) {
      const VF in = LoadTailAsF32(d, x + t * x_stride + c, cols - c);
      for (std::size_t r = 0; r < kR; ++r) {
        const VF weights = LoadTailAsF32(d, w + r * cols + c, cols - c);
        sum[r][t] = hn::MulAdd(weights, in, sum[r][t]);
      }
    }
  }
  for (std::size_t r = 0; r < kR; ++r) {
    for (std::size_t t = 0; t < kT; ++t) {
      y[t * y_stride + r] = hn::GetLane(hn::SumOfLanes(d, sum[r][t]));
    }
  }
}

// The two block formats: a scale and, behind it, int8.
struct Q8Blocks {
  static constexpr std::size_t kWeights = packing::kQ8Block;
  static constexpr std::size_t kBytes = packing::kQ8BlockBytes;
  static constexpr std::size_t kScaleBytes = sizeof(std::uint16_t);
  static float Scale(const std::uint8_t* block) { return F16ToF32(block); }
};
struct Int8x16Blocks {
  static constexpr std::size_t kWeights = 16;
  static constexpr std::size_t kScaleBytes = sizeof(float);
  static constexpr std::size_t kBytes = kScaleBytes + kWeights;
  static float Scale(const std::uint8_t* block) {
    float scale = 0;
    std::memcpy(&scale, block, sizeof(scale));
    return scale;
  }
};

// One row of blocks against kT tokens.
template <class Blocks, std::size_t kT>
HWY_INLINE void BlockRow(const std::uint8_t* HWY_RESTRICT w, std::size_t cols,
                         const float* HWY_RESTRICT x, std::size_t x_stride,
                         float* HWY_RESTRICT y, std::size_t y_stride) {
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  VF sum[kT];
  for (VF& s : sum) s = hn::Zero(d);
  for (std::size_t block = 0; block < cols / Blocks::kWeights; ++block) {
    const std::uint8_t* bytes = w + block * Blocks::kBytes;
    const VF scale = hn::Set(d, Blocks::Scale(bytes));
    const auto* q =
        reinterpret_cast<const std::int8_t*>(bytes + Blocks::kScaleBytes);
    const float* in = x + block * Blocks::kWeights;
    VF part[kT];
    for (VF& p : part) p = hn::Zero(d);
    for (std::size_t i = 0; i < Blocks::kWeights; i += lanes) {
      const VF weights = LoadAsF32(d, q + i);
      for (std::size_t t = 0; t < kT; ++t) {
        part[t] =
            hn::MulAdd(weights, hn::LoadU(d, in + t * x_stride + i), part[t]);
      }
    }
    for (std::size_t t = 0; t < kT; ++t) {
      sum[t] = hn::MulAdd(scale, part[t], sum[t]);
    }
  }
  for (std::size_t t = 0; t < kT; ++t) {
    y[t * y_stride] = hn::GetLane(hn::SumOfLanes(d, sum[t]));
  }
}

// kT tokens from token `t` on, all rows of the range.
template <std::size_t kT, class T>
HWY_INLINE void Rows(const T* HWY_RESTRICT w, std::size_t cols, std::size_t t,
                     const DenseArgs& a) {
  const float* x = a.x + t * a.x_stride;
  float* y = a.y + t * a.y_stride;
  std::size_t r = a.row_begin;
  for (; r + kRows <= a.row_end; r += kRows) {
    Block<kRows, kT>(w + r * cols, cols, x, a.x_stride, y + r, a.y_stride);
  }
  for (; r < a.row_end; ++r) {
    Block<1, kT>(w + r * cols, cols, x, a.x_stride, y + r, a.y_stride);
  }
}

template <class T>
HWY_INLINE void FloatMatMul(const DenseView& w, const DenseArgs& a) {
  const T* data = reinterpret_cast<const T*>(w.data);
  std::size_t t = 0;
  for (; t + kTokens <= a.tokens; t += kTokens) {
    Rows<kTokens>(data, w.cols, t, a);
  }
  for (; t < a.tokens; ++t) Rows<1>(data, w.cols, t, a);
}

template <class Blocks>
HWY_INLINE void BlockMatMul(const DenseView& w, const DenseArgs& a) {
  const std::size_t row_bytes = kernels::DenseRowBytes(w.type, w.cols);
  for (std::size_t r = a.row_begin; r < a.row_end; ++r) {
    const std::uint8_t* row = w.data + r * row_bytes;
    std::size_t t = 0;
    for (; t + kTokens <= a.tokens; t += kTokens) {
      BlockRow<Blocks, kTokens>(row, w.cols, a.x + t * a.x_stride, a.x_stride,
                                a.y + t * a.y_stride + r, a.y_stride);
    }
    for (; t < a.tokens; ++t) {
      BlockRow<Blocks, 1>(row, w.cols, a.x + t * a.x_stride, a.x_stride,
                          a.y + t * a.y_stride + r, a.y_stride);
    }
  }
}

void DenseMatMul(const DenseView& w, const DenseArgs& a) {
  switch (w.type) {
    case DenseType::kF32:
      return FloatMatMul<float>(w, a);
    case DenseType::kF16:
      return FloatMatMul<hwy::float16_t>(w, a);
    case DenseType::kBf16:
      return FloatMatMul<hwy::bfloat16_t>(w, a);
    case DenseType::kQ8_0:
      return BlockMatMul<Q8Blocks>(w, a);
    case DenseType::kInt8x16:
      return BlockMatMul<Int8x16Blocks>(w, a);
  }
}

template <class T>
HWY_INLINE void FloatRow(const T* HWY_RESTRICT row, std::size_t cols,
                         float* HWY_RESTRICT out) {
  const DF d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t c = 0;
  for (; c + lanes <= cols; c += lanes) {
    hn::StoreU(LoadAsF32(d, row + c), d, out + c);
  }
  if (c < cols) {
    HWY_ALIGN float tail[hn::MaxLanes(DF())];
    hn::Store(LoadTailAsF32(d, row + c, cols - c), d, tail);
    std::memcpy(out + c, tail, (cols - c) * sizeof(float));
  }
}

HWY_INLINE void Int8x16Row(const std::uint8_t* HWY_RESTRICT row,
                           std::size_t cols, float* HWY_RESTRICT out) {
  using Blocks = Int8x16Blocks;
  for (; cols != 0; cols -= Blocks::kWeights, row += Blocks::kBytes) {
    const float scale = Blocks::Scale(row);
    const auto* q =
        reinterpret_cast<const std::int8_t*>(row + Blocks::kScaleBytes);
    for (std::size_t i = 0; i < Blocks::kWeights; ++i) {
      *out++ = scale * static_cast<float>(q[i]);
    }
  }
}

void DenseRow(const DenseView& w, std::size_t row, float* out) {
  const std::size_t row_bytes = kernels::DenseRowBytes(w.type, w.cols);
  const std::uint8_t* bytes = w.data + row * row_bytes;
  switch (w.type) {
    case DenseType::kF32:
      return FloatRow(reinterpret_cast<const float*>(bytes), w.cols, out);
    case DenseType::kF16:
      return FloatRow(reinterpret_cast<const hwy::float16_t*>(bytes), w.cols,
                      out);
    case DenseType::kBf16:
      return FloatRow(reinterpret_cast<const hwy::bfloat16_t*>(bytes), w.cols,
                      out);
    case DenseType::kQ8_0:
      return packing::DequantizeQ8({bytes, row_bytes}, {out, w.cols});
    case DenseType::kInt8x16:
      return Int8x16Row(bytes, w.cols, out);
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
      return cols / HWY_NAMESPACE::Int8x16Blocks::kWeights *
             HWY_NAMESPACE::Int8x16Blocks::kBytes;
  }
  return 0;
}

void DenseMatMul(const DenseView& w, const DenseArgs& args) {
  HWY_DYNAMIC_DISPATCH(DenseMatMul)(w, args);
}

void DenseRow(const DenseView& w, std::size_t row, float* out) {
  HWY_DYNAMIC_DISPATCH(DenseRow)(w, row, out);
}
}  // namespace tern::kernels
#endif  // HWY_ONCE
