// Base-3 bytes: five codes in 8 bits, for the readers and writers of TQ1_0,
// PTQ1_0 and IQ1_BN.  Private to packing/.
//
// Five codes are the digits of a number q from 0 to 242.  The byte is not q but
// ceil(q * 256 / 243), the fraction q / 243 in units of 1 / 256: multiplying it
// by 3 brings the next digit into the carry, so that vector code needs no
// division.  13 of the 256 bytes are no number's.
#ifndef TERN_PACKING_BASE3_H_
#define TERN_PACKING_BASE3_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "packing/fault.h"

namespace tern::packing {

inline constexpr unsigned kBase3Numbers = 243;

constexpr std::uint8_t Base3Byte(unsigned number) {
  return static_cast<std::uint8_t>((number * 256 + kBase3Numbers - 1) /
                                   kBase3Numbers);
}

// The number of a byte, or kBase3Numbers if it has none.  Rounding up added
// less than 1 to the byte, hence less than 1 to the quotient here.
constexpr unsigned Base3Number(std::uint8_t byte) {
  const unsigned number = byte * kBase3Numbers / 256;
  return Base3Byte(number) == byte ? number : kBase3Numbers;
}

// Of each byte, digit n (the most significant is digit 0) in bits 8n, 8n+1;
// kNoNumber if it has no number.  Four entries, shifted by 0, 2, 4 and 6 and
// put together, are four codes of each of five runs in canonical order.
inline constexpr std::uint64_t kNoNumber = std::uint64_t{1} << 56;
inline constexpr std::uint64_t kFifthDigit = std::uint64_t{0xff} << 32;
inline constexpr std::array<std::uint64_t, 256> kBase3Digits = [] {
  std::array<std::uint64_t, 256> table{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    unsigned number = Base3Number(static_cast<std::uint8_t>(byte));
    if (number == kBase3Numbers) {
      table[byte] = kNoNumber;
      continue;
    }
    for (int n = 4; n >= 0; --n, number /= 3) {
      table[byte] |= std::uint64_t{number % 3} << (8 * n);
    }
  }
  return table;
}();

// bytes [count], count a multiple of 4 -> codes [digits][count / 4]: digit n of
// all bytes is run n.  Not zero if a byte has no number or, with 4 digits, a
// fifth one.
inline std::uint64_t SplitDigits(const std::uint8_t* bytes, std::size_t count,
                                 std::size_t digits, std::uint8_t* codes) {
  std::uint64_t seen = 0;
  for (std::size_t m = 0; m < count; m += 4) {
    const std::uint64_t word =
        kBase3Digits[bytes[m]] | kBase3Digits[bytes[m + 1]] << 2 |
        kBase3Digits[bytes[m + 2]] << 4 | kBase3Digits[bytes[m + 3]] << 6;
    seen |= word;
    for (std::size_t n = 0; n < digits; ++n) {
      codes[(n * count + m) / 4] = static_cast<std::uint8_t>(word >> (8 * n));
    }
  }
  return seen >> (8 * digits);
}

// The inverse of SplitDigits for any count: codes [digits * count] from column
// `first` of the canonical `codes` on.
inline void JoinDigits(const std::uint8_t* codes, std::size_t first,
                       std::size_t count, std::size_t digits,
                       std::uint8_t* bytes) {
  for (std::size_t m = 0; m < count; ++m) {
    unsigned number = 0;
    for (std::size_t n = 0; n < 5; ++n) {
      const std::size_t c = first + n * count + m;
      const unsigned digit =
          n < digits ? (codes[c / 4] >> (2 * (c % 4))) & 3U : 0;
      number = 3 * number + digit;
    }
    bytes[m] = Base3Byte(number);
  }
}

// For readers that have seen a bad byte and must now say where: the first of
// `fives` bytes from `begin` on that has no number, else the first of those
// behind them that has none of four digits (the fifth 0).
inline Fault Base3Fault(std::span<const std::uint8_t> bytes, std::size_t begin,
                        std::size_t fives) {
  std::size_t at = begin;
  const std::size_t fours = begin + fives;
  while (at < fours && (kBase3Digits[bytes[at]] & kNoNumber) == 0) ++at;
  const bool five = at < fours;
  if (!five) {
    while ((kBase3Digits[bytes[at]] & (kNoNumber | kFifthDigit)) == 0) ++at;
  }
  return Fault{"byte " + std::to_string(bytes[at]) + ", which no " +
                   (five ? "five" : "four") + " ternary weights give",
               at};
}

}  // namespace tern::packing

#endif  // TERN_PACKING_BASE3_H_
