#include "packing/half.h"

#include <bit>

namespace tern::packing {

float F16ToF32(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 31U;
  const std::uint32_t mantissa = bits & 0x3ffU;
  if (exponent == 0) {
    // Zero or subnormal, mantissa * 2^-24: exact in float32, where it is a
    // normal number.
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
  }
  // 112 = 127 - 15 turns one exponent bias into the other.
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

float Bf16ToF32(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

std::uint16_t F32ToF16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  std::uint32_t half = 0;
  if (magnitude > 0x7f800000U) {
    // NaN stays NaN: the quiet bit keeps the shortened payload from being 0.
    half = 0x7e00U | ((magnitude >> 13) & 0x3ffU);
  } else if (magnitude >= 0x47800000U) {
    half = 0x7c00U;  // 65536 and above, infinity
  } else if (magnitude >= 0x38800000U) {
    // Normal (2^-14 and above).  Adding just under half a unit, plus one if
    // the last kept bit is odd, rounds ties to even; a carry moves into the
    // exponent, and from 65520 on into infinity, as it must.
    const std::uint32_t odd = (magnitude >> 13) & 1U;
    half = (magnitude - (112U << 23) + 0xfffU + odd) >> 13;
  } else {
    // Subnormal: a unit is 2^-24.  Near 0.5 a float32 has units of 2^-24 too,
    // so this addition rounds to them, ties to even, and leaves the count of
    // units in the low bits.
    const float sum = std::bit_cast<float>(magnitude) + 0.5F;
    half = std::bit_cast<std::uint32_t>(sum) - 0x3f000000U;
  }
  return static_cast<std::uint16_t>(sign | half);
}

std::uint16_t F32ToBf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) {
    return static_cast<std::uint16_t>((bits >> 16) | 0x40U);  // NaN, quiet
  }
  const std::uint32_t odd = (bits >> 16) & 1U;
  return static_cast<std::uint16_t>((bits + 0x7fffU + odd) >> 16);
}

}  // namespace tern::packing
