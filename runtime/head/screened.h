// The logits that a choice can depend on, through a screen: exact where they
// matter, -infinity where they provably do not.
#ifndef TERN_RUNTIME_HEAD_SCREENED_H_
#define TERN_RUNTIME_HEAD_SCREENED_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <tern/tokenizer.h>

#include "runtime/aligned_buffer.h"
#include "runtime/head/screen.h"
#include "runtime/parallel.h"
#include "ternary_kernels/dense.h"

namespace tern {

// Which logits are needed: of rows [0, rows), those in `always`, and each that
// is at least the `best`-th largest of the others less `depth`.
struct HeadDemand {
  std::size_t rows = 0;
  std::size_t best = 1;
  double depth = 0;
  // May repeat ids and name rows that there are not.
  std::span<const Token> always;
};

class ScreenScratch {
 public:
  ScreenScratch() = default;
  ScreenScratch(std::size_t rows, std::size_t cols);
  static std::uint64_t Bytes(std::size_t rows, std::size_t cols);

  AlignedBuffer<std::int16_t> x;       // [ScreenInputSize(cols)]
  AlignedBuffer<float> estimates;      // [rows]
  AlignedBuffer<float> bounds;         // [rows]
  AlignedBuffer<float> largest;        // [blocks of rows], then of `first`
  AlignedBuffer<std::uint32_t> first;  // [rows], refined before all others
};

// What a call read beside the first codes of the screen.
struct ScreenedRows {
  std::size_t fine = 0;     // rows of the screen's fine codes
  std::size_t refined = 0;  // rows of the head
};

// A screen and the matrix that it was made of.
struct ScreenedHead {
  const ScreenRows& screen;
  kernels::DenseView stored;
};

// logits [demand.rows] = rows of head.stored times x [cols]: what DenseMatMul
// gives for the needed rows and perhaps for some more, -infinity for the
// others.  Nothing, and logits are not set, if the screen has no bound for x.
std::optional<ScreenedRows> ScreenedLogits(const ScreenedHead& head,
                                           const float* x,
                                           const HeadDemand& demand,
                                           ScreenScratch& scratch,
                                           float* logits, Team& team) noexcept;

}  // namespace tern

#endif  // TERN_RUNTIME_HEAD_SCREENED_H_
