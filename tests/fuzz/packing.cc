// Bytes as a ternary matrix in every stored layout: refused, or a matrix in
// canonical form that every writer either gives back unchanged or refuses.
#include <cmath>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "packing/hf_packed.h"
#include "packing/i2_s.h"
#include "packing/iq_bn.h"
#include "packing/ptq1_0.h"
#include "packing/q2_0.h"
#include "packing/q4_0.h"
#include "packing/q6_k.h"
#include "packing/q8_0.h"
#include "packing/quantize.h"
#include "packing/ternary_matrix.h"
#include "packing/tiles.h"
#include "packing/tq1_0.h"
#include "packing/tq2_0.h"
#include "packing/unpacked.h"
#include "tests/fuzz/fuzz.h"

namespace tern::fuzz {
namespace {

using namespace packing;  // NOLINT(google-build-using-namespace)

using Bytes = std::vector<std::uint8_t>;
using Unpack = std::function<MaybeFault(
    std::span<const std::uint8_t>, std::size_t, std::size_t, TernaryMatrix&)>;

struct Layout {
  std::size_t (*bytes)(std::size_t rows, std::size_t cols);
  Unpack unpack;
};

Unpack I2SOf(I2SOrder order) {
  return [order](std::span<const std::uint8_t> bytes, std::size_t rows,
                 std::size_t cols, TernaryMatrix& matrix) {
    return UnpackI2S(bytes, rows, cols, matrix, order);
  };
}
Unpack Q2Of(Q2Block block) {
  return [block](std::span<const std::uint8_t> bytes, std::size_t rows,
                 std::size_t cols, TernaryMatrix& matrix) {
    return UnpackQ2(bytes, rows, cols, block, matrix);
  };
}
// The scale, which is a tensor of its own, is the first four bytes.
MaybeFault UnpackHfWithScale(std::span<const std::uint8_t> bytes,
                             std::size_t rows, std::size_t cols,
                             TernaryMatrix& matrix) {
  float scale = 0;
  if (bytes.size() < sizeof(scale)) return Fault{"no scale"};
  std::memcpy(&scale, bytes.data(), sizeof(scale));
  return UnpackHf(bytes.subspan(sizeof(scale)), rows, cols, scale, matrix);
}
float WeightAt(const TernaryMatrix& m, std::size_t row, std::size_t col) {
  std::size_t group = m.group == ScaleGroup::kMatrix ? 0 : row;
  if (m.group == ScaleGroup::kBlock) {
    group = row * ((m.cols + m.block - 1) / m.block) + col / m.block;
  }
  const auto trit = static_cast<float>(m.Code(row, col)) - 1;
  return trit * m.scales[group];
}
// Where some blocks are nothing but zeros, blocks of another width may say the
// same.
bool SameWeights(const TernaryMatrix& a, const TernaryMatrix& b) {
  if (a == b) return true;
  if (a.group != ScaleGroup::kBlock || b.group != ScaleGroup::kBlock ||
      a.codes != b.codes) {
    return false;
  }
  for (std::size_t i = 0; i < a.rows * a.cols; ++i) {
    const std::size_t row = i / a.cols;
    if (WeightAt(a, row, i % a.cols) != WeightAt(b, row, i % a.cols)) {
      return false;
    }
  }
  return true;
}
template <class Make>
MaybeFault FromFloats(std::span<const std::uint8_t> bytes, std::size_t rows,
                      std::size_t cols, TernaryMatrix& matrix,
                      const Make& make) {
  std::vector<float> weights(rows * cols);
  if (!weights.empty() && !bytes.empty()) {
    std::memcpy(weights.data(), bytes.data(),
                std::min(bytes.size(), weights.size() * sizeof(float)));
  }
  return make(weights, rows, cols, matrix);
}
MaybeFault UnpackFiniteFloats(std::span<const std::uint8_t> bytes,
                              std::size_t rows, std::size_t cols,
                              TernaryMatrix& matrix) {
  return FromFloats(
      bytes, rows, cols, matrix,
      [](std::vector<float>& weights, auto r, auto c, auto& m) {
        for (float& weight : weights) {
          if (!std::isfinite(weight)) weight = 1;  // its caller has checked
        }
        const MaybeFault fault = UnpackFloats(weights, r, c, m);
        for (std::size_t i = 0; !fault && i < weights.size(); ++i) {
          const std::size_t group =
              m.group == ScaleGroup::kMatrix ? 0
              : m.group == ScaleGroup::kRow
                  ? i / c
                  : i / c * (c / m.block) + i % c / m.block;
          const auto trit = static_cast<float>(m.Code(i / c, i % c)) - 1;
          Check(trit * m.scales[group] == weights[i], "a weight was changed");
        }
        return fault;
      });
}
MaybeFault Ternarize(std::span<const std::uint8_t> bytes, std::size_t rows,
                     std::size_t cols, TernaryMatrix& matrix) {
  return FromFloats(bytes, rows, cols, matrix, TernarizeAbsmean);
}
std::size_t FloatBytes(std::size_t rows, std::size_t cols) {
  return rows * cols * sizeof(float);
}

const std::vector<Layout>& Layouts() {
  static const std::vector<Layout> layouts = {
      {I2SBytes, I2SOf(I2SOrder::kA)},
      {I2SBytes, I2SOf(I2SOrder::kB)},
      {I2SBytes, I2SOf(I2SOrder::kC)},
      {Tq1Bytes, UnpackTq1},
      {Tq2Bytes, UnpackTq2},
      {Ptq1Bytes, UnpackPtq1},
      {Iq1BnBytes, UnpackIq1Bn},
      {Iq2BnBytes, UnpackIq2Bn},
      {[](std::size_t r, std::size_t c) { return Q2Bytes(r, c, Q2Block::k64); },
       Q2Of(Q2Block::k64)},
      {[](std::size_t r, std::size_t c) {
         return Q2Bytes(r, c, Q2Block::k128);
       },
       Q2Of(Q2Block::k128)},
      {[](std::size_t r, std::size_t c) { return 4 + HfPackedBytes(r, c); },
       UnpackHfWithScale},
      {FloatBytes, UnpackFiniteFloats},
      {FloatBytes, Ternarize}};
  return layouts;
}

// What ternary_matrix.h promises.
void CheckCanonical(const TernaryMatrix& m, std::size_t rows,
                    std::size_t cols) {
  Check(m.rows == rows && m.cols == cols, "another shape");
  Check(m.codes.size() == rows * TernaryMatrix::RowBytes(cols), "codes' size");
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < 4 * TernaryMatrix::RowBytes(cols); ++c) {
      const unsigned code = m.Code(r, c);
      Check(c < cols ? code <= 2 : code == 1, "a code that no weight has");
    }
  }
  const std::size_t scales = m.group == ScaleGroup::kMatrix ? 1
                             : m.group == ScaleGroup::kRow
                                 ? rows
                                 : rows * ((cols + m.block - 1) / m.block);
  Check(m.scales.size() == scales, "the number of scales");
  for (const float scale : m.scales) {
    Check(std::isfinite(scale) && scale >= 0 && !std::signbit(scale),
          "a scale that is not a finite number from 0 up");
  }
}

void CheckTiles(const TernaryMatrix& m) {
  Bytes tiles(TilesBytes(m.rows, m.cols));
  FillTiles(m, 0, m.rows, tiles.data());
  for (std::size_t r = 0; r < PaddedRows(m.rows); ++r) {
    for (std::size_t c = 0; c < PaddedCols(m.cols); ++c) {
      const unsigned want = r < m.rows && c < m.cols ? m.Code(r, c) : 1;
      Check(TileCode(tiles.data(), m.cols, r, c) == want, "a tile's code");
    }
  }
}

// Writers are tried with what the readers gave.
void CheckRoundTrip(TernaryMatrix m) {
  using Pack = std::function<MaybeFault(const TernaryMatrix&, Bytes&)>;
  const std::vector<std::pair<Pack, Unpack>> writers = {
      {PackI2S, I2SOf(I2SOrder::kA)},
      {PackTq1, UnpackTq1},
      {PackTq2, UnpackTq2},
      {[](const auto& from, auto& to) {
         return PackQ2(from, Q2Block::k64, to);
       },
       Q2Of(Q2Block::k64)},
      {[](const auto& from, auto& to) {
         return PackQ2(from, Q2Block::k128, to);
       },
       Q2Of(Q2Block::k128)}};
  WidenScales(m);  // readers of whole-matrix layouts need not have
  for (const auto& [pack, unpack] : writers) {
    Bytes bytes;
    if (pack(m, bytes)) continue;
    TernaryMatrix again;
    Check(!unpack(bytes, m.rows, m.cols, again), "its own bytes are refused");
    Check(SameWeights(again, m), "packing changed the matrix");
  }
}

// The layouts of embeddings, row by row.
void CheckEmbeddings(std::span<const std::uint8_t> bytes) {
  const std::size_t q4_cols = bytes.size() / kQ4BlockBytes * kQ4Block;
  const auto q4 = bytes.first(Q4RowBytes(q4_cols));
  Bytes q8(Q8RowBytes(q4_cols));
  if (q4_cols != 0 && !Q4ToQ8(q4, q4_cols, q8)) {
    std::vector<float> from(q4_cols);
    std::vector<float> to(q4_cols);
    DequantizeQ4(q4, from);
    DequantizeQ8(q8, to);
    Check(from == to, "Q8_0 does not hold the weights of Q4_0");
  }
  const std::size_t q6_cols = bytes.size() / kQ6BlockBytes * kQ6Block;
  const auto q6 = bytes.first(Q6RowBytes(q6_cols));
  Bytes wide(Int8x16RowBytes(q6_cols));
  if (q6_cols != 0 && !Q6ToInt8x16(q6, q6_cols, wide)) {
    std::vector<float> from(q6_cols);
    DequantizeQ6(q6, from);
    for (std::size_t c = 0; c < q6_cols; ++c) {
      const std::uint8_t* block =
          wide.data() + c / kInt8x16Block * kInt8x16BlockBytes;
      float scale = 0;
      std::memcpy(&scale, block, sizeof(scale));
      const auto value = static_cast<std::int8_t>(block[4 + c % kInt8x16Block]);
      Check(scale * static_cast<float>(value) == from[c], "Q6_K changed");
    }
  }
  std::vector<float> row(bytes.size() / 4 / kQ8Block * kQ8Block);
  if (row.empty()) return;
  std::memcpy(row.data(), bytes.data(), row.size() * 4);
  Bytes quantized(Q8RowBytes(row.size()));
  if (!QuantizeQ8(row, quantized)) {
    std::vector<float> back(row.size());
    DequantizeQ8(quantized, back);
    for (const float value : back)
      Check(std::isfinite(value), "Q8_0 overflows");
  }
}

}  // namespace
}  // namespace tern::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace tern::fuzz;  // NOLINT(google-build-using-namespace)
  Input input(data, size);
  const Layout& layout =
      Layouts()[input.Number<std::uint8_t>() % Layouts().size()];
  const bool exact = input.Flag();
  // Most layouts want columns in multiples of 64 to 256.
  const std::size_t unit = std::size_t{1} << input.Below(9);
  const std::size_t rows = input.Number<std::uint8_t>() % 9;
  const std::size_t cols = unit * (input.Number<std::uint8_t>() % 5);
  const std::string_view rest = input.Rest();
  std::vector<std::uint8_t> bytes(rest.begin(), rest.end());
  CheckEmbeddings(bytes);
  // Bytes that go on from their start, for sizes that mostly fit.
  if (exact) {
    bytes.resize(layout.bytes(rows, cols));
    for (std::size_t i = rest.size(); i < bytes.size() && !rest.empty(); ++i) {
      bytes[i] = static_cast<std::uint8_t>(rest[i % rest.size()]);
    }
  }
  tern::packing::TernaryMatrix matrix;
  if (layout.unpack(bytes, rows, cols, matrix)) return 0;
  CheckCanonical(matrix, rows, cols);
  CheckTiles(matrix);
  CheckRoundTrip(matrix);
  return 0;
}
