// Ternary weights as the kernels see them.
#ifndef TERN_TERNARY_KERNELS_TERNARY_VIEW_H_
#define TERN_TERNARY_KERNELS_TERNARY_VIEW_H_

#include <cstddef>
#include <cstdint>

namespace tern::kernels {

// Not owned.  `tiles` has packing::TilesBytes(rows, cols) bytes, aligned to 64.
struct TernaryView {
  const std::uint8_t* tiles = nullptr;
  std::size_t rows = 0;
  std::size_t cols = 0;
};

}  // namespace tern::kernels

#endif  // TERN_TERNARY_KERNELS_TERNARY_VIEW_H_
