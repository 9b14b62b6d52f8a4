#include "packing/unpacked.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "packing/checks.h"
#include "packing/interleave.h"

namespace tern::packing {
namespace {

constexpr std::size_t kSmallestBlock = 32;

// Magnitudes are compared as bits: the order of numbers from 0 up, equality
// without a thought for denormals, and -0 is 0.
std::uint32_t Magnitude(float weight) {
  return std::bit_cast<std::uint32_t>(weight) & 0x7fffffffU;
}
constexpr std::uint32_t kInfinite = 0x7f800000U;

// True if a weight is neither 0 nor of this magnitude.  No early exit: compiled
// to vector code, and the answer is almost always no.
bool HasOther(std::span<const float> weights, std::uint32_t magnitude) {
  std::uint32_t other = 0;
  for (const float weight : weights) {
    const std::uint32_t bits = Magnitude(weight);
    other |= static_cast<std::uint32_t>(bits != 0) &
             static_cast<std::uint32_t>(bits != magnitude);
  }
  return other != 0;
}

// Feeds the row to `sizes`.  The column at which it turned out not to be
// ternary, if it did.
std::optional<std::size_t> FindFault(std::span<const float> row,
                                     BlockSizes& sizes) {
  constexpr std::size_t kRun = 32;
  std::uint32_t current = 0;  // magnitude of the last weight that is not zero
  for (std::size_t begin = 0; begin < row.size(); begin += kRun) {
    const std::size_t end = std::min(begin + kRun, row.size());
    if (!HasOther(row.subspan(begin, end - begin), current)) continue;
    for (std::size_t c = begin; c < end; ++c) {
      const std::uint32_t magnitude = Magnitude(row[c]);
      if (magnitude == 0 || magnitude == current) continue;
      if (magnitude >= kInfinite) return c;
      if (current != 0) {
        std::size_t before = c - 1;
        while (Magnitude(row[before]) == 0) --before;
        if (!sizes.Separate(before, c)) return c;
      }
      current = magnitude;
    }
  }
  return std::nullopt;
}

unsigned Code(float weight) {
  const auto bits = std::bit_cast<std::uint32_t>(weight);
  const auto nonzero = static_cast<unsigned>((bits << 1) != 0);
  return 1 + nonzero - 2 * (nonzero & (bits >> 31));
}

// codes [RowBytes(cols)]
void FillCodes(std::span<const float> row, std::uint8_t* codes) {
  const std::size_t whole = row.size() / 4 * 4;
  for (std::size_t c = 0; c < whole; c += 4) {
    codes[c / 4] = static_cast<std::uint8_t>(
        Code(row[c]) | Code(row[c + 1]) << 2 | Code(row[c + 2]) << 4 |
        Code(row[c + 3]) << 6);
  }
  if (whole == row.size()) return;
  unsigned last = kZeroCodes;
  for (std::size_t c = whole; c < row.size(); ++c) {
    const std::size_t shift = 2 * (c - whole);
    last = (last & ~(3U << shift)) | Code(row[c]) << shift;
  }
  codes[whole / 4] = static_cast<std::uint8_t>(last);
}

// The magnitude of the first weight that is not zero, or 0.
float FindScale(std::span<const float> weights) {
  for (const float weight : weights) {
    if (Magnitude(weight) != 0) return std::bit_cast<float>(Magnitude(weight));
  }
  return 0;
}

// `first` weights come before these.
Fault NotTernary(std::span<const float> weights, std::size_t first,
                 std::size_t cols, std::size_t index) {
  const std::string place = "the weight in row " +
                            std::to_string((first + index) / cols) +
                            ", column " + std::to_string(index % cols);
  if (Magnitude(weights[index]) >= kInfinite) {
    return Fault{place + " is " + std::to_string(weights[index]),
                 first + index};
  }
  return Fault{place +
                   " has another magnitude than those before it, and no blocks "
                   "of columns explain that",
               first + index};
}

}  // namespace

BlockSizes::BlockSizes(std::size_t cols) : sizes_{cols} {
  for (std::size_t blocks = 2; blocks <= cols / kSmallestBlock; ++blocks) {
    if (cols % blocks == 0 && cols / blocks % 4 == 0) {
      sizes_.push_back(cols / blocks);
    }
  }
}

bool BlockSizes::Separate(std::size_t a, std::size_t b) {
  std::erase_if(sizes_, [&](std::size_t size) { return a / size == b / size; });
  return !sizes_.empty();
}

bool LooksTernary(std::span<const float> row) {
  BlockSizes sizes(row.size());
  return !FindFault(row, sizes).has_value();
}

FloatUnpacker::FloatUnpacker(std::size_t rows, std::size_t cols,
                             TernaryMatrix& matrix)
    : matrix_(matrix), sizes_(cols) {
  matrix_ = {
      .rows = rows,
      .cols = cols,
      .codes = std::vector<std::uint8_t>(rows * TernaryMatrix::RowBytes(cols)),
      .group = ScaleGroup::kBlock,
      .scales = {}};
}

MaybeFault FloatUnpacker::TakeCodes(std::span<const float> weights) {
  const std::size_t cols = matrix_.cols;
  const std::size_t row_bytes = TernaryMatrix::RowBytes(cols);
  for (std::size_t r = 0; r < weights.size() / cols; ++r) {
    const std::span<const float> row = weights.subspan(r * cols, cols);
    const std::optional<std::size_t> column = FindFault(row, sizes_);
    if (column.has_value()) {
      return NotTernary(weights, (coded_ - r) * cols, cols, r * cols + *column);
    }
    FillCodes(row, matrix_.codes.data() + coded_ * row_bytes);
    ++coded_;
  }
  return {};
}

void FloatUnpacker::TakeScales(std::span<const float> weights) {
  if (scaled_ == 0) {
    matrix_.block = sizes_.largest();
    matrix_.scales.resize(matrix_.rows * (matrix_.cols / matrix_.block));
  }
  // The block divides cols, so that blocks follow each other over row ends.
  for (std::size_t at = 0; at < weights.size(); at += matrix_.block) {
    matrix_.scales[scaled_] = FindScale(weights.subspan(at, matrix_.block));
    ++scaled_;
  }
  if (scaled_ == matrix_.scales.size()) WidenScales(matrix_);
}

MaybeFault UnpackFloats(std::span<const float> weights, std::size_t rows,
                        std::size_t cols, TernaryMatrix& matrix) {
  if (auto fault = CheckShape(rows, cols)) return fault;
  if (auto fault =
          CheckSize(weights.size_bytes(), rows * cols * sizeof(float))) {
    return fault;
  }
  FloatUnpacker unpacker(rows, cols, matrix);
  if (auto fault = unpacker.TakeCodes(weights)) return fault;
  unpacker.TakeScales(weights);
  return {};
}

}  // namespace tern::packing
