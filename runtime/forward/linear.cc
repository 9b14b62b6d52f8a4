#include "runtime/forward/linear.h"

#include <algorithm>

#include "packing/tiles.h"
#include "runtime/parallel.h"
#include "ternary_kernels/activations.h"
#include "ternary_kernels/matmul.h"
#include "ternary_kernels/matvec.h"

namespace tern {
namespace {

// Rows that one MatMul call takes at most.  Building a table of 81 sums costs
// as much as about 80 rows, so blocks must be much longer; the accumulators of
// 2304 rows and 16 tokens (72 KiB as int16) must stay in L2.  210 GMAC/s here
// against 193 with 1024 rows (AVX3_DL, one thread, 6912 x 2560).
constexpr std::size_t kRowBlock = 2304;

std::size_t MostMatVecTokens() {
  return std::max<std::size_t>(kernels::MinTokensForMatMul(), 2) - 1;
}

std::size_t RowTiles(std::size_t rows) {
  return packing::PaddedRows(rows) / packing::kTileRows;
}

// A range of rows of one of several layers that are counted through.
struct RowRange {
  const Projection* layer = nullptr;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Calls fn(RowRange) for the parts of row tiles [begin, end) of all layers laid
// end to end.
template <class Fn>
void ForEachLayer(std::span<const Projection> layers, std::size_t begin,
                  std::size_t end, const Fn& fn) {
  std::size_t first = 0;
  for (const Projection& layer : layers) {
    const std::size_t tiles = RowTiles(layer.w->rows);
    const std::size_t from = std::max(begin, first);
    const std::size_t to = std::min(end, first + tiles);
    if (from < to) {
      fn(RowRange{&layer, (from - first) * packing::kTileRows,
                  std::min((to - first) * packing::kTileRows, layer.w->rows)});
    }
    first += tiles;
  }
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

// Columns that share a scale: all of them but for block scales.
std::size_t ScaleCols(const Linear& w) {
  return w.ternary.group == packing::ScaleGroup::kBlock ? w.ternary.block
                                                        : w.cols;
}

void QuantizeInput(const float* x, std::size_t tokens, std::size_t cols,
                   LinearScratch& s, int num_threads) {
  const std::size_t stride = LinearScratch::Stride(cols);
  const bool tables = tokens <= MostMatVecTokens();
  const std::size_t table_bytes = kernels::NibbleTableBytes(cols);
  ParallelFor(num_threads, tokens, 1,
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

void MatVecRows(const RowRange& rows, std::size_t tokens,
                const LinearScratch& s, std::int32_t* sums) {
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

void MatMulRows(const RowRange& rows, std::size_t first_token,
                std::size_t tokens, const LinearScratch& s, std::int32_t* sums,
                std::uint8_t* scratch) {
  const Linear& w = *rows.layer->w;
  const std::size_t cols = ScaleCols(w);
  const std::size_t num_blocks = (w.cols + cols - 1) / cols;
  kernels::MatMulArgs args;
  args.x_stride = LinearScratch::Stride(w.cols);
  args.x = s.q.data() + first_token * args.x_stride;
  args.tokens = tokens;
  args.row_begin = rows.begin;
  args.row_end = rows.end;
  args.sums = sums;
  args.sums_stride = w.rows;
  for (std::size_t b = 0; b < num_blocks; ++b) {
    args.col_begin = b * cols;
    args.col_end = std::min((b + 1) * cols, w.cols);
    kernels::MatMul(w.View(), args, scratch);
    for (std::size_t t = 0; t < tokens; ++t) {
      Scale(rows, b, num_blocks, sums + t * args.sums_stride,
            1.0F / s.q_scales.data()[first_token + t],
            rows.layer->y + (first_token + t) * w.rows);
    }
  }
}

void ProjectTernary(std::span<const Projection> layers, const float* x,
                    std::size_t tokens, LinearScratch& s, int num_threads) {
  QuantizeInput(x, tokens, layers[0].w->cols, s, num_threads);
  std::size_t tiles = 0;
  for (const Projection& layer : layers) tiles += RowTiles(layer.w->rows);
  const std::size_t sums_size = s.sums.size() / s.shape.threads;
  if (tokens <= MostMatVecTokens()) {
    ParallelFor(num_threads, tiles, 1,
                [&](std::size_t begin, std::size_t end, std::size_t thread) {
                  ForEachLayer(layers, begin, end, [&](const RowRange& rows) {
                    MatVecRows(rows, tokens, s,
                               s.sums.data() + thread * sums_size);
                  });
                });
    return;
  }
  const std::size_t token_tile = kernels::TokenTile();
  const std::size_t token_tiles = (tokens + token_tile - 1) / token_tile;
  // Blocks of rows: long, but enough of them that every thread has work.
  const auto threads = static_cast<std::size_t>(num_threads);
  const std::size_t wanted = (2 * threads + token_tiles - 1) / token_tiles;
  const std::size_t block =
      std::clamp<std::size_t>(tiles / std::max<std::size_t>(wanted, 1), 1,
                              kRowBlock / packing::kTileRows);
  const std::size_t blocks = (tiles + block - 1) / block;
  ParallelForEach(num_threads, blocks * token_tiles,
                  [&](std::size_t item, std::size_t thread) {
                    const std::size_t first = item / blocks * token_tile;
                    const std::size_t begin = item % blocks * block;
                    ForEachLayer(
                        layers, begin, std::min(begin + block, tiles),
                        [&](const RowRange& rows) {
                          MatMulRows(
                              rows, first, std::min(token_tile, tokens - first),
                              s, s.sums.data() + thread * sums_size,
                              s.matmul.data() +
                                  thread * (s.matmul.size() / s.shape.threads));
                        });
                  });
}

std::size_t RoundUp(std::size_t size) {
  return (size + kCacheLine - 1) / kCacheLine * kCacheLine;
}

// Sizes of the buffers, shared by the constructor and Bytes.
struct Sizes {
  std::size_t q, tables, sums, matmul;
  explicit Sizes(const LinearShape& shape)
      : q(shape.tokens * LinearScratch::Stride(shape.cols)),
        tables(std::min(shape.tokens, MostMatVecTokens()) *
               kernels::NibbleTableBytes(shape.cols)),
        sums(shape.threads * RoundUp(kernels::TokenTile() * shape.rows)),
        matmul(shape.threads *
               RoundUp(kernels::MatMulScratchBytes(kRowBlock))) {}
};

}  // namespace

LinearScratch::LinearScratch(const LinearShape& s) : shape(s) {
  const Sizes sizes(s);
  q = AlignedBuffer<std::int8_t>(sizes.q);
  q_scales = AlignedBuffer<float>(s.tokens);
  tables = AlignedBuffer<std::uint8_t>(sizes.tables);
  sums = AlignedBuffer<std::int32_t>(sizes.sums);
  matmul = AlignedBuffer<std::uint8_t>(sizes.matmul);
}

std::uint64_t LinearScratch::Bytes(const LinearShape& s) {
  const Sizes sizes(s);
  return sizes.q + s.tokens * sizeof(float) + sizes.tables +
         sizes.sums * sizeof(std::int32_t) + sizes.matmul;
}

void ProjectDense(const DenseMatrix& w, const float* x, std::size_t tokens,
                  float* y, int num_threads) {
  ParallelFor(num_threads, w.rows, packing::kTileRows,
              [&](std::size_t begin, std::size_t end, std::size_t) {
                kernels::DenseArgs args;
                args.x = x;
                args.x_stride = w.cols;
                args.tokens = tokens;
                args.row_begin = begin;
                args.row_end = end;
                args.y = y;
                args.y_stride = w.rows;
                kernels::DenseMatMul(w.View(), args);
              });
}

void Project(std::span<const Projection> layers, const float* x,
             std::size_t tokens, LinearScratch& scratch, int num_threads) {
  if (layers[0].w->is_ternary) {
    ProjectTernary(layers, x, tokens, scratch, num_threads);
    return;
  }
  for (const Projection& layer : layers) {
    ProjectDense(layer.w->dense, x, tokens, layer.y, num_threads);
  }
}

}  // namespace tern
