// The logits that a choice can depend on, through a screen: exact where they
// matter, -infinity where they provably do not.
#ifndef TERN_RUNTIME_HEAD_SCREENED_H_
#define TERN_RUNTIME_HEAD_SCREENED_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "runtime/aligned_buffer.h"
#include "runtime/head/screen.h"
#include "runtime/head/search.h"
#include "runtime/parallel.h"
#include "ternary_kernels/dense.h"

namespace tern {

class ScreenScratch {
 public:
  ScreenScratch() = default;
  ScreenScratch(std::size_t rows, std::size_t cols);
  static std::uint64_t Bytes(std::size_t rows, std::size_t cols);

  AlignedBuffer<std::int16_t> x;       // [ScreenInputSize(cols)]
  AlignedBuffer<float> estimates;      // [rows]
  AlignedBuffer<float> bounds;         // [rows]
  AlignedBuffer<float> largest;        // [SearchBlocks(rows)]
  AlignedBuffer<float> values;         // [rows]
  AlignedBuffer<std::uint32_t> first;  // [rows]
};

// A screen that let more than this share of the rows through, a half, cost more
// than it saved: so many next tokens do without.
inline constexpr std::size_t kWorthwhileShare = 2;
inline constexpr int kPause = 15;

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
