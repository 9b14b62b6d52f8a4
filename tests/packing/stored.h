// More stored layouts written one code at a time straight from the formulas of
// packing/README.md, as in weights.h.
#ifndef TERN_TESTS_PACKING_STORED_H_
#define TERN_TESTS_PACKING_STORED_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "packing/half.h"
#include "tests/packing/weights.h"

namespace tern::packing {

// The smallest byte that is at least number * 256 / 243.
inline std::uint8_t ByteOfNumber(unsigned number) {
  unsigned byte = 0;
  while (byte * 243 < number * 256) ++byte;
  return static_cast<std::uint8_t>(byte);
}

inline void SetF16(std::vector<std::uint8_t>& bytes, std::size_t at,
                   float value) {
  const std::uint16_t bits = F32ToF16(value);
  std::memcpy(bytes.data() + at, &bits, sizeof bits);
}

// One field of base-3 bytes: digit n of byte m is weight first + n * count + m
// of the block whose weights are `trits`; the most significant digit first.
inline void AppendField(std::vector<std::uint8_t>& bytes, const int* trits,
                        std::size_t count, std::size_t digits) {
  for (std::size_t m = 0; m < count; ++m) {
    unsigned number = 0;
    unsigned place = 81;
    for (std::size_t n = 0; n < digits; ++n, place /= 3) {
      number += place * static_cast<unsigned>(trits[n * count + m] + 1);
    }
    bytes.push_back(ByteOfNumber(number));
  }
}

// scales [rows * cols / 256]
inline std::vector<std::uint8_t> StoredTq1(const Weights& weights,
                                           const std::vector<float>& scales) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t b = 0; b < scales.size(); ++b) {
    const int* trits = weights.trits.data() + 256 * b;
    AppendField(bytes, trits, 32, 5);
    AppendField(bytes, trits + 160, 16, 5);
    AppendField(bytes, trits + 240, 4, 4);
    bytes.resize(54 * (b + 1));
    SetF16(bytes, 54 * b + 52, scales[b]);
  }
  return bytes;
}

// scales [rows * cols / 128]
inline std::vector<std::uint8_t> StoredPtq1(const Weights& weights,
                                            const std::vector<float>& scales) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t b = 0; b < scales.size(); ++b) {
    const int* trits = weights.trits.data() + 128 * b;
    AppendField(bytes, trits, 16, 5);
    AppendField(bytes, trits + 80, 8, 5);
    AppendField(bytes, trits + 120, 2, 4);
    bytes.resize(28 * (b + 1));
    SetF16(bytes, 28 * b + 26, scales[b]);
  }
  return bytes;
}

// scales [rows * cols / block]
inline std::vector<std::uint8_t> StoredQ2(const Weights& weights,
                                          std::size_t block,
                                          const std::vector<float>& scales) {
  const std::size_t size = 2 + block / 4;
  std::vector<std::uint8_t> bytes(scales.size() * size);
  for (std::size_t i = 0; i < weights.trits.size(); ++i) {
    SetSlot(bytes, i / block * size + 2 + i % block / 4, i % 4,
            static_cast<unsigned>(weights.trits[i] + 1));
  }
  for (std::size_t b = 0; b < scales.size(); ++b) {
    SetF16(bytes, b * size, scales[b]);
  }
  return bytes;
}

// scales [rows]
inline std::vector<std::uint8_t> StoredIq2Bn(const Weights& weights,
                                             const std::vector<float>& scales) {
  const std::size_t row_bytes = 4 + weights.cols / 4;
  std::vector<std::uint8_t> bytes(weights.rows * row_bytes);
  for (std::size_t r = 0; r < weights.rows; ++r) {
    std::memcpy(bytes.data() + r * row_bytes, &scales[r], 4);
    for (std::size_t c = 0; c < weights.cols; ++c) {
      SetSlot(bytes, r * row_bytes + 4 + c / 64 * 16 + c % 16, c % 64 / 16,
              weights.Code(r, c));
    }
  }
  return bytes;
}

// scales [rows]
inline std::vector<std::uint8_t> StoredIq1Bn(const Weights& weights,
                                             const std::vector<float>& scales) {
  std::vector<std::uint8_t> bytes;
  const auto append = [&](std::size_t row,
                          const std::vector<std::size_t>& cols) {
    unsigned number = 0;
    unsigned place = 1;  // the least significant digit first
    for (const std::size_t c : cols) {
      number += place * weights.Code(row, c);
      place *= 3;
    }
    bytes.push_back(ByteOfNumber(number));
  };
  for (std::size_t r = 0; r < weights.rows; ++r) {
    bytes.resize(bytes.size() + 2);
    SetF16(bytes, bytes.size() - 2, scales[r]);
    for (std::size_t c = 0; c < weights.cols; c += 64) {
      for (std::size_t g = c; g < c + 64; g += 16) {
        for (std::size_t k = g; k < g + 15; k += 5) {
          append(r, {k, k + 1, k + 2, k + 3, k + 4});
        }
      }
      append(r, {c + 15, c + 31, c + 47, c + 63});
    }
  }
  return bytes;
}

// Order B: blocks of 64 in 16 bytes.
inline std::vector<std::uint8_t> StoredI2SB(const Weights& weights,
                                            float scale) {
  const std::size_t n = weights.trits.size();
  std::vector<std::uint8_t> bytes(n / 4 + 32);
  for (std::size_t i = 0; i < n; ++i) {
    SetSlot(bytes, i / 64 * 16 + i % 16, 3 - i % 64 / 16,
            static_cast<unsigned>(weights.trits[i] + 1));
  }
  std::memcpy(bytes.data() + n / 4, &scale, sizeof scale);
  return bytes;
}

// Order C: four rows in a byte.
inline std::vector<std::uint8_t> StoredI2SC(const Weights& weights,
                                            float scale) {
  const std::size_t n = weights.trits.size();
  std::vector<std::uint8_t> bytes(n / 4 + 32);
  for (std::size_t r = 0; r < weights.rows; ++r) {
    for (std::size_t c = 0; c < weights.cols; ++c) {
      SetSlot(bytes, r / 4 * weights.cols + c, 3 - r % 4, weights.Code(r, c));
    }
  }
  std::memcpy(bytes.data() + n / 4, &scale, sizeof scale);
  return bytes;
}

// 0.25, 0.375, ...: exact in f16, no two equal.
inline std::vector<float> Scales(std::size_t count) {
  std::vector<float> scales;
  for (std::size_t i = 0; i < count; ++i) {
    scales.push_back(0.25F + 0.125F * static_cast<float>(i));
  }
  return scales;
}

}  // namespace tern::packing

#endif  // TERN_TESTS_PACKING_STORED_H_
