// Several tokens: Y = W X, W ternary, X int8, without a multiplication.
//
// Four activations of one token make only 3^4 = 81 different sums with four
// ternary weights.  They are built once, side by side for a tile of tokens
// (int16 lanes), each from another by one addition; then every row needs one
// load-and-add for four weights of all tokens: the tile byte, in base 3, is the
// index.  See Vec-LUT (arXiv 2512.06443); unlike there the int16 sums are
// flushed to int32 before the activations that went into them could overflow
// them: 32767 / (4 * 127) is 64 groups of four at the least.
//
// All functions: any thread, no allocation, no exception; the sums are the
// exact int32 of reference.h.
#ifndef TERN_TERNARY_KERNELS_MATMUL_H_
#define TERN_TERNARY_KERNELS_MATMUL_H_

#include <cstddef>
#include <cstdint>

#include "ternary_kernels/ternary_view.h"

namespace tern::kernels {

// Tokens that one call computes side by side on the active target (16 or 32).
std::size_t TokenTile();
// From this many tokens on MatMul beats calling MatVec for each.
std::size_t MinTokensForMatMul();
// Bytes of scratch, aligned to 64, for a call over `rows` rows.
std::size_t MatMulScratchBytes(std::size_t rows);

// The activations of a tile of tokens as MatMul reads them, made once for all
// matrices and rows: packed[PaddedCols(cols)][width], zero beyond the last
// token and column, where width = 16 for up to 16 tokens and TokenTile() above.
std::size_t PackedTokensBytes(std::size_t cols, std::size_t tokens);
// Fills columns [col_begin, col_end) of `packed`, which is aligned to 64, from
// x [tokens][x_stride] of `cols` columns, values in [-127, 127], tokens <=
// TokenTile().  The bounds are multiples of 8, col_end <= PaddedCols(cols).
struct PackTokensArgs {
  const std::int8_t* x = nullptr;
  std::size_t x_stride = 0;
  std::size_t tokens = 0;
  std::size_t cols = 0;
  std::size_t col_begin = 0;
  std::size_t col_end = 0;
};
void PackTokens(const PackTokensArgs& args, std::int8_t* packed);

// sums[t * sums_stride + r] = sum over columns [col_begin, col_end) of
// (code(r, c) - 1) * x[t][c], for tokens 0 <= t < tokens and rows [row_begin,
// row_end); tokens <= TokenTile().  Row and column bounds as for MatVec.  Calls
// over disjoint rows or tokens may run at once, each with its own scratch.
struct MatMulArgs {
  const std::int8_t* packed = nullptr;  // PackTokens of all w.cols columns
  std::size_t tokens = 0;
  std::size_t row_begin = 0;
  std::size_t row_end = 0;
  std::size_t col_begin = 0;
  std::size_t col_end = 0;
  std::int32_t* sums = nullptr;  // [tokens][sums_stride]
  std::size_t sums_stride = 0;
};
void MatMul(const TernaryView& w, const MatMulArgs& args, void* scratch);

}  // namespace tern::kernels

#endif  // TERN_TERNARY_KERNELS_MATMUL_H_
