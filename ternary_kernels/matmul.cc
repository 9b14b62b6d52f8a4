#include "ternary_kernels/matmul.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "packing/tiles.h"
#include "packing/transpose.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ternary_kernels/matmul.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ternary_kernels/matmul-inl.h"

#if HWY_ONCE
namespace tern::kernels {
namespace {

HWY_EXPORT(TokenTileOnTarget);
HWY_EXPORT(MinTokensOnTarget);
HWY_EXPORT(ScratchBytesOnTarget);
HWY_EXPORT(MatMulOnTarget);

constexpr std::size_t kSquare = 8;

// 8 activations of a token from column `col`, zeros beyond the end.
std::uint64_t LoadEight(const std::int8_t* x, std::size_t col,
                        std::size_t cols) {
  std::uint64_t word = 0;
  if (col + kSquare <= cols) {
    std::memcpy(&word, x + col, kSquare);  // of known size: one load
  } else if (col < cols) {
    std::memcpy(&word, x + col, cols - col);
  }
  return word;
}

std::size_t PackedWidth(std::size_t tokens) {
  return tokens <= 16 ? 16 : TokenTile();
}

}  // namespace

std::size_t TokenTile() { return HWY_DYNAMIC_DISPATCH(TokenTileOnTarget)(); }

std::size_t MinTokensForMatMul() {
  return HWY_DYNAMIC_DISPATCH(MinTokensOnTarget)();
}

std::size_t MatMulScratchBytes(std::size_t rows) {
  return HWY_DYNAMIC_DISPATCH(ScratchBytesOnTarget)(rows);
}

std::size_t PackedTokensBytes(std::size_t cols, std::size_t tokens) {
  return packing::PaddedCols(cols) * PackedWidth(tokens);
}

void PackTokens(const PackTokensArgs& a, std::int8_t* packed) {
  const std::size_t width = PackedWidth(a.tokens);
  for (std::size_t c = a.col_begin; c < a.col_end; c += kSquare) {
    for (std::size_t t = 0; t < width; t += kSquare) {
      packing::Square words;
      for (std::size_t i = 0; i < kSquare; ++i) {
        words[i] = t + i < a.tokens
                       ? LoadEight(a.x + (t + i) * a.x_stride, c, a.cols)
                       : 0;
      }
      packing::TransposeSquare(words);
      for (std::size_t i = 0; i < kSquare; ++i) {
        std::memcpy(packed + (c + i) * width + t, &words[i], kSquare);
      }
    }
  }
}

void MatMul(const TernaryView& w, const MatMulArgs& args, void* scratch) {
  HWY_DYNAMIC_DISPATCH(MatMulOnTarget)(w, args, scratch);
}

}  // namespace tern::kernels
#endif  // HWY_ONCE
