// Transpositions on 64-bit words, a row a word, without a look at any single
// element.
#ifndef TERN_PACKING_TRANSPOSE_H_
#define TERN_PACKING_TRANSPOSE_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace tern::packing {

// Words are loaded with memcpy: byte 0 of memory must be the low byte.
static_assert(std::endian::native == std::endian::little,
              "tern's readers assume a little-endian machine");

// Exchanges the bits of `high` under mask with those of `low` above them.
inline void ExchangeBits(std::uint64_t& low, std::uint64_t& high, int shift,
                         std::uint64_t mask) {
  const std::uint64_t difference = ((low >> shift) ^ high) & mask;
  high ^= difference;
  low ^= difference << shift;
}

using Square = std::array<std::uint64_t, 8>;  // 8 x 8 bytes

// Byte b of word w <-> byte w of word b.
inline void TransposeSquare(Square& square) {
  constexpr std::array<std::uint64_t, 3> kMasks = {
      0x00ff00ff00ff00ffU, 0x0000ffff0000ffffU, 0x00000000ffffffffU};
  for (std::size_t step = 0; step < 3; ++step) {
    const std::size_t distance = std::size_t{1} << step;
    for (std::size_t i = 0; i < 8; ++i) {
      if ((i & distance) != 0) continue;
      ExchangeBits(square[i], square[i + distance],
                   static_cast<int>(8 * distance), kMasks[step]);
    }
  }
}

}  // namespace tern::packing

#endif  // TERN_PACKING_TRANSPOSE_H_
