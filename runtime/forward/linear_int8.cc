// Ternary layers whose inputs are rounded to int8: integer sums.
#include <algorithm>

#include "runtime/caches.h"
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

// Tokens that go through MatMul: whole tiles, and what is left over if it is
// not few.  MatVec takes the others.
std::size_t MatMulTokens(std::size_t tokens) {
  if (tokens <= MostMatVecTokens()) return 0;
  const std::size_t rest = tokens % kernels::TokenTile();
  return rest <= MostMatVecTokens() ? tokens - rest : tokens;
}

void QuantizeInput(const float* x, std::size_t tokens, std::size_t cols,
                   Int8Scratch& s, Team& team) {
  const std::size_t stride = Int8Scratch::Stride(cols);
  ++s.inputs;
  ParallelFor(team, tokens, 1,
              [&](std::size_t begin, std::size_t end, std::size_t) {
                for (std::size_t t = begin; t < end; ++t) {
                  s.q_scales.data()[t] = kernels::QuantizeActivations(
                      x + t * cols, cols, s.q.data() + t * stride);
                }
              });
}

// The tables of a few tokens, built when a thread first needs them.  Each
// thread has its own: a line of a table (four columns) that another core had
// read took 27 ns to write, 2.3 ns where it stays with the core that uses it,
// and all but one thread waited (2B4T's shape on two cores: 9 % of a token's
// time).
const std::uint8_t* Tables(const TokenRange& tokens, std::size_t cols,
                           std::size_t thread, Int8Scratch& s) {
  std::uint8_t* tables = s.tables.Of(thread);
  std::uint64_t& built = *s.tables_of.Of(thread);
  if (built == s.inputs) return tables;
  for (std::size_t i = 0; i < tokens.count; ++i) {
    kernels::BuildNibbleTables(
        s.q.data() + (tokens.first + i) * Int8Scratch::Stride(cols), cols,
        tables + i * kernels::NibbleTableBytes(cols));
  }
  built = s.inputs;
  return tables;
}

// Bytes from one tile of packed tokens to the next.
std::size_t PackedStride(std::size_t cols) {
  return kernels::PackedTokensBytes(cols, kernels::TokenTile());
}

void PackInput(std::size_t tokens, std::size_t cols, Int8Scratch& s,
               Team& team) {
  constexpr std::size_t kCols = 512;  // at a time
  const std::size_t padded = packing::PaddedCols(cols);
  const std::size_t chunks = (padded + kCols - 1) / kCols;
  const std::size_t tile = kernels::TokenTile();
  const std::size_t tiles = (tokens + tile - 1) / tile;
  ParallelForEach(team, tiles * chunks, [&](std::size_t item, std::size_t) {
    const std::size_t first = item / chunks * tile;
    const std::size_t col = item % chunks * kCols;
    kernels::PackTokensArgs args;
    args.x_stride = Int8Scratch::Stride(cols);
    args.x = s.q.data() + first * args.x_stride;
    args.tokens = std::min(tile, tokens - first);
    args.cols = cols;
    args.col_begin = col;
    args.col_end = std::min(col + kCols, padded);
    kernels::PackTokens(args,
                        s.packed.data() + item / chunks * PackedStride(cols));
  });
}

// Some rows for tokens [first, first + count) with these tables.
void MatVecRows(const RowRange& rows, const TokenRange& tokens,
                const std::uint8_t* tables, const Int8Scratch& s,
                std::int32_t* sums) {
  const Linear& w = *rows.layer->w;
  const std::size_t cols = ScaleCols(w);
  const std::size_t num_blocks = (w.cols + cols - 1) / cols;
  const std::size_t table_bytes = kernels::NibbleTableBytes(w.cols);
  for (std::size_t i = 0; i < tokens.count; ++i) {
    const std::size_t t = tokens.first + i;
    for (std::size_t b = 0; b < num_blocks; ++b) {
      kernels::MatVec(w.View(), tables + i * table_bytes, rows.begin, rows.end,
                      b * cols, std::min((b + 1) * cols, w.cols), sums);
      Scale(rows, b, num_blocks, sums, 1.0F / s.q_scales.data()[t],
            rows.layer->y + t * w.rows);
    }
  }
}

// All rows, few tokens: so many rows at a time that their weights, 160 KiB of
// 2560 columns, stay in the cache from token to token.
void ProjectFew(std::span<const Projection> layers, const TokenRange& tokens,
                Int8Scratch& s, Team& team) {
  constexpr std::size_t kRows = 4 * packing::kTileRows;
  ForEachRowRange(layers, team, [&](const RowRange& all, std::size_t thread) {
    const std::uint8_t* tables = Tables(tokens, all.layer->w->cols, thread, s);
    RowRange rows = all;
    for (; rows.begin < all.end; rows.begin = rows.end) {
      rows.end = std::min(rows.begin + kRows, all.end);
      MatVecRows(rows, tokens, tables, s, s.sums.Of(thread));
    }
  });
}

void MatMulRows(const RowRange& rows, const TokenRange& tokens,
                const Int8Scratch& s, std::int32_t* sums,
                std::uint8_t* scratch) {
  const Linear& w = *rows.layer->w;
  const std::size_t cols = ScaleCols(w);
  const std::size_t num_blocks = (w.cols + cols - 1) / cols;
  kernels::MatMulArgs args;
  args.packed = s.packed.data() +
                tokens.first / kernels::TokenTile() * PackedStride(w.cols);
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

std::size_t PackedBytes(const LinearShape& s) {
  const std::size_t tile = kernels::TokenTile();
  return (s.tokens + tile - 1) / tile * PackedStride(s.cols);
}

std::size_t TablesBytes(const LinearShape& s) {
  return std::min(s.tokens, MostMatVecTokens()) *
         kernels::NibbleTableBytes(s.cols);
}

// The int16 sums of a block should take a quarter of the second-level cache:
// 4096 rows of 32 tokens on Zen 4, where 3456 rows were 1.03 times as fast as
// 2304 and 1.05 times as fast as 1152 (6912 x 2560).
std::size_t RowBlock() {
  const std::size_t rows =
      L2CacheBytes() / 4 / (kernels::TokenTile() * sizeof(std::int16_t));
  return std::clamp<std::size_t>(rows / packing::kTileRows, 16, 64) *
         packing::kTileRows;
}

}  // namespace

Int8Scratch::Int8Scratch(const LinearShape& s)
    : row_block(RowBlock()),
      q(s.tokens * Stride(s.cols)),
      q_scales(s.tokens),
      tables(s.threads, TablesBytes(s)),
      tables_of(s.threads, 1),
      packed(PackedBytes(s)),
      sums(s.threads, kernels::TokenTile() * s.rows),
      matmul(s.threads, kernels::MatMulScratchBytes(row_block)) {
  for (std::size_t t = 0; t < s.threads; ++t) *tables_of.Of(t) = inputs;
}

std::uint64_t Int8Scratch::Bytes(const LinearShape& s) {
  return s.tokens * (Stride(s.cols) + sizeof(float)) + PackedBytes(s) +
         PerThread<std::uint8_t>::Bytes(s.threads, TablesBytes(s)) +
         PerThread<std::uint64_t>::Bytes(s.threads, 1) +
         PerThread<std::int32_t>::Bytes(s.threads,
                                        kernels::TokenTile() * s.rows) +
         PerThread<std::uint8_t>::Bytes(
             s.threads, kernels::MatMulScratchBytes(RowBlock()));
}

void ProjectInt8(std::span<const Projection> layers, const float* x,
                 std::size_t tokens, Int8Scratch& s, Team& team) {
  const std::size_t cols = layers[0].w->cols;
  const std::size_t many = MatMulTokens(tokens);
  QuantizeInput(x, tokens, cols, s, team);
  if (many != tokens) ProjectFew(layers, {many, tokens - many}, s, team);
  if (many == 0) return;
  PackInput(many, cols, s, team);
  ForEachRowAndTokenRange(
      layers, many, {kernels::TokenTile(), s.row_block}, team,
      [&](const RowRange& rows, const TokenRange& range, std::size_t thread) {
        MatMulRows(rows, range, s, s.sums.Of(thread), s.matmul.Of(thread));
      });
}

}  // namespace tern
