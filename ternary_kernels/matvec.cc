#include "ternary_kernels/matvec.h"

#include <cstddef>
#include <cstdint>

#include "packing/tiles.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ternary_kernels/matvec.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ternary_kernels/matvec-inl.h"

#if HWY_ONCE
namespace tern::kernels {
namespace {

HWY_EXPORT(BuildTables);
HWY_EXPORT(SumStrips);

constexpr std::size_t kTableBytesOfTile = 64;

}  // namespace

std::size_t NibbleTableBytes(std::size_t cols) {
  return packing::PaddedCols(cols) / packing::kTileCols * kTableBytesOfTile;
}

void BuildNibbleTables(const std::int8_t* x, std::size_t cols,
                       std::uint8_t* tables) {
  HWY_DYNAMIC_DISPATCH(BuildTables)(x, cols, tables);
}

void MatVec(  // NOLINT(readability-function-size): two ranges, four numbers
    const TernaryView& w, const std::uint8_t* tables, std::size_t row_begin,
    std::size_t row_end, std::size_t col_begin, std::size_t col_end,
    std::int32_t* sums) {
  const std::size_t all_groups =
      packing::PaddedCols(w.cols) / packing::kTileCols;
  const std::size_t begin = col_begin / packing::kTileCols;
  const std::size_t end =
      col_end == w.cols ? all_groups : col_end / packing::kTileCols;
  const std::size_t strip_bytes = all_groups * packing::kTileBytes;
  const Strips strips = {w.tiles + row_begin / packing::kTileRows * strip_bytes,
                         all_groups, begin, end - begin};
  HWY_DYNAMIC_DISPATCH(SumStrips)
  (strips, tables + begin * kTableBytesOfTile, row_end - row_begin,
   sums + row_begin);
}

}  // namespace tern::kernels
#endif  // HWY_ONCE
