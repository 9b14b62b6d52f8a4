// What TQ1_0, TQ2_0, Q2_0 and PTQ1_0 have in common: every row is cut into
// blocks of one size, and each block has an f16 scale of its own.  A format is
// the table below; sizes, scales and what cannot be stored are checked here,
// once.  Private to packing/.
#ifndef TERN_PACKING_F16_BLOCKS_H_
#define TERN_PACKING_F16_BLOCKS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "packing/fault.h"
#include "packing/ternary_matrix.h"

namespace tern::packing {

struct F16BlockFormat {
  const char* name;
  std::size_t weights;   // of a block, a multiple of 4
  std::size_t bytes;     // of a block
  std::size_t scale_at;  // offset of the f16 scale in the block
  // block [bytes] -> canonical codes [weights / 4]; not zero if some byte of
  // the block holds no ternary weights.
  std::uint64_t (*unpack)(const std::uint8_t* block, std::uint8_t* codes);
  // Names the first such byte of the block that starts at `begin`.
  Fault (*find_fault)(std::span<const std::uint8_t> bytes, std::size_t begin);
  // The inverse of unpack; null if the format is only read.
  void (*pack)(const std::uint8_t* codes, std::uint8_t* block);
};

// Fault: cols not a multiple of a block, wrong size, a block that unpack
// refuses, a scale that is negative or not finite.
MaybeFault UnpackF16Blocks(const F16BlockFormat& format,
                           std::span<const std::uint8_t> bytes,
                           std::size_t rows, std::size_t cols,
                           TernaryMatrix& matrix);

// Blocks of zeros get scale 0.  Fault: cols not a multiple of a block, scales
// for blocks of columns that are no multiple of the format's, a code 3, a scale
// that f16 cannot hold exactly.
MaybeFault PackF16Blocks(const F16BlockFormat& format,
                         const TernaryMatrix& matrix,
                         std::vector<std::uint8_t>& bytes);

}  // namespace tern::packing

#endif  // TERN_PACKING_F16_BLOCKS_H_
