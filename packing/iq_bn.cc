#include "packing/iq_bn.h"

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "packing/base3.h"
#include "packing/checks.h"
#include "packing/half.h"
#include "packing/interleave.h"

namespace tern::packing {
namespace {

constexpr std::size_t kCodeBytes = kIqBnBlock / 4;  // canonical, of a block

MaybeFault Prepare(std::size_t bytes, std::size_t expected, std::size_t rows,
                   std::size_t cols, TernaryMatrix& matrix) {
  if (auto fault = CheckShape(rows, cols)) return fault;
  if (cols % kIqBnBlock != 0) {
    return Fault{std::to_string(cols) + " columns, which is no multiple of 64"};
  }
  if (auto fault = CheckSize(bytes, expected)) return fault;
  matrix = {.rows = rows,
            .cols = cols,
            .codes = std::vector<std::uint8_t>(rows * (cols / 4)),
            .group = ScaleGroup::kRow,
            .scales = std::vector<float>(rows)};
  return {};
}

// Of each base-3 byte, the five codes from the least significant digit on, in
// canonical order; 0x8000 if it has no number.
constexpr std::uint16_t kNone = 0x8000;
constexpr std::array<std::uint16_t, 256> kFiveCodes = [] {
  std::array<std::uint16_t, 256> table{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    unsigned number = Base3Number(static_cast<std::uint8_t>(byte));
    unsigned codes = number == kBase3Numbers ? unsigned{kNone} : 0;
    for (unsigned j = 0; j < 5 && codes != kNone; ++j, number /= 3) {
      codes |= number % 3 << (2 * j);
    }
    table[byte] = static_cast<std::uint16_t>(codes);
  }
  return table;
}();

// True for the codes of a byte that holds four: it has no fifth, and a number.
constexpr bool AreFour(unsigned codes) { return codes < 1U << 8; }

// block [13]: four groups of 16 weights, three bytes of five each; the last of
// every group is a digit of byte 12.  False if a byte holds something else.
bool UnpackIq1Block(const std::uint8_t* block, std::uint8_t* codes) {
  const unsigned lasts = kFiveCodes[block[12]];
  unsigned seen = 0;
  for (std::size_t g = 0; g < 4; ++g) {
    const std::uint8_t* fives = block + 3 * g;
    const std::uint32_t first = kFiveCodes[fives[0]];
    const std::uint32_t second = kFiveCodes[fives[1]];
    const std::uint32_t third = kFiveCodes[fives[2]];
    const std::uint32_t last = (lasts >> (2 * g)) & 3U;
    const std::uint32_t group = first | second << 10 | third << 20 | last << 30;
    std::memcpy(codes + 4 * g, &group, 4);
    seen |= first | second | third;
  }
  return (seen & kNone) == 0 && AreFour(lasts);
}

Fault Iq1Fault(std::span<const std::uint8_t> bytes, std::size_t begin) {
  std::size_t at = begin;
  while (at < begin + 12 && kFiveCodes[bytes[at]] != kNone) ++at;
  return Fault{"byte " + std::to_string(bytes[at]) + ", which no " +
                   (at < begin + 12 ? "five" : "four") +
                   " ternary weights give",
               at};
}

}  // namespace

MaybeFault UnpackIq2Bn(std::span<const std::uint8_t> bytes, std::size_t rows,
                       std::size_t cols, TernaryMatrix& matrix) {
  if (auto fault =
          Prepare(bytes.size(), Iq2BnBytes(rows, cols), rows, cols, matrix)) {
    return fault;
  }
  const std::size_t code_bytes = cols / 4;
  for (std::size_t r = 0; r < rows; ++r) {
    const std::size_t begin = r * (sizeof(float) + code_bytes);
    std::memcpy(&matrix.scales[r], bytes.data() + begin, sizeof(float));
    if (auto fault = CheckScale(matrix.scales[r], begin)) return fault;
    const std::size_t codes = begin + sizeof(float);
    if (UnpackShortBlocks(bytes.data() + codes, code_bytes, false,
                          matrix.codes.data() + r * code_bytes) != 0) {
      return CodeThreeFault(bytes, codes, codes + code_bytes);
    }
  }
  WidenScales(matrix);
  return {};
}

MaybeFault UnpackIq1Bn(std::span<const std::uint8_t> bytes, std::size_t rows,
                       std::size_t cols, TernaryMatrix& matrix) {
  if (auto fault =
          Prepare(bytes.size(), Iq1BnBytes(rows, cols), rows, cols, matrix)) {
    return fault;
  }
  std::size_t at = 0;
  std::uint8_t* codes = matrix.codes.data();
  for (float& scale : matrix.scales) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, bytes.data() + at, sizeof bits);
    scale = F16ToF32(bits);
    if (auto fault = CheckScale(scale, at)) return fault;
    at += sizeof bits;
    for (std::size_t b = 0; b < cols / kIqBnBlock; ++b) {
      if (!UnpackIq1Block(bytes.data() + at, codes)) return Iq1Fault(bytes, at);
      at += kIq1BnBlockBytes;
      codes += kCodeBytes;
    }
  }
  WidenScales(matrix);
  return {};
}

}  // namespace tern::packing
