// Dense products on one target, in the order of dense.h.
//
// The tile of registers holds four rows of W by up to kMostTokens rows of x; a
// step loads a vector of each and multiplies every pair, as an inner product:
// it needs no transposed copy of x, has as few loads for a multiply-add as an
// outer product, and for one token it is the plain way to read a row.  Its
// price, summing the lanes at the end of a block, is 3 operations an output.
//
// Few tokens read the stored weights straight into the tile.  More would
// convert them again and again, so a block of rows and columns is first
// converted into a panel that stays in a second-level cache.
#if defined(TERN_TERNARY_KERNELS_DENSE_PRODUCT_INL_H_) == \
    defined(HWY_TARGET_TOGGLE)
#ifdef TERN_TERNARY_KERNELS_DENSE_PRODUCT_INL_H_
#undef TERN_TERNARY_KERNELS_DENSE_PRODUCT_INL_H_
#else
#define TERN_TERNARY_KERNELS_DENSE_PRODUCT_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "ternary_kernels/dense.h"

#include "ternary_kernels/dense_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {
namespace {  // other kernels use the same short names

// Tokens of a tile.  4 x kMostTokens sums, as many vectors of x and one of W
// fit the registers: 32 of AVX3 and NEON, 16 of AVX2, and of SSE4 where a
// multiply-add takes one more.
#if HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr std::size_t kMostTokens = 6;
#elif HWY_TARGET == HWY_AVX2
inline constexpr std::size_t kMostTokens = 3;
#else
inline constexpr std::size_t kMostTokens = 2;
#endif

// Up to so many tokens the stored weights are converted anew for each tile:
// 46 GMAC/s against 40 by panels for 32 tokens (AVX2: 47, 45), 12.4 against 6.3
// GB/s of weights for 7.  Not where a program does the conversion.
#if HWY_TARGET <= HWY_AVX2 || HWY_TARGET == HWY_NEON
inline constexpr std::size_t kStreamTokens = 32;
#else
inline constexpr std::size_t kStreamTokens = kMostTokens;
#endif

// Rows of a panel, kDensePanelRows x kDenseBlockCols floats.  Vectors of the
// four rows of a group lie side by side, in the order in which a tile reads
// them.
class PanelRows {
 public:
  static constexpr std::size_t kVectors = 1;
  static constexpr bool kPairs = false;
  struct NoScale {};

  explicit PanelRows(const float* group) : group_(group) {}
  HWY_INLINE NoScale Scale(std::size_t /*r*/, std::size_t /*c*/) const {
    return {};
  }
  HWY_INLINE VF Load(std::size_t r, std::size_t c, NoScale /*scale*/) const {
    return hn::Load(DF(), group_ + c * kRows + r * kLanes);
  }
  template <bool kOften>
  HWY_INLINE void Prefetch(std::size_t /*c*/) const {}
  HWY_INLINE VF LoadTail(std::size_t r, std::size_t c,
                         std::size_t /*n*/) const {
    return Load(r, c, {});
  }

 private:
  const float* group_;
};

#if HWY_TARGET == HWY_SCALAR
HWY_INLINE void AddLanes(const VF (&sum)[kRows], bool first,
                         float* HWY_RESTRICT y) {
  for (std::size_t r = 0; r < kRows; ++r) {
    const float lane = hn::GetLane(sum[r]);
    y[r] = first ? lane : y[r] + lane;
  }
}
#else
// The sum of the 128-bit blocks of v: of halves, then of their halves.
template <class D>
HWY_INLINE auto SumOfBlocks(D /*d*/, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return v;
  } else {
    const hn::Half<D> half;
    return SumOfBlocks(half,
                       hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

// y[r] = the sum of the lanes of sum[r], or that added to y[r].
HWY_INLINE void AddLanes(const VF (&sum)[kRows], bool first,
                         float* HWY_RESTRICT y) {
  const DF d;
  const hn::Repartition<std::uint64_t, DF> d64;
  const auto pairs = [&](VF a, VF b) HWY_ATTR {
    return hn::BitCast(d64, hn::Add(hn::InterleaveLower(d, a, b),
                                    hn::InterleaveUpper(d, a, b)));
  };
  const auto low = pairs(sum[0], sum[1]);
  const auto high = pairs(sum[2], sum[3]);
  const VF rows = hn::Add(hn::BitCast(d, hn::InterleaveLower(d64, low, high)),
                          hn::BitCast(d, hn::InterleaveUpper(d64, low, high)));
  const hn::FixedTag<float, kRows> d4;
  auto total = SumOfBlocks(d, rows);
  if (!first) total = hn::Add(hn::LoadU(d4, y), total);
  hn::StoreU(total, d4, y);
}
#endif

// Where the sums of a tile go: y[t * stride + r] for r < rows <= kRows.
struct Output {
  float* y;
  std::size_t stride;
  std::size_t rows;
};

// The products of columns [begin, end), at most a block, of four rows and kT
// tokens: the first block's are stored, others added.
// Its many parameters are not gathered in a struct: g++ 12 then keeps the sums
// in memory (0.4 of the rate on AVX3).
template <std::size_t kT, class Rows>
// NOLINTNEXTLINE(readability-function-size): see above
HWY_INLINE void Tile(const Rows& w, std::size_t begin, std::size_t end,
                     bool first, const float* HWY_RESTRICT x,
                     std::size_t x_stride, const Output& out) {
  const DF d;
  VF sum[kT][kRows];
  for (auto& token : sum) {
    for (VF& s : token) s = hn::Zero(d);
  }
  const auto multiply = [&](std::size_t r, VF weights,
                            const VF(&in)[kT]) HWY_ATTR {
    for (std::size_t t = 0; t < kT; ++t) {
      sum[t][r] = hn::MulAdd(weights, in[t], sum[t][r]);
    }
  };
  constexpr std::size_t kStep = Rows::kVectors * kLanes;
  constexpr bool kOften = kT <= 2;
  std::size_t c = begin;
  // Four tokens' sums and pairs of inputs fit the registers.
  if constexpr (Rows::kPairs && kT <= 4) {
    for (; c + 2 * kLanes <= end; c += 2 * kLanes) {
      w.template Prefetch<kOften, 2>(c);
      VF low_in[kT];
      VF high_in[kT];
      for (std::size_t t = 0; t < kT; ++t) {
        low_in[t] = hn::LoadU(d, x + t * x_stride + c);
        high_in[t] = hn::LoadU(d, x + t * x_stride + c + kLanes);
      }
      for (std::size_t r = 0; r < kRows; ++r) {
        VF low;
        VF high;
        w.LoadPair(r, c, &low, &high);
        multiply(r, low, low_in);
        multiply(r, high, high_in);
      }
    }
  }
  for (; c + kStep <= end; c += kStep) {
    decltype(w.Scale(0, 0)) scale[kRows];
    for (std::size_t r = 0; r < kRows; ++r) scale[r] = w.Scale(r, c);
    w.template Prefetch<kOften>(c);
    for (std::size_t v = 0; v < Rows::kVectors; ++v) {
      const std::size_t col = c + v * kLanes;
      VF in[kT];
      for (std::size_t t = 0; t < kT; ++t) {
        in[t] = hn::LoadU(d, x + t * x_stride + col);
      }
      for (std::size_t r = 0; r < kRows; ++r) {
        multiply(r, w.Load(r, col, scale[r]), in);
      }
    }
  }
  if (c < end) {
    VF in[kT];
    for (std::size_t t = 0; t < kT; ++t) {
      in[t] = LoadTailAsF32(d, x + t * x_stride + c, end - c);
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      multiply(r, w.LoadTail(r, c, end - c), in);
    }
  }
  for (std::size_t t = 0; t < kT; ++t) {
    float* y = out.y + t * out.stride;
    if (HWY_LIKELY(out.rows == kRows)) {
      AddLanes(sum[t], first, y);
    } else {
      HWY_ALIGN float few[kRows] = {};
      std::copy_n(y, out.rows, few);
      AddLanes(sum[t], first, few);
      std::copy_n(few, out.rows, y);
    }
  }
}

// Tile as a function: its sums have all registers.
template <std::size_t kT, class Rows>
// NOLINTNEXTLINE(readability-function-size): Tile's
HWY_NOINLINE void TileOf(const Rows& w, std::size_t begin, std::size_t end,
                         bool first, const float* HWY_RESTRICT x,
                         std::size_t x_stride, const Output& out) {
  Tile<kT>(w, begin, end, first, x, x_stride, out);
}

// Tile for a number of tokens that is known only now, in [1, kMostTokens].
template <class Rows, std::size_t kT = kMostTokens>
// NOLINTNEXTLINE(readability-function-size): Tile's
HWY_INLINE void TileBy(std::size_t tokens, const Rows& w, std::size_t begin,
                       std::size_t end, bool first, const float* HWY_RESTRICT x,
                       std::size_t x_stride, const Output& out) {
  if constexpr (kT > 1) {
    if (tokens < kT) {
      return TileBy<Rows, kT - 1>(tokens, w, begin, end, first, x, x_stride,
                                  out);
    }
  }
  TileOf<kT>(w, begin, end, first, x, x_stride, out);
}

// Tokens cut into tiles as even as can be: 5 and 6 rather than 6 and 2.
struct TokenTiles {
  explicit TokenTiles(std::size_t count)
      : tokens(count), tiles((count + kMostTokens - 1) / kMostTokens) {}
  [[nodiscard]] std::size_t Begin(std::size_t tile) const {
    return tokens * tile / tiles;
  }
  std::size_t tokens;
  std::size_t tiles;
};

// Few tokens: all columns of four rows after the other four, as stored.
template <class Rows>
HWY_NOINLINE void StreamRows(const DenseView& w, const DenseArgs& a) {
  const TokenTiles tokens(a.tokens);
  const bool streamed = a.row_end - a.row_begin > kRows;
  for (std::size_t row = a.row_begin; row < a.row_end; row += kRows) {
    const Rows rows(w, row, a.row_end, streamed);
    for (std::size_t c = 0; c < w.cols; c += kDenseBlockCols) {
      const std::size_t end = std::min(c + kDenseBlockCols, w.cols);
      for (std::size_t i = 0; i < tokens.tiles; ++i) {
        const std::size_t t = tokens.Begin(i);
        const Output out{a.y + t * a.y_stride + row, a.y_stride,
                         std::min(kRows, a.row_end - row)};
        TileBy<Rows>(tokens.Begin(i + 1) - t, rows, c, end, c == 0,
                     a.x + t * a.x_stride, a.x_stride, out);
      }
    }
  }
}

// A block of W: rows [row, row_end) and columns [begin, end).
struct Block {
  std::size_t row;
  std::size_t row_end;
  std::size_t begin;
  std::size_t end;
};

// Converts the block, fetching each group's bytes while the one before it is
// converted.
template <class Rows>
HWY_NOINLINE void FillPanel(const DenseView& w, const Block& b,
                            float* HWY_RESTRICT panel) {
  const DF d;
  constexpr std::size_t kStep = Rows::kVectors * kLanes;
  for (std::size_t row = b.row; row < b.row_end; row += kRows) {
    const Rows rows(w, row, b.row_end);
    const Rows below(w, row + kRows, b.row_end);
    float* out = panel + (row - b.row) * kDenseBlockCols;
    std::size_t c = b.begin;
    for (; c + kStep <= b.end; c += kStep) {
      below.Fetch(c);
      for (std::size_t r = 0; r < kRows; ++r) {
        const auto scale = rows.Scale(r, c);
        for (std::size_t v = 0; v < Rows::kVectors; ++v) {
          hn::Store(rows.Load(r, c + v * kLanes, scale), d,
                    out + (v * kRows + r) * kLanes);
        }
      }
      out += kStep * kRows;
    }
    if (c == b.end) continue;
    for (std::size_t r = 0; r < kRows; ++r) {
      hn::Store(rows.LoadTail(r, c, b.end - c), d, out + r * kLanes);
    }
  }
}

// Asks for the part of x [tokens][stride] that the next tile needs while group
// `row` of a panel is multiplied: 0.89 of OpenBLAS became 0.96 (3200 x 8640,
// 256 tokens; AVX2: 0.87, 1.03).
HWY_INLINE void PrefetchShare(std::size_t row, const float* HWY_RESTRICT x,
                              std::size_t stride, std::size_t tokens) {
  constexpr std::size_t kShare = kDenseBlockCols / (kDensePanelRows / kRows);
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t c = 0; c < kShare; c += 64 / sizeof(float)) {
      PrefetchToL2(x + t * stride + row / kRows * kShare + c);
    }
  }
}

// The block's part of y for kT tokens from `token` on.
template <std::size_t kT>
HWY_NOINLINE void MultiplyPanel(const float* HWY_RESTRICT panel, const Block& b,
                                std::size_t token, const DenseArgs& a) {
  const float* x = a.x + token * a.x_stride + b.begin;
  const float* next = x + kT * a.x_stride;
  const std::size_t next_tokens = std::min(kT, a.tokens - token - kT);
  float* y = a.y + token * a.y_stride;
  for (std::size_t row = b.row; row < b.row_end; row += kRows) {
    const PanelRows rows(panel + (row - b.row) * kDenseBlockCols);
    const Output out{y + row, a.y_stride, std::min(kRows, b.row_end - row)};
    PrefetchShare(row - b.row, next, a.x_stride, next_tokens);
    Tile<kT>(rows, 0, b.end - b.begin, b.begin == 0, x, a.x_stride, out);
  }
}

// The same by a number of tokens that is known only now.
template <std::size_t kT = kMostTokens>
HWY_INLINE void MultiplyPanelBy(std::size_t count, const float* panel,
                                const Block& b, std::size_t token,
                                const DenseArgs& a) {
  if constexpr (kT > 1) {
    if (count < kT) return MultiplyPanelBy<kT - 1>(count, panel, b, token, a);
  }
  MultiplyPanel<kT>(panel, b, token, a);
}

template <class Rows>
HWY_INLINE void MatMulByPanels(const DenseView& w, const DenseArgs& a,
                               float* HWY_RESTRICT panel) {
  const TokenTiles tokens(a.tokens);
  for (std::size_t row = a.row_begin; row < a.row_end; row += kDensePanelRows) {
    for (std::size_t c = 0; c < w.cols; c += kDenseBlockCols) {
      const Block block{row, std::min(row + kDensePanelRows, a.row_end), c,
                        std::min(c + kDenseBlockCols, w.cols)};
      FillPanel<Rows>(w, block, panel);
      for (std::size_t i = 0; i < tokens.tiles; ++i) {
        const std::size_t token = tokens.Begin(i);
        MultiplyPanelBy(tokens.Begin(i + 1) - token, panel, block, token, a);
      }
    }
  }
}

template <class Rows>
HWY_INLINE void MatMulOf(const DenseView& w, const DenseArgs& a,
                         void* scratch) {
  if (a.tokens == 0) return;
  if (a.tokens <= kStreamTokens) {
    StreamRows<Rows>(w, a);
  } else {
    MatMulByPanels<Rows>(w, a, static_cast<float*>(scratch));
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#endif  // TERN_TERNARY_KERNELS_DENSE_PRODUCT_INL_H_
