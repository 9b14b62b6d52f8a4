#include "packing/tiles.h"

#include <algorithm>
#include <cstring>

#include "packing/checks.h"
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

// Not 0 if one of the bytes holds a code 3.  No early exit, so that it is
// compiled to vector code.
unsigned CodeThrees(std::span<const std::uint8_t> bytes) {
  std::uint8_t threes = 0;
  for (const std::uint8_t byte : bytes) {
    threes = static_cast<std::uint8_t>(threes | (byte & byte >> 1));
  }
  return threes & kZeroCodes;
}

// Some bytes must be code 1 throughout.
MaybeFault CheckPadding(std::span<const std::uint8_t> tiles, std::size_t begin,
                        std::size_t end) {
  for (std::size_t i = begin; i < end; ++i) {
    if (tiles[i] == kZeroCodes) continue;
    return Fault{"padding beyond the last row or column that is not code 1", i};
  }
  return {};
}

// Columns beyond the last, in the row of tiles that begins at `begin`.
MaybeFault CheckColPadding(std::span<const std::uint8_t> tiles,
                           std::size_t begin, std::size_t cols) {
  const std::size_t last = cols / kTileCols;
  if (cols % kTileCols != 0) {
    const unsigned mask = 0xffU << (2 * (cols % kTileCols));
    for (std::size_t i = 0; i < kTileBytes; ++i) {
      const std::size_t at = begin + last * kTileBytes + i;
      if (((tiles[at] ^ kZeroCodes) & mask & 0xffU) != 0) {
        return Fault{"padding beyond the last column that is not code 1", at};
      }
    }
  }
  const std::size_t groups = PaddedCols(cols) / kTileCols;
  const std::size_t beyond = (cols + kTileCols - 1) / kTileCols;
  return CheckPadding(tiles, begin + beyond * kTileBytes,
                      begin + groups * kTileBytes);
}

// Rows beyond the last, in the last row of tiles.
MaybeFault CheckRowPadding(std::span<const std::uint8_t> tiles,
                           std::size_t rows) {
  if (rows % kTileRows == 0) return {};
  const std::size_t groups = tiles.size() / PaddedRows(rows);
  const std::size_t begin = rows / kTileRows * groups * kTileBytes;
  for (std::size_t at = begin; at < tiles.size(); at += kTileBytes) {
    if (auto fault =
            CheckPadding(tiles, at + rows % kTileRows, at + kTileBytes)) {
      return fault;
    }
  }
  return {};
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

MaybeFault CheckTiles(std::span<const std::uint8_t> tiles, std::size_t rows,
                      std::size_t cols) {
  if (auto fault = CheckShape(rows, cols)) return fault;
  if (auto fault = CheckSize(tiles.size(), TilesBytes(rows, cols))) {
    return fault;
  }
  // A piece that is checked for its padding while it is in the cache.
  const std::size_t tile_row = PaddedCols(cols) / kTileCols * kTileBytes;
  for (std::size_t begin = 0; begin < tiles.size(); begin += tile_row) {
    if (CodeThrees(tiles.subspan(begin, tile_row)) != 0) {
      return CodeThreeFault(tiles, begin, begin + tile_row);
    }
    if (auto fault = CheckColPadding(tiles, begin, cols)) return fault;
  }
  return CheckRowPadding(tiles, rows);
}

void UnpackTiles(std::span<const std::uint8_t> tiles, TernaryMatrix& matrix) {
  const std::size_t groups = PaddedCols(matrix.cols) / kTileCols;
  const std::size_t row_bytes = TernaryMatrix::RowBytes(matrix.cols);
  matrix.codes.resize(matrix.rows * row_bytes);
  for (std::size_t r0 = 0; r0 < matrix.rows; r0 += 8) {
    const std::uint8_t* from =
        tiles.data() + r0 / kTileRows * groups * kTileBytes + r0 % kTileRows;
    const std::size_t rows = std::min<std::size_t>(8, matrix.rows - r0);
    for (std::size_t g = 0; g < row_bytes; g += 8) {
      Square square;
      for (std::size_t i = 0; i < 8; ++i) {
        std::memcpy(&square[i], from + (g + i) * kTileBytes, 8);
      }
      TransposeSquare(square);
      const std::size_t bytes = std::min<std::size_t>(8, row_bytes - g);
      for (std::size_t i = 0; i < rows; ++i) {
        std::memcpy(matrix.codes.data() + (r0 + i) * row_bytes + g, &square[i],
                    bytes);
      }
    }
  }
}

}  // namespace tern::packing
