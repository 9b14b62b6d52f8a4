// The layout that the kernels read, and the only place where ternary bytes are
// permuted.
//
// A tile is 64 rows by 4 columns, 64 bytes, one cache line: byte r holds the
// codes of row r at columns 4g .. 4g+3, column 4g+j at bits 2j.
//
//   tiles[ceil(rows / 64)][groups][64],   groups = PaddedCols(cols) / 4
//
// One tile serves both kernels: a nibble of a byte is an index into a 16-entry
// table (matvec, ternary_kernels/matvec.h), the byte an index into a table of
// all sums of 4 activations (matmul).  64 rows fill one 512-bit, two 256-bit or
// four 128-bit vectors.  Rows are padded to 64 and columns to 32 with code 1,
// weight zero.
#ifndef TERN_PACKING_TILES_H_
#define TERN_PACKING_TILES_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "packing/fault.h"
#include "packing/ternary_matrix.h"

namespace tern::packing {

inline constexpr std::size_t kTileRows = 64;
inline constexpr std::size_t kTileCols = 4;
inline constexpr std::size_t kTileBytes = 64;
inline constexpr std::size_t kColPadding = 32;

constexpr std::size_t PaddedRows(std::size_t rows) {
  return (rows + kTileRows - 1) / kTileRows * kTileRows;
}
constexpr std::size_t PaddedCols(std::size_t cols) {
  return (cols + kColPadding - 1) / kColPadding * kColPadding;
}
constexpr std::size_t TilesBytes(std::size_t rows, std::size_t cols) {
  return PaddedRows(rows) * (PaddedCols(cols) / 4);
}

// The code of one weight.
inline unsigned TileCode(const std::uint8_t* tiles, std::size_t cols,
                         std::size_t row, std::size_t col) {
  const std::size_t groups = PaddedCols(cols) / kTileCols;
  const std::size_t tile = row / kTileRows * groups + col / kTileCols;
  return (tiles[tile * kTileBytes + row % kTileRows] >>
          (2 * (col % kTileCols))) &
         3U;
}

// Fills the tiles of rows [row_begin, row_end) of `matrix`; row_begin is a
// multiple of 64, row_end too or matrix.rows.  `tiles` [TilesBytes] is that of
// the whole matrix.  Row ranges may be filled by different threads at once.
void FillTiles(const TernaryMatrix& matrix, std::size_t row_begin,
               std::size_t row_end, std::uint8_t* tiles);

// Tiles from a file.  The kernels rely on what is checked here: their tables
// have no sums for code 3.  Fault: wrong size, code 3, padding that is not code
// 1.  Reads every byte once, at the speed of memory.
MaybeFault CheckTiles(std::span<const std::uint8_t> tiles, std::size_t rows,
                      std::size_t cols);

// The inverse of FillTiles, for tiles that passed CheckTiles: matrix.codes of
// the matrix's rows and cols.
void UnpackTiles(std::span<const std::uint8_t> tiles, TernaryMatrix& matrix);

}  // namespace tern::packing

#endif  // TERN_PACKING_TILES_H_
