#include "packing/q8_0.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "packing/half.h"

namespace tern::packing {
namespace {

// Half away from zero, as std::round, without a call for every weight: the
// difference to the truncated value is exact.
std::int8_t RoundAway(float value) {
  const int whole = static_cast<int>(value);
  const float rest = value - static_cast<float>(whole);
  return static_cast<std::int8_t>(whole + static_cast<int>(rest >= 0.5F) -
                                  static_cast<int>(rest <= -0.5F));
}

}  // namespace

void DequantizeQ8(std::span<const std::uint8_t> bytes, std::span<float> row) {
  for (std::size_t b = 0; b < row.size() / kQ8Block; ++b) {
    const std::uint8_t* block = bytes.data() + b * kQ8BlockBytes;
    std::uint16_t bits = 0;
    std::memcpy(&bits, block, sizeof bits);
    const float scale = F16ToF32(bits);
    for (std::size_t i = 0; i < kQ8Block; ++i) {
      const auto value = static_cast<std::int8_t>(block[2 + i]);
      row[b * kQ8Block + i] = scale * static_cast<float>(value);
    }
  }
}

MaybeFault QuantizeQ8(std::span<const float> row,
                      std::span<std::uint8_t> bytes) {
  for (std::size_t b = 0; b < row.size() / kQ8Block; ++b) {
    const std::span<const float> weights = row.subspan(b * kQ8Block, kQ8Block);
    float absmax = 0;
    bool finite = true;
    for (const float weight : weights) {
      finite = finite && std::isfinite(weight);
      absmax = std::max(absmax, std::fabs(weight));
    }
    const float scale = absmax / 127;
    const std::uint16_t bits = F32ToF16(scale);
    if (!finite || std::isinf(F16ToF32(bits))) {
      return Fault{"columns from " + std::to_string(b * kQ8Block) +
                       " on hold a weight that is not finite or too large for "
                       "Q8_0",
                   b * kQ8BlockBytes};
    }
    std::uint8_t* block = bytes.data() + b * kQ8BlockBytes;
    std::memcpy(block, &bits, sizeof bits);
    // A scale so small that its reciprocal is infinite is 0 in f16 anyway.
    const float inverse = scale > 0x1p-126F ? 1 / scale : 0;
    for (std::size_t i = 0; i < kQ8Block; ++i) {
      block[2 + i] = static_cast<std::uint8_t>(RoundAway(weights[i] * inverse));
    }
  }
  return {};
}

}  // namespace tern::packing
