// What every reader and writer of this folder checks, said in one way.  Private
// to packing/.
#ifndef TERN_PACKING_CHECKS_H_
#define TERN_PACKING_CHECKS_H_

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "packing/fault.h"

namespace tern::packing {

// No empty matrix, and so few weights that no byte count below can overflow.
inline MaybeFault CheckShape(std::size_t rows, std::size_t cols) {
  if (rows == 0 || cols == 0) return Fault{"an empty matrix"};
  if (rows > std::numeric_limits<std::size_t>::max() / 8 / cols) {
    return Fault{"more weights than memory has addresses"};
  }
  return {};
}

inline MaybeFault CheckSize(std::size_t bytes, std::size_t expected) {
  if (bytes == expected) return {};
  return Fault{std::to_string(bytes) + " bytes where the shape needs " +
               std::to_string(expected)};
}

// "1e-09", not 0.000000.
inline std::string TextOf(float scale) {
  std::array<char, 32> text{};
  char* const begin = text.data();
  return std::string(begin,
                     std::to_chars(begin, begin + text.size(), scale).ptr);
}

inline MaybeFault CheckScale(float scale, std::size_t offset) {
  if (std::isfinite(scale) && scale >= 0) return {};
  return Fault{
      "scale " + TextOf(scale) + ", which is no finite number from 0 up",
      offset};
}

// A scale for the whole matrix may be 0 only over weights that are 0: a hole of
// zero bytes in a file reads as code 0, weight -1, under scale 0, and must not
// pass as a matrix of zeros.  `codes` is canonical (ternary_matrix.h).
inline MaybeFault CheckZeroScale(float scale,
                                 const std::vector<std::uint8_t>& codes,
                                 std::size_t offset) {
  constexpr std::uint8_t kFourZeros = 0x55;
  if (scale != 0) return {};
  for (const std::uint8_t byte : codes) {
    if (byte != kFourZeros) {
      return Fault{"scale 0 over weights that are not 0", offset};
    }
  }
  return {};
}

// For readers that have seen a code 3 and must now say where: the first byte
// with one at or after `begin` and before `end`.
inline Fault CodeThreeFault(std::span<const std::uint8_t> bytes,
                            std::size_t begin, std::size_t end) {
  while (begin < end && (bytes[begin] & (bytes[begin] >> 1) & 0x55U) == 0) {
    ++begin;
  }
  return Fault{"code 3, which no ternary weight has", begin};
}

}  // namespace tern::packing

#endif  // TERN_PACKING_CHECKS_H_
