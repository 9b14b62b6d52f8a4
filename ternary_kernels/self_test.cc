#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "packing/tiles.h"
#include "ternary_kernels/activations.h"
#include "ternary_kernels/float_sums.h"
#include "ternary_kernels/matmul.h"
#include "ternary_kernels/matvec.h"
#include "ternary_kernels/reference.h"
#include "ternary_kernels/targets.h"
#include "ternary_kernels/ternary_view.h"

namespace tern::kernels {
namespace {

// Four strips that a matvec may take at once, one alone, one short; columns
// past the first flush of 16-bit sums, which fill no padding.
constexpr std::size_t kRows = 330;
constexpr std::size_t kCols = 387;

// The unit of aligned storage.
struct alignas(packing::kTileBytes) Line {
  std::uint8_t bytes[packing::kTileBytes];
};
using Lines = std::vector<Line>;

Lines LinesFor(std::size_t bytes) {
  return Lines(bytes / sizeof(Line) + 1);  // value-initialised
}

// Numerical Recipes' generator; its high bits are the good ones.
class Random {
 public:
  std::uint32_t Next() {
    state_ = state_ * 1664525U + 1013904223U;
    return state_ >> 16;
  }

 private:
  std::uint32_t state_ = 1;
};

// Codes 0, 1, 2 everywhere, padding too: nothing may depend on it.
Lines RandomTiles(Random& random) {
  Lines tiles = LinesFor(packing::TilesBytes(kRows, kCols));
  for (Line& tile : tiles) {
    for (std::uint8_t& byte : tile.bytes) {
      for (unsigned shift = 0; shift < 8; shift += 2) {
        byte = static_cast<std::uint8_t>(byte | random.Next() % 3 << shift);
      }
    }
  }
  return tiles;
}

// Fills q [tokens][kCols]; false where the reference quantises differently.
bool Quantize(Random& random, std::vector<std::int8_t>& q) {
  std::vector<float> x(kCols);
  std::vector<std::int8_t> expected(kCols);
  for (std::size_t at = 0; at < q.size(); at += kCols) {
    for (float& value : x) {
      value = static_cast<float>(random.Next()) - 32768.0F;
    }
    const float scale = QuantizeActivations(x.data(), kCols, &q[at]);
    if (scale !=
            reference::QuantizeActivations(x.data(), kCols, expected.data()) ||
        !std::equal(expected.begin(), expected.end(), &q[at])) {
      return false;
    }
  }
  return true;
}

bool FloatProductsAreRight(Random& random, const TernaryView& w) {
  const std::size_t tokens = FloatTokenTile();
  std::vector<float> x(tokens * kCols);
  for (float& value : x) {
    value = static_cast<float>(random.Next()) - 32768.3F;
  }
  std::vector<float> together(tokens * kRows);
  Lines scratch = LinesFor(FloatMatMulScratchBytes(kRows));
  FloatMatMul(w,
              {.x = x.data(),
               .x_stride = kCols,
               .tokens = tokens,
               .row_begin = 0,
               .row_end = kRows,
               .col_begin = 0,
               .col_end = kCols,
               .sums = together.data(),
               .sums_stride = kRows},
              scratch.front().bytes);
  std::vector<float> expected(kRows);
  std::vector<float> alone(kRows);
  const std::size_t last = tokens - 1;
  const float* last_x = &x[last * kCols];
  reference::FloatMatVec(w, last_x, 0, kRows, 0, kCols, expected.data());
  FloatMatVec(w, last_x, 0, kRows, 0, kCols, alone.data());
  return alone == expected &&
         std::equal(expected.begin(), expected.end(), &together[last * kRows]);
}

bool IntegerProductsAreRight(Random& random, const TernaryView& w) {
  const std::size_t tokens = TokenTile();
  std::vector<std::int8_t> q(tokens * kCols);
  if (!Quantize(random, q)) {
    return false;
  }

  std::vector<std::int32_t> together(tokens * kRows);
  Lines scratch = LinesFor(MatMulScratchBytes(kRows));
  Lines packed = LinesFor(PackedTokensBytes(kCols, tokens));
  auto* columns = reinterpret_cast<std::int8_t*>(packed.front().bytes);
  PackTokens({.x = q.data(),
              .x_stride = kCols,
              .tokens = tokens,
              .cols = kCols,
              .col_begin = 0,
              .col_end = packing::PaddedCols(kCols)},
             columns);
  MatMul(w,
         {.packed = columns,
          .tokens = tokens,
          .row_begin = 0,
          .row_end = kRows,
          .col_begin = 0,
          .col_end = kCols,
          .sums = together.data(),
          .sums_stride = kRows},
         scratch.front().bytes);

  // The plain loops are slow, so they check the first token and the last.
  std::vector<std::int32_t> expected(kRows);
  std::vector<std::int32_t> alone(kRows);
  Lines tables = LinesFor(NibbleTableBytes(kCols));
  for (const std::size_t t : {std::size_t{0}, tokens - 1}) {
    const std::int8_t* x = &q[t * kCols];
    reference::MatVec(w, x, 0, kRows, 0, kCols, expected.data());
    BuildNibbleTables(x, kCols, tables.front().bytes);
    MatVec(w, tables.front().bytes, 0, kRows, 0, kCols, alone.data());
    if (alone != expected ||
        !std::equal(expected.begin(), expected.end(), &together[t * kRows])) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool SelfTest() {
  Random random;
  const Lines tiles = RandomTiles(random);
  const TernaryView w = {tiles.front().bytes, kRows, kCols};
  return IntegerProductsAreRight(random, w) && FloatProductsAreRight(random, w);
}

}  // namespace tern::kernels
