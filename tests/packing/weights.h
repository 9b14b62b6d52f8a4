// Plain weights, and the stored layouts written one code at a time straight
// from the formulas of packing/README.md: what the packing code is tested
// against.
#ifndef TERN_TESTS_PACKING_WEIGHTS_H_
#define TERN_TESTS_PACKING_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "packing/half.h"
#include "packing/ternary_matrix.h"

namespace tern::packing {

struct Weights {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<int> trits;  // [rows][cols], -1, 0, +1

  [[nodiscard]] unsigned Code(std::size_t row, std::size_t col) const {
    return static_cast<unsigned>(trits[row * cols + col] + 1);
  }
};

inline Weights ZeroWeights(std::size_t rows, std::size_t cols) {
  return {rows, cols, std::vector<int>(rows * cols, 0)};
}

// Every third row is zero throughout if `zero_rows`.
inline Weights RandomWeights(std::size_t rows, std::size_t cols,
                             unsigned seed = 1, bool zero_rows = false) {
  Weights weights = ZeroWeights(rows, cols);
  std::mt19937 random(seed);
  for (std::size_t i = 0; i < weights.trits.size(); ++i) {
    const int trit = static_cast<int>(random() % 3) - 1;
    if (!zero_rows || (i / cols) % 3 != 0) weights.trits[i] = trit;
  }
  return weights;
}

inline void SetSlot(std::vector<std::uint8_t>& bytes, std::size_t byte,
                    std::size_t slot, unsigned code) {
  const unsigned cleared = bytes[byte] & ~(3U << (2 * slot));
  bytes[byte] = static_cast<std::uint8_t>(cleared | code << (2 * slot));
}

inline TernaryMatrix Canonical(const Weights& weights, ScaleGroup group,
                               std::vector<float> scales,
                               std::size_t block = 0) {
  TernaryMatrix matrix;
  matrix.rows = weights.rows;
  matrix.cols = weights.cols;
  matrix.group = group;
  matrix.block = block;
  matrix.scales = std::move(scales);
  const std::size_t row_bytes = (weights.cols + 3) / 4;
  matrix.codes.assign(weights.rows * row_bytes, 0x55);
  for (std::size_t r = 0; r < weights.rows; ++r) {
    for (std::size_t c = 0; c < weights.cols; ++c) {
      SetSlot(matrix.codes, r * row_bytes + c / 4, c % 4, weights.Code(r, c));
    }
  }
  return matrix;
}

inline TernaryMatrix Canonical(const Weights& weights, float scale) {
  return Canonical(weights, ScaleGroup::kMatrix, {scale});
}

// The 28 bytes after the scale are filled with `rest`.
inline std::vector<std::uint8_t> StoredI2S(const Weights& weights, float scale,
                                           std::uint8_t rest = 0) {
  const std::size_t n = weights.trits.size();
  std::vector<std::uint8_t> bytes(n / 4 + 32, rest);
  for (std::size_t i = 0; i < n; ++i) {
    SetSlot(bytes, i / 128 * 32 + i % 32, 3 - i % 128 / 32,
            static_cast<unsigned>(weights.trits[i] + 1));
  }
  std::memcpy(bytes.data() + n / 4, &scale, sizeof scale);
  return bytes;
}

// scales [rows * cols / 256]
inline std::vector<std::uint8_t> StoredTq2(const Weights& weights,
                                           const std::vector<float>& scales) {
  std::vector<std::uint8_t> bytes(weights.trits.size() / 256 * 66);
  for (std::size_t i = 0; i < weights.trits.size(); ++i) {
    SetSlot(bytes, i / 256 * 66 + i % 256 / 128 * 32 + i % 32, i % 128 / 32,
            static_cast<unsigned>(weights.trits[i] + 1));
  }
  for (std::size_t b = 0; b < scales.size(); ++b) {
    const std::uint16_t bits = F32ToF16(scales[b]);
    std::memcpy(bytes.data() + b * 66 + 64, &bits, sizeof bits);
  }
  return bytes;
}

// Slots of rows that do not exist are filled with `unused`.
inline std::vector<std::uint8_t> StoredHf(const Weights& weights,
                                          unsigned unused = 0) {
  const std::size_t packed_rows = (weights.rows + 3) / 4;
  std::vector<std::uint8_t> bytes(packed_rows * weights.cols);
  for (std::size_t row = 0; row < 4 * packed_rows; ++row) {
    for (std::size_t c = 0; c < weights.cols; ++c) {
      SetSlot(bytes, row % packed_rows * weights.cols + c, row / packed_rows,
              row < weights.rows ? weights.Code(row, c) : unused);
    }
  }
  return bytes;
}

}  // namespace tern::packing

#endif  // TERN_TESTS_PACKING_WEIGHTS_H_
