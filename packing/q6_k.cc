#include "packing/q6_k.h"

#include <array>
#include <cmath>
#include <cstring>
#include <string>

#include "packing/checks.h"
#include "packing/half.h"

namespace tern::packing {
namespace {

// Where the fields of a block begin: 128 bytes of low nibbles, 64 of high
// pairs, 16 scales, d.
constexpr std::size_t kHighAt = 128;
constexpr std::size_t kScalesAt = 192;
constexpr std::size_t kDAt = 208;
constexpr std::size_t kGroups = kQ6Block / kInt8x16Block;

using Values = std::array<std::int8_t, kQ6Block>;
using Scales = std::array<float, kGroups>;

// -32..31.  Weight 128h + 32q + l: nibble q / 2 of low byte 64h + 32(q % 2) + l
// and bits 2q, 2q+1 of high byte 32h + l.
Values UnpackValues(const std::uint8_t* block) {
  Values values;
  for (std::size_t h = 0; h < 2; ++h) {
    for (std::size_t q = 0; q < 4; ++q) {
      const std::uint8_t* low = block + 64 * h + 32 * (q % 2);
      const std::uint8_t* high = block + kHighAt + 32 * h;
      for (std::size_t l = 0; l < 32; ++l) {
        const int nibble = (low[l] >> (4 * (q / 2))) & 15;
        const int pair = (high[l] >> (2 * q)) & 3;
        values[128 * h + 32 * q + l] =
            static_cast<std::int8_t>((nibble | pair << 4) - 32);
      }
    }
  }
  return values;
}

float D(const std::uint8_t* block) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, block + kDAt, sizeof bits);
  return F16ToF32(bits);
}

// d times each scale: 11 bits times 8, exact.
Scales UnpackScales(const std::uint8_t* block) {
  Scales scales;
  const float d = D(block);
  for (std::size_t g = 0; g < kGroups; ++g) {
    const auto scale = static_cast<std::int8_t>(block[kScalesAt + g]);
    scales[g] = d * static_cast<float>(scale);
  }
  return scales;
}

}  // namespace

void DequantizeQ6(std::span<const std::uint8_t> bytes, std::span<float> row) {
  for (std::size_t b = 0; b < row.size() / kQ6Block; ++b) {
    const std::uint8_t* block = bytes.data() + b * kQ6BlockBytes;
    const Values values = UnpackValues(block);
    const Scales scales = UnpackScales(block);
    for (std::size_t i = 0; i < kQ6Block; ++i) {
      row[b * kQ6Block + i] =
          scales[i / kInt8x16Block] * static_cast<float>(values[i]);
    }
  }
}

MaybeFault Q6ToInt8x16(std::span<const std::uint8_t> bytes, std::size_t cols,
                       std::span<std::uint8_t> out) {
  if (cols % kQ6Block != 0) {
    return Fault{std::to_string(cols) +
                 " columns, which is no multiple of 256"};
  }
  if (auto fault = CheckSize(bytes.size(), Q6RowBytes(cols))) return fault;
  if (auto fault = CheckSize(out.size(), Int8x16RowBytes(cols))) return fault;
  std::uint8_t* to = out.data();
  for (std::size_t b = 0; b < cols / kQ6Block; ++b) {
    const std::uint8_t* block = bytes.data() + b * kQ6BlockBytes;
    if (!std::isfinite(D(block))) {
      return Fault{"scale " + std::to_string(D(block)),
                   b * kQ6BlockBytes + kDAt};
    }
    const Values values = UnpackValues(block);
    const Scales scales = UnpackScales(block);
    for (std::size_t g = 0; g < kGroups; ++g, to += kInt8x16BlockBytes) {
      std::memcpy(to, &scales[g], sizeof(float));
      std::memcpy(to + sizeof(float), values.data() + g * kInt8x16Block,
                  kInt8x16Block);
    }
  }
  return {};
}

}  // namespace tern::packing
