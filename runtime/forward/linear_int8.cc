// Ternary layers whose inputs are rounded to int8: integer sums.
#include <algorithm>

#include "runtime/forward/linear.h"
#include "runtime/forward/row_ranges.h"
#include "runtime/parallel.h"
#include "ternary_kernels/activations.h"
#include "ternary_kernels/matmul.h"
#include "ternary_kernels/matvec.h"

namespace tern {
namespace {

std::size_t MostMatVecTokens() {
  return std::max<std::size_t>(kernels::MinTokensForMatMul(), 2) - 1;
}

// Integer sums of one column range to floats; `inverse_s` undoes the
// quantisation of the activations.  Blocks add up, so y starts at zero there.
void Scale(const RowRange& rows, std::size_t block, std::size_t num_blocks,
           const std::int32_t* sums, float inverse_s, float* y) {
  const TernaryWeights& w = rows.layer->w->ternary;
  const std::size_t size = rows.end - rows.begin;
  switch (w.group) {
    case packing::ScaleGroup::kMatrix:
      kernels::ScaleSums(sums + rows.begin, size, w.scales[0] * inverse_s,
                         y + rows.begin);
      return;
    case packing::ScaleGroup::kRow:
      kernels::ScaleSumsByRow(sums + rows.begin, w.scales.data() + rows.begin,
                              size, inverse_s, y + rows.begin);
      return;
    case packing::ScaleGroup::kBlock:
      if (block == 0) std::fill_n(y + rows.begin, size, 0.0F);
      kernels::AddScaledSums(sums + rows.begin,
                             w.scales.data() + rows.begin * num_blocks + block,
                             num_blocks, size, inverse_s, y + rows.begin);
      return;
  }
}

void QuantizeInput(const float* x, std::size_t tokens, std::size_t cols,
                   Int8Scratch& s, Team& team) {
  const std::size_t stride = Int8Scratch::Stride(cols);
  const bool tables = tokens <= MostMatVecTokens();
  const std::size_t table_bytes = kernels::NibbleTableBytes(cols);
  ParallelFor(team, tokens, 1,
              [&](std::size_t begin, std::size_t end, std::size_t) {
                for (std::size_t t = begin; t < end; ++t) {
                  std::int8_t* q = s.q.data() + t * stride;
                  s.q_scales.data()[t] =
                      kernels::QuantizeActivations(x + t * cols, cols, q);
                  if (tables) {
                    kernels::BuildNibbleTables(
                        q, cols, s.tables.data() + t * table_bytes);
                  }
                }
              });
}

void MatVecRows(const RowRange& rows, std::size_t tokens, const Int8Scratch& s,
                std::int32_t* sums) {
  const Linear& w = *rows.layer->w;
  const std::size_t cols = ScaleCols(w);
  const std::size_t num_blocks = (w.cols + cols - 1) / cols;
  const std::size_t table_bytes = kernels::NibbleTableBytes(w.cols);
  for (std::size_t t = 0; t < tokens; ++t) {
    float* y = rows.layer->y + t * w.rows;
    for (std::size_t b = 0; b < num_blocks; ++b) {
      kernels::MatVec(w.View(), s.tables.data() + t * table_bytes, rows.begin,
                      rows.end, b * cols, std::min((b + 1) * cols, w.cols),
                      sums);
      Scale(rows, b, num_blocks, sums, 1.0F / s.q_scales.data()[t], y);
    }
  }
}

void MatMulRows(const RowRange& rows, const TokenRange& tokens,
                const Int8Scratch& s, std::int32_t* sums,
                std::uint8_t* scratch) {
  const Linear& w = *rows.layer->w;
  const std::size_t cols = ScaleCols(w);
  const std::size_t num_blocks = (w.cols + cols - 1) / cols;
  kernels::MatMulArgs args;
  args.x_stride = Int8Scratch::Stride(w.cols);
  args.x = s.q.data() + tokens.first * args.x_stride;
  args.tokens = tokens.count;
  args.row_begin = rows.begin;
  args.row_end = rows.end;
  args.sums = sums;
  args.sums_stride = w.rows;
  for (std::size_t b = 0; b < num_blocks; ++b) {
    args.col_begin = b * cols;
    args.col_end = std::min((b + 1) * cols, w.cols);
    kernels::MatMul(w.View(), args, scratch);
    for (std::size_t t = 0; t < tokens.count; ++t) {
      Scale(rows, b, num_blocks, sums + t * args.sums_stride,
            1.0F / s.q_scales.data()[tokens.first + t],
            rows.layer->y + (tokens.first + t) * w.rows);
    }
  }
}

}  // namespace

Int8Scratch::Int8Scratch(const LinearShape& s)
    : q(s.tokens * Stride(s.cols)),
      q_scales(s.tokens),
      tables(std::min(s.tokens, MostMatVecTokens()) *
             kernels::NibbleTableBytes(s.cols)),
      sums(s.threads, kernels::TokenTile() * s.rows),
      matmul(s.threads, kernels::MatMulScratchBytes(kRowBlock)) {}

std::uint64_t Int8Scratch::Bytes(const LinearShape& s) {
  return s.tokens * (Stride(s.cols) + sizeof(float)) +
         std::min(s.tokens, MostMatVecTokens()) *
             kernels::NibbleTableBytes(s.cols) +
         PerThread<std::int32_t>::Bytes(s.threads,
                                        kernels::TokenTile() * s.rows) +
         PerThread<std::uint8_t>::Bytes(s.threads,
                                        kernels::MatMulScratchBytes(kRowBlock));
}

void ProjectInt8(std::span<const Projection> layers, const float* x,
                 std::size_t tokens, Int8Scratch& s, Team& team) {
  QuantizeInput(x, tokens, layers[0].w->cols, s, team);
  if (tokens <= MostMatVecTokens()) {
    ForEachRowRange(layers, team,
                    [&](const RowRange& rows, std::size_t thread) {
                      MatVecRows(rows, tokens, s, s.sums.Of(thread));
                    });
    return;
  }
  ForEachRowAndTokenRange(
      layers, tokens, kernels::TokenTile(), team,
      [&](const RowRange& rows, const TokenRange& range, std::size_t thread) {
        MatMulRows(rows, range, s, s.sums.Of(thread), s.matmul.Of(thread));
      });
}

}  // namespace tern
