// A stored head as 8-bit codes that nothing holds: for many texts at once each
// row is rounded while it is read (ternary_kernels/screen_texts.h), and meets
// them as bytes instead of floats.  What is kept are three numbers a row, for
// the bound of screen.h: 1.5 MB of 128256 rows where a screen is 339 MB.
#ifndef TERN_RUNTIME_HEAD_ROUNDED_ROWS_H_
#define TERN_RUNTIME_HEAD_ROUNDED_ROWS_H_

#include <cstddef>
#include <cstdint>

#include "runtime/aligned_buffer.h"
#include "runtime/parallel.h"
#include "ternary_kernels/dense.h"
#include "ternary_kernels/screen_texts.h"

namespace tern {

struct RoundedRows {
  std::size_t rows = 0;
  std::size_t cols = 0;
  // All [rows]; lengths are rounded up.
  AlignedBuffer<float> steps;
  AlignedBuffer<float> residuals;
  AlignedBuffer<float> norms;
  float longest = 0;  // the largest of the norms

  [[nodiscard]] kernels::ByteRowsView ByteView(
      const kernels::DenseView& stored) const {
    return {.stored = stored,
            .steps = steps.data(),
            .residuals = residuals.data(),
            .norms = norms.data(),
            .rows = rows,
            .cols = cols};
  }
  static std::uint64_t Bytes(std::size_t rows) {
    return std::uint64_t{rows} * 3 * sizeof(float);
  }
};

// Reads every row, of finite numbers, of a matrix of kF32, kF16 or kBf16.
RoundedRows MakeRoundedRows(const kernels::DenseView& w, Team& team);

}  // namespace tern

#endif  // TERN_RUNTIME_HEAD_ROUNDED_ROWS_H_
