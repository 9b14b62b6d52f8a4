// Ternary products of float activations: y = W x, W ternary, x float32, by
// additions and subtractions alone, for models whose activations are not
// quantised (TriLM; Vaidhya et al. 2024, arXiv 2407.12327).
//
// The order of the additions is part of the contract, so that a sum has the
// same bits on every instruction set, with any split of rows and any number of
// tokens.  With t = code - 1 and columns counted from col_begin, for each group
// of four columns
//
//   g = (t0 x0 + t1 x1) + (t2 x2 + t3 x3)      a weight of 0 adds +0
//
// 64 groups are added one after another to a sum that starts at +0, and these
// sums of 256 columns one after another to the result, which starts at +0.
// Columns beyond the end of the matrix count as weight 0.  reference.h has it
// as a plain loop.
//
// All functions: any thread, no allocation, no exception.
#ifndef TERN_TERNARY_KERNELS_FLOAT_SUMS_H_
#define TERN_TERNARY_KERNELS_FLOAT_SUMS_H_

#include <cstddef>

#include "ternary_kernels/ternary_view.h"

namespace tern::kernels {

// The groups that are summed before their sum enters the result.
inline constexpr std::size_t kFloatBlockGroups = 64;

// One token.  sums[r] for rows [row_begin, row_end) over columns [col_begin,
// col_end) of x [cols].  Row and column bounds as for MatVec (matvec.h).
void FloatMatVec(const TernaryView& w, const float* x, std::size_t row_begin,
                 std::size_t row_end, std::size_t col_begin,
                 std::size_t col_end, float* sums);

// Tokens that one FloatMatMul call computes side by side on the active target.
std::size_t FloatTokenTile();
// From this many tokens on FloatMatMul beats calling FloatMatVec for each.
std::size_t MinTokensForFloatMatMul();
// Bytes of scratch, aligned to 64, for a call over `rows` rows.
std::size_t FloatMatMulScratchBytes(std::size_t rows);

// sums[t * sums_stride + r] as above for tokens 0 <= t < tokens <=
// FloatTokenTile().
struct FloatMatMulArgs {
  const float* x = nullptr;  // [tokens][x_stride]
  std::size_t x_stride = 0;
  std::size_t tokens = 0;
  std::size_t row_begin = 0;
  std::size_t row_end = 0;
  std::size_t col_begin = 0;
  std::size_t col_end = 0;
  float* sums = nullptr;  // [tokens][sums_stride]
  std::size_t sums_stride = 0;
};
void FloatMatMul(const TernaryView& w, const FloatMatMulArgs& args,
                 void* scratch);

// The only multiplications of such a product, one a value; they stand with
// those of the int8 kernels in activations.cc.
//
// y[i] = sums[i] * multiplier.
void ScaleFloatSums(const float* sums, std::size_t size, float multiplier,
                    float* y);
// y[i] = sums[i] * scales[i]: a scale for each row.
void ScaleFloatSumsByRow(const float* sums, const float* scales,
                         std::size_t size, float* y);
// y[i] += sums[i] * scales[i * scale_stride], product rounded before the sum:
// one of several column blocks.
void AddScaledFloatSums(const float* sums, const float* scales,
                        std::size_t scale_stride, std::size_t size, float* y);

}  // namespace tern::kernels

#endif  // TERN_TERNARY_KERNELS_FLOAT_SUMS_H_
