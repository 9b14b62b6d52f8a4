#include "packing/tiles.h"

#include <algorithm>
#include <cstring>

#include "packing/interleave.h"
#include "packing/transpose.h"

namespace tern::packing {
namespace {

// 8 bytes of a row from byte `begin`; beyond the row's end, zeros (code 1).
std::uint64_t LoadCodes(const TernaryMatrix& matrix, std::size_t row,
                        std::size_t begin) {
  const std::size_t row_bytes = TernaryMatrix::RowBytes(matrix.cols);
  std::uint64_t codes = kZeroCodes8;
  if (row < matrix.rows && begin < row_bytes) {
    const std::uint8_t* from = matrix.codes.data() + row * row_bytes + begin;
    if (begin + 8 <= row_bytes) {
      std::memcpy(&codes, from, 8);  // of known size: one load
    } else {
      std::memcpy(&codes, from, row_bytes - begin);
    }
  }
  return codes;
}

}  // namespace

void FillTiles(const TernaryMatrix& matrix, std::size_t row_begin,
               std::size_t row_end, std::uint8_t* tiles) {
  const std::size_t groups = PaddedCols(matrix.cols) / kTileCols;
  // A strip of 64 groups (tiles) at a time: the reader takes whole cache lines
  // of 8 rows while the 4 KiB that are written stay in the L1 cache.
  constexpr std::size_t kStrip = 64;
  for (std::size_t r0 = row_begin; r0 < row_end; r0 += kTileRows) {
    std::uint8_t* tile_row = tiles + r0 * groups;
    for (std::size_t g0 = 0; g0 < groups; g0 += kStrip) {
      const std::size_t g_end = std::min(g0 + kStrip, groups);
      for (std::size_t r = 0; r < kTileRows; r += 8) {
        for (std::size_t g = g0; g < g_end; g += 8) {
          Square square;
          for (std::size_t i = 0; i < 8; ++i) {
            square[i] = LoadCodes(matrix, r0 + r + i, g);
          }
          TransposeSquare(square);
          for (std::size_t i = 0; i < 8; ++i) {
            std::memcpy(tile_row + (g + i) * kTileBytes + r, &square[i], 8);
          }
        }
      }
    }
  }
}

}  // namespace tern::packing
