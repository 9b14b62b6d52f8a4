// Ternary layers whose inputs stay floats: sums of floats in a fixed order
// (ternary_kernels/float_sums.h), so that no result depends on threads or
// chunks here either.
#include <algorithm>

#include "runtime/forward/linear.h"
#include "runtime/forward/row_ranges.h"
#include "ternary_kernels/float_sums.h"

namespace tern {
namespace {

// Rows that share the building of tables.  Building one costs as much as about
// 80 rows, so blocks must be much longer; the accumulators of 2304 rows must
// stay in L2.
constexpr std::size_t kRowBlock = 2304;

std::size_t MostMatVecTokens() {
  return std::max<std::size_t>(kernels::MinTokensForFloatMatMul(), 2) - 1;
}

// Sums of one column range to outputs.  Blocks add up, so y starts at zero
// there.
void Scale(const RowRange& rows, std::size_t block, std::size_t num_blocks,
           const float* sums, float* y) {
  const TernaryWeights& w = rows.layer->w->ternary;
  const std::size_t size = rows.end - rows.begin;
  switch (w.group) {
    case packing::ScaleGroup::kMatrix:
      kernels::ScaleFloatSums(sums + rows.begin, size, w.scales[0],
                              y + rows.begin);
      return;
    case packing::ScaleGroup::kRow:
      kernels::ScaleFloatSumsByRow(sums + rows.begin,
                                   w.scales.data() + rows.begin, size,
                                   y + rows.begin);
      return;
    case packing::ScaleGroup::kBlock:
      if (block == 0) std::fill_n(y + rows.begin, size, 0.0F);
      kernels::AddScaledFloatSums(
          sums + rows.begin, w.scales.data() + rows.begin * num_blocks + block,
          num_blocks, size, y + rows.begin);
      return;
  }
}

void MatVecRows(const RowRange& rows, const float* x, std::size_t tokens,
                float* sums) {
  const Linear& w = *rows.layer->w;
  const std::size_t cols = ScaleCols(w);
  const std::size_t num_blocks = (w.cols + cols - 1) / cols;
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t b = 0; b < num_blocks; ++b) {
      kernels::FloatMatVec(w.View(), x + t * w.cols, rows.begin, rows.end,
                           b * cols, std::min((b + 1) * cols, w.cols), sums);
      Scale(rows, b, num_blocks, sums, rows.layer->y + t * w.rows);
    }
  }
}

void MatMulRows(const RowRange& rows, const TokenRange& tokens, const float* x,
                float* sums, std::uint8_t* scratch) {
  const Linear& w = *rows.layer->w;
  const std::size_t cols = ScaleCols(w);
  const std::size_t num_blocks = (w.cols + cols - 1) / cols;
  kernels::FloatMatMulArgs args;
  args.x = x + tokens.first * w.cols;
  args.x_stride = w.cols;
  args.tokens = tokens.count;
  args.row_begin = rows.begin;
  args.row_end = rows.end;
  args.sums = sums;
  args.sums_stride = w.rows;
  for (std::size_t b = 0; b < num_blocks; ++b) {
    args.col_begin = b * cols;
    args.col_end = std::min((b + 1) * cols, w.cols);
    kernels::FloatMatMul(w.View(), args, scratch);
    for (std::size_t t = 0; t < tokens.count; ++t) {
      Scale(rows, b, num_blocks, sums + t * args.sums_stride,
            rows.layer->y + (tokens.first + t) * w.rows);
    }
  }
}

}  // namespace

FloatScratch::FloatScratch(const LinearShape& s)
    : sums(s.threads, kernels::FloatTokenTile() * s.rows),
      matmul(s.threads, kernels::FloatMatMulScratchBytes(kRowBlock)) {}

std::uint64_t FloatScratch::Bytes(const LinearShape& s) {
  return PerThread<float>::Bytes(s.threads,
                                 kernels::FloatTokenTile() * s.rows) +
         PerThread<std::uint8_t>::Bytes(
             s.threads, kernels::FloatMatMulScratchBytes(kRowBlock));
}

void ProjectFloat(std::span<const Projection> layers, const float* x,
                  std::size_t tokens, FloatScratch& s, Team& team) {
  if (tokens <= MostMatVecTokens()) {
    ForEachRowRange(layers, team,
                    [&](const RowRange& rows, std::size_t thread) {
                      MatVecRows(rows, x, tokens, s.sums.Of(thread));
                    });
    return;
  }
  ForEachRowAndTokenRange(
      layers, tokens, {kernels::FloatTokenTile(), kRowBlock}, team,
      [&](const RowRange& rows, const TokenRange& range, std::size_t thread) {
        MatMulRows(rows, range, x, s.sums.Of(thread), s.matmul.Of(thread));
      });
}

}  // namespace tern
