// The products of ternary weights on every instruction set of this CPU against
// the plain loops of reference.h, bit for bit: shapes, ranges, numbers of
// tokens, weights and activations all come from the input.
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "packing/ternary_matrix.h"
#include "packing/tiles.h"
#include "ternary_kernels/activations.h"
#include "ternary_kernels/float_sums.h"
#include "ternary_kernels/matmul.h"
#include "ternary_kernels/matvec.h"
#include "ternary_kernels/reference.h"
#include "ternary_kernels/targets.h"
#include "tests/fuzz/aligned.h"
#include "tests/fuzz/fuzz.h"

namespace tern::fuzz {
namespace {

using namespace kernels;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kMostTokens = 32;  // TokenTile() of the widest vectors

struct Case {
  std::size_t rows, cols, tokens;
  std::size_t row_begin, row_end, col_begin, col_end;
  Aligned<std::uint8_t> tiles;
  std::vector<std::int8_t> x;  // [kMostTokens][cols]
  std::vector<float> floats;   // [kMostTokens][cols]

  [[nodiscard]] TernaryView View() const { return {tiles.data(), rows, cols}; }
};

// Codes from the input's bytes, one extreme code, or two in turn.
unsigned Code(std::size_t kind, std::string_view bytes, std::size_t i) {
  if (kind == 1) return 2;
  if (kind == 2) return 0;
  if (kind == 3) return i % 2 * 2;
  if (bytes.empty()) return 1;
  const auto byte = static_cast<unsigned char>(bytes[i / 4 % bytes.size()]);
  return (byte >> (i % 4 * 2) & 3U) % 3;
}
std::int8_t Activation(std::size_t kind, std::string_view bytes,
                       std::size_t i) {
  if (kind == 1) return 127;
  if (kind == 2) return -127;
  if (kind == 3) return i % 2 == 0 ? 127 : -127;
  if (bytes.empty()) return 1;
  const auto value = static_cast<std::int8_t>(bytes[i % bytes.size()]);
  return value == -128 ? std::int8_t{-127} : value;
}

Case MakeCase(Input& input) {
  Case c{};
  c.rows = 1 + input.Below(330);
  c.cols = 1 + input.Below(700);
  c.tokens = 1 + input.Below(kMostTokens);
  const std::size_t strips = (c.rows + 63) / 64;
  c.row_begin = input.Below(strips + 1) * 64;
  c.row_end = std::min(c.rows, c.row_begin + input.Below(strips + 1) * 64);
  c.row_begin = std::min(c.row_begin, c.row_end / 64 * 64);
  const std::size_t groups = (c.cols + 3) / 4;
  c.col_begin = std::min(input.Below(groups + 1) * 4, c.cols / 4 * 4);
  c.col_end = std::min(c.cols, c.col_begin + input.Below(groups + 1) * 4);
  const auto weights = input.Below(6);
  const auto activations = input.Below(6);
  const std::string_view bytes = input.Rest();
  packing::TernaryMatrix matrix;
  matrix.rows = c.rows;
  matrix.cols = c.cols;
  const std::size_t row_bytes = packing::TernaryMatrix::RowBytes(c.cols);
  matrix.codes.assign(c.rows * row_bytes, 0x55);
  for (std::size_t i = 0; i < c.rows * c.cols; ++i) {
    const std::size_t r = i / c.cols;
    const std::size_t col = i % c.cols;
    const unsigned shift = 2 * (col % 4);
    std::uint8_t& byte = matrix.codes[r * row_bytes + col / 4];
    byte = static_cast<std::uint8_t>((byte & ~(3U << shift)) |
                                     Code(weights, bytes, i) << shift);
  }
  c.tiles = Aligned<std::uint8_t>(packing::TilesBytes(c.rows, c.cols));
  packing::FillTiles(matrix, 0, c.rows, c.tiles.data());
  c.x.resize(kMostTokens * c.cols);
  c.floats.resize(c.x.size());
  for (std::size_t i = 0; i < c.x.size(); ++i) {
    c.x[i] = Activation(activations, bytes, i);
    if (bytes.size() >= 4) {
      std::memcpy(&c.floats[i], &bytes[4 * i % (bytes.size() - 3)], 4);
    }
  }
  return c;
}

constexpr std::int32_t kUntouched = -77777777;
using Sums = std::vector<std::int32_t>;
using FloatSums = std::vector<float>;

// Equal bits, but any NaN is as good as another.
bool Same(const FloatSums& a, const FloatSums& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) return false;
  }
  return true;
}

Sums MatVecOf(const Case& c) {
  Aligned<std::uint8_t> tables(NibbleTableBytes(c.cols));
  BuildNibbleTables(c.x.data(), c.cols, tables.data());
  Sums sums(c.rows, kUntouched);
  MatVec(c.View(), tables.data(), c.row_begin, c.row_end, c.col_begin,
         c.col_end, sums.data());
  return sums;
}

Sums MatMulOf(const Case& c, std::size_t tokens) {
  Aligned<std::uint8_t> packed(PackedTokensBytes(c.cols, tokens));
  auto* at = reinterpret_cast<std::int8_t*>(packed.data());
  PackTokens({.x = c.x.data(),
              .x_stride = c.cols,
              .tokens = tokens,
              .cols = c.cols,
              .col_begin = 0,
              .col_end = packing::PaddedCols(c.cols)},
             at);
  Aligned<std::uint8_t> scratch(MatMulScratchBytes(c.row_end - c.row_begin));
  Sums sums(tokens * c.rows, kUntouched);
  MatMul(c.View(),
         {.packed = at,
          .tokens = tokens,
          .row_begin = c.row_begin,
          .row_end = c.row_end,
          .col_begin = c.col_begin,
          .col_end = c.col_end,
          .sums = sums.data(),
          .sums_stride = c.rows},
         scratch.data());
  return sums;
}

FloatSums FloatMatVecOf(const Case& c) {
  FloatSums sums(c.rows, 0.5F);
  FloatMatVec(c.View(), c.floats.data(), c.row_begin, c.row_end, c.col_begin,
              c.col_end, sums.data());
  return sums;
}

FloatSums FloatMatMulOf(const Case& c, std::size_t tokens) {
  Aligned<std::uint8_t> scratch(
      FloatMatMulScratchBytes(c.row_end - c.row_begin));
  FloatSums sums(tokens * c.rows, 0.5F);
  FloatMatMul(c.View(),
              {.x = c.floats.data(),
               .x_stride = c.cols,
               .tokens = tokens,
               .row_begin = c.row_begin,
               .row_end = c.row_end,
               .col_begin = c.col_begin,
               .col_end = c.col_end,
               .sums = sums.data(),
               .sums_stride = c.rows},
              scratch.data());
  return sums;
}

struct Quantized {
  std::vector<std::int8_t> q;
  FloatSums scale;
};
template <class Quantize>
Quantized QuantizedBy(const Case& c, const Quantize& quantize) {
  Quantized result{std::vector<std::int8_t>(c.cols, 99), {0}};
  result.scale[0] = quantize(c.floats.data(), c.cols, result.q.data());
  return result;
}

// What every target must give.
struct Expected {
  Sums sums;             // [kMostTokens][rows]
  FloatSums float_sums;  // likewise
  Quantized quantized;
};
Expected ExpectedOf(const Case& c) {
  Expected expected{Sums(c.tokens * c.rows, kUntouched),
                    FloatSums(c.tokens * c.rows, 0.5F),
                    QuantizedBy(c, reference::QuantizeActivations)};
  for (std::size_t t = 0; t < c.tokens; ++t) {
    reference::MatVec(c.View(), &c.x[t * c.cols], c.row_begin, c.row_end,
                      c.col_begin, c.col_end, &expected.sums[t * c.rows]);
    reference::FloatMatVec(c.View(), &c.floats[t * c.cols], c.row_begin,
                           c.row_end, c.col_begin, c.col_end,
                           &expected.float_sums[t * c.rows]);
  }
  return expected;
}

template <class T>
std::vector<T> First(const std::vector<T>& values, std::size_t count) {
  return {values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count)};
}

void CheckTarget(const Case& c, const Expected& want) {
  Check(MatVecOf(c) == First(want.sums, c.rows), "MatVec");
  const std::size_t tokens = std::min(c.tokens, TokenTile());
  Check(MatMulOf(c, tokens) == First(want.sums, tokens * c.rows), "MatMul");
  Check(Same(FloatMatVecOf(c), First(want.float_sums, c.rows)), "FloatMatVec");
  const std::size_t float_tokens = std::min(c.tokens, FloatTokenTile());
  Check(Same(FloatMatMulOf(c, float_tokens),
             First(want.float_sums, float_tokens * c.rows)),
        "FloatMatMul");
  const Quantized quantized = QuantizedBy(c, QuantizeActivations);
  Check(quantized.q == want.quantized.q, "QuantizeActivations: q");
  Check(Same(quantized.scale, want.quantized.scale),
        "QuantizeActivations: scale");
}

}  // namespace
}  // namespace tern::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace tern::fuzz;  // NOLINT(google-build-using-namespace)
  static const std::vector<std::string> targets =
      tern::kernels::SupportedTargets();
  Input input(data, size);
  const Case c = MakeCase(input);
  const Expected expected = ExpectedOf(c);
  for (const std::string& target : targets) {
    Check(tern::kernels::ForceTarget(target), "a target cannot be forced");
    CheckTarget(c, expected);
  }
  return 0;
}
