#include "runtime/forward/linear.h"

#include <algorithm>
#include <array>
#include <utility>

#include "packing/tiles.h"
#include "runtime/forward/row_ranges.h"
#include "ternary_kernels/dense.h"

namespace tern {
namespace {

void ProjectDense(std::span<const Projection> layers, const float* x,
                  std::size_t tokens, PerThread<std::uint8_t>& scratch,
                  Team& team) {
  ForEachRowRange(layers, team, [&](const RowRange& rows, std::size_t thread) {
    const DenseMatrix& w = rows.layer->w->dense;
    kernels::DenseArgs args;
    args.x = x;
    args.x_stride = w.cols;
    args.tokens = tokens;
    args.row_begin = rows.begin;
    args.row_end = rows.end;
    args.y = rows.layer->y;
    args.y_stride = w.rows;
    kernels::DenseMatMul(w.View(), args, scratch.Of(thread));
  });
}

// The scale of a weight.
float ScaleOf(const Linear& w, std::size_t row, std::size_t col) {
  const TernaryWeights& t = w.ternary;
  switch (t.group) {
    case packing::ScaleGroup::kMatrix:
      return t.scales[0];
    case packing::ScaleGroup::kRow:
      return t.scales[row];
    case packing::ScaleGroup::kBlock:
      break;
  }
  const std::size_t blocks = (w.cols + t.block - 1) / t.block;
  return t.scales[row * blocks + col / t.block];
}

void LookUpTernaryRow(const Linear& w, std::size_t row, float* out) {
  for (std::size_t c = 0; c < w.cols; ++c) {
    const unsigned code =
        packing::TileCode(w.ternary.tiles.data(), w.cols, row, c);
    const float scale = ScaleOf(w, row, c);
    out[c] = code == 2 ? scale : code == 0 ? -scale : 0.0F;
  }
}

const std::uint8_t* Data(const Linear& w) {
  return w.is_ternary ? w.ternary.tiles.data() : w.dense.data.data();
}

std::size_t RowBytes(const Linear& w) {
  return w.is_ternary ? packing::TilesBytes(packing::kTileRows, w.cols) /
                            packing::kTileRows
                      : kernels::DenseRowBytes(w.dense.type, w.cols);
}

}  // namespace

LinearScratch::LinearScratch(const LinearShape& s, InputType type)
    : shape(s),
      input_type(type),
      dense(s.threads, kernels::kDenseScratchBytes) {
  if (s.rows == 0) return;
  if (type == InputType::kInt8) {
    int8 = Int8Scratch(s);
  } else {
    floats = FloatScratch(s);
  }
}

std::uint64_t LinearScratch::Bytes(const LinearShape& s, InputType type) {
  const std::uint64_t dense =
      PerThread<std::uint8_t>::Bytes(s.threads, kernels::kDenseScratchBytes);
  if (s.rows == 0) return dense;
  return dense + (type == InputType::kInt8 ? Int8Scratch::Bytes(s)
                                           : FloatScratch::Bytes(s));
}

void Project(std::span<const Projection> layers, const float* x,
             std::size_t tokens, LinearScratch& scratch, Team& team) {
  // At most q, k and v.
  std::array<Projection, 3> ternary;
  std::array<Projection, 3> dense;
  std::size_t num_ternary = 0;
  std::size_t num_dense = 0;
  for (const Projection& layer : layers) {
    if (layer.w->is_ternary) {
      ternary.at(num_ternary++) = layer;
    } else {
      dense.at(num_dense++) = layer;
    }
  }
  if (num_dense != 0) {
    ProjectDense({dense.data(), num_dense}, x, tokens, scratch.dense, team);
  }
  if (num_ternary == 0) return;
  const std::span<const Projection> together(ternary.data(), num_ternary);
  if (scratch.input_type == InputType::kInt8) {
    ProjectInt8(together, x, tokens, scratch.int8, team);
  } else {
    ProjectFloat(together, x, tokens, scratch.floats, team);
  }
}

void ExpectProject(std::span<const Projection> layers, Team& team) {
  // Half of a second-level cache of 512 KiB.
  constexpr std::size_t kMost = std::size_t{256} << 10U;
  const RowSteps steps(RowTiles(layers), team.shares());
  for (std::size_t share = 0; share < team.shares(); ++share) {
    bool is_first = true;
    ForEachLayer(layers, steps.ShareTile(share), steps.ShareTile(share + 1),
                 [&](const RowRange& rows) {
                   if (!std::exchange(is_first, false)) return;
                   const Linear& w = *rows.layer->w;
                   const std::size_t bytes = RowBytes(w);
                   team.WillRead(
                       share,
                       {Data(w) + rows.begin * bytes,
                        std::min((rows.end - rows.begin) * bytes, kMost)});
                 });
  }
}

void LookUpRow(const Linear& w, std::size_t row, float* out) {
  if (w.is_ternary) {
    LookUpTernaryRow(w, row, out);
  } else {
    kernels::DenseRow(w.dense.View(), row, out);
  }
}

}  // namespace tern
