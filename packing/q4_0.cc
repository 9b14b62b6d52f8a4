#include "packing/q4_0.h"

#include <array>
#include <cmath>
#include <cstring>
#include <string>

#include "packing/checks.h"
#include "packing/half.h"
#include "packing/q8_0.h"

namespace tern::packing {
namespace {

constexpr std::size_t kScaleBytes = 2;

float Scale(const std::uint8_t* block) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, block, sizeof bits);
  return F16ToF32(bits);
}

// The 32 values, -8..7: all low nibbles, then all high ones.
std::array<std::int8_t, kQ4Block> Values(const std::uint8_t* block) {
  std::array<std::int8_t, kQ4Block> values;
  for (std::size_t j = 0; j < kQ4Block / 2; ++j) {
    const int byte = block[kScaleBytes + j];
    values[j] = static_cast<std::int8_t>((byte & 15) - 8);
    values[j + kQ4Block / 2] = static_cast<std::int8_t>((byte >> 4) - 8);
  }
  return values;
}

}  // namespace

void DequantizeQ4(std::span<const std::uint8_t> bytes, std::span<float> row) {
  for (std::size_t b = 0; b < row.size() / kQ4Block; ++b) {
    const std::uint8_t* block = bytes.data() + b * kQ4BlockBytes;
    const float scale = Scale(block);
    const std::array<std::int8_t, kQ4Block> values = Values(block);
    for (std::size_t i = 0; i < kQ4Block; ++i) {
      row[b * kQ4Block + i] = scale * static_cast<float>(values[i]);
    }
  }
}

MaybeFault Q4ToQ8(std::span<const std::uint8_t> bytes, std::size_t cols,
                  std::span<std::uint8_t> q8) {
  if (cols % kQ4Block != 0) {
    return Fault{std::to_string(cols) + " columns, which is no multiple of 32"};
  }
  if (auto fault = CheckSize(bytes.size(), Q4RowBytes(cols))) return fault;
  if (auto fault = CheckSize(q8.size(), Q8RowBytes(cols))) return fault;
  for (std::size_t b = 0; b < cols / kQ4Block; ++b) {
    const std::uint8_t* block = bytes.data() + b * kQ4BlockBytes;
    if (!std::isfinite(Scale(block))) {
      return Fault{"scale " + std::to_string(Scale(block)), b * kQ4BlockBytes};
    }
    std::uint8_t* out = q8.data() + b * kQ8BlockBytes;
    std::memcpy(out, block, kScaleBytes);
    const std::array<std::int8_t, kQ4Block> values = Values(block);
    std::memcpy(out + kScaleBytes, values.data(), values.size());
  }
  return {};
}

}  // namespace tern::packing
