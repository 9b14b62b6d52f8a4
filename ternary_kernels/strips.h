// What the kernels of one token walk over, one type for all targets.
#ifndef TERN_TERNARY_KERNELS_STRIPS_H_
#define TERN_TERNARY_KERNELS_STRIPS_H_

#include <cstddef>
#include <cstdint>

#include "packing/tiles.h"

namespace tern::kernels {

// Strips of 64 rows that follow each other, and the tile columns of them that
// are summed.
struct Strips {
  const std::uint8_t* tiles;  // the first strip, from its first column
  std::size_t strip_groups;   // tile columns of a strip
  std::size_t first_group;
  std::size_t groups;

  [[nodiscard]] std::size_t Bytes() const {
    return strip_groups * packing::kTileBytes;
  }
  // Of the first strip; g counts from the first that is summed.
  [[nodiscard]] const std::uint8_t* Tile(std::size_t g) const {
    return tiles + (first_group + g) * packing::kTileBytes;
  }
};

}  // namespace tern::kernels

#endif  // TERN_TERNARY_KERNELS_STRIPS_H_
