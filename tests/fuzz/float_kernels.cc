// The kernels that multiply, on every instruction set of this CPU.  Where their
// headers give a formula its bits are compared, where they promise that bits do
// not depend on how work is split that is; the rest is compared with plain
// loops in double precision.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "packing/half.h"
#include "packing/q8_0.h"
#include "ternary_kernels/attention.h"
#include "ternary_kernels/dense.h"
#include "ternary_kernels/elementwise.h"
#include "ternary_kernels/head.h"
#include "ternary_kernels/screen_texts.h"
#include "ternary_kernels/targets.h"
#include "tests/fuzz/aligned.h"
#include "tests/fuzz/fuzz.h"
#include "tests/ternary_kernels/head_cache.h"

namespace tern::fuzz {
namespace {

using namespace kernels;  // NOLINT(google-build-using-namespace)

// Equal bits, but any NaN is as good as another.
bool Same(float a, float b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0 ||
         (std::isnan(a) && std::isnan(b));
}
bool Same(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](float x, float y) { return Same(x, y); });
}
bool Near(double got, double want, double tolerance) {
  return std::abs(got - want) <= tolerance;
}

// Numbers of the sizes that models have, going on from the start of the bytes.
class Numbers {
 public:
  explicit Numbers(std::string_view bytes) : bytes_(bytes) {}

  unsigned Byte() {
    if (bytes_.empty()) return 0;
    // A step of its own for each round, so that rows are not all the same.
    const std::size_t i = at_++;
    return static_cast<unsigned char>(bytes_[i % bytes_.size()]) ^
           (i / bytes_.size() * 37 & 255U);
  }
  int Int8() { return std::max(static_cast<int>(Byte()) - 128, -127); }
  // |value| <= 8, and not below 2^-13 unless 0.
  float Float() {
    const int value = Int8();
    return std::ldexp(static_cast<float>(value),
                      -4 - static_cast<int>(Byte() % 9));
  }
  std::vector<float> Floats(std::size_t size) {
    std::vector<float> values(size);
    for (float& value : values) value = Float();
    return values;
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

// Any floats at all.
std::vector<float> RawFloats(std::string_view bytes) {
  std::vector<float> values(std::min<std::size_t>(bytes.size() / 4, 300));
  if (!values.empty())
    std::memcpy(values.data(), bytes.data(), values.size() * 4);
  return values;
}

// ------------------------------------------------------------------ dense

struct Dense {
  DenseType type;
  std::size_t rows, cols, tokens;
  Aligned<std::uint8_t> bytes;
  std::vector<float> x;
  [[nodiscard]] DenseView View() const {
    return {type, bytes.data(), rows, cols};
  }
};

void StoreRow(DenseType type, Numbers& numbers, std::size_t cols,
              std::uint8_t* row) {
  const std::vector<float> values = numbers.Floats(cols);
  switch (type) {
    case DenseType::kF32:
      std::memcpy(row, values.data(), cols * 4);
      return;
    case DenseType::kF16:
    case DenseType::kBf16:
      for (std::size_t c = 0; c < cols; ++c) {
        const std::uint16_t half = type == DenseType::kF16
                                       ? packing::F32ToF16(values[c])
                                       : packing::F32ToBf16(values[c]);
        std::memcpy(row + 2 * c, &half, 2);
      }
      return;
    case DenseType::kQ8_0:
      Check(!packing::QuantizeQ8(values, {row, packing::Q8RowBytes(cols)}),
            "QuantizeQ8 refuses finite numbers");
      return;
    case DenseType::kInt8x16:
      for (std::size_t block = 0; block < cols / 16; ++block) {
        std::memcpy(row + block * 20, &values[block * 16], 4);
        for (std::size_t i = 0; i < 16; ++i) {
          row[block * 20 + 4 + i] = static_cast<std::uint8_t>(numbers.Int8());
        }
      }
  }
}

Dense MakeDense(Input& input) {
  constexpr std::array kTypes = {DenseType::kF32, DenseType::kF16,
                                 DenseType::kBf16, DenseType::kQ8_0,
                                 DenseType::kInt8x16};
  Dense d{};
  d.type = kTypes[input.Below(kTypes.size())];
  const std::size_t block = d.type == DenseType::kQ8_0      ? 32
                            : d.type == DenseType::kInt8x16 ? 16
                                                            : 1;
  d.rows = 1 + input.Below(140);
  d.cols = (1 + input.Below(700 / block)) * block;
  d.tokens = 1 + input.Below(20);
  Numbers numbers(input.Rest());
  const std::size_t row_bytes = DenseRowBytes(d.type, d.cols);
  d.bytes = Aligned<std::uint8_t>(d.rows * row_bytes);
  for (std::size_t r = 0; r < d.rows; ++r) {
    StoreRow(d.type, numbers, d.cols, d.bytes.data() + r * row_bytes);
  }
  d.x = numbers.Floats(d.tokens * d.cols);
  return d;
}

std::vector<float> DenseOf(const Dense& d, std::size_t first,
                           std::size_t tokens, std::size_t split) {
  Aligned<std::uint8_t> scratch(kDenseScratchBytes);
  std::vector<float> y(tokens * d.rows);
  for (const auto& [begin, end] :
       {std::pair{std::size_t{0}, split}, std::pair{split, d.rows}}) {
    DenseMatMul(d.View(),
                {.x = d.x.data() + first * d.cols,
                 .x_stride = d.cols,
                 .tokens = tokens,
                 .row_begin = begin,
                 .row_end = end,
                 .y = y.data(),
                 .y_stride = d.rows},
                scratch.data());
  }
  return y;
}

void CheckRefined(const Dense& d, const std::vector<float>& alone) {
  std::vector<std::uint32_t> rows;
  for (std::size_t r = 0; r < d.rows; r += 1 + r % 3) {
    rows.push_back(static_cast<std::uint32_t>(r));
  }
  std::vector<float> y(d.rows);
  RefineRows(d.View(), d.x.data(), rows.data(), rows.size(), y.data());
  for (const std::uint32_t r : rows) Check(Same(y[r], alone[r]), "RefineRows");
}

void CheckDense(const Dense& d) {
  const std::vector<float> all = DenseOf(d, 0, d.tokens, d.rows / 2);
  for (std::size_t t = 0; t < d.tokens; ++t) {
    const std::vector<float> alone = DenseOf(d, t, 1, d.rows);
    for (std::size_t r = 0; r < d.rows; ++r) {
      Check(Same(alone[r], all[t * d.rows + r]),
            "DenseMatMul: bits depend on tokens or rows beside");
    }
    if (t == 0) CheckRefined(d, alone);
  }
  std::vector<float> row(d.cols);
  for (std::size_t r = 0; r < d.rows; ++r) {
    DenseRow(d.View(), r, row.data());
    double want = 0;
    double size = 0;
    for (std::size_t c = 0; c < d.cols; ++c) {
      const double product = static_cast<double>(row[c]) * d.x[c];
      want += product;
      size += std::abs(product);
    }
    Check(Near(all[r], want, 1e-6 * size), "DenseMatMul: a wrong sum");
  }
}

// ------------------------------------------------------------------- head

void CheckInt8Rows(Input& input) {
  const std::size_t rows = 1 + input.Below(70);
  const std::size_t cols = 1 + input.Below(500);
  const std::size_t begin = input.Below(rows);
  Numbers numbers(input.Rest());
  const std::size_t stride = Int8RowStride(cols);
  const int most =
      static_cast<int>(std::min<std::size_t>(32767, 0x7FFFFFFF / (127 * cols)));
  Aligned<std::int8_t> w(rows * stride);
  Aligned<std::int16_t> x(stride);
  for (std::size_t c = 0; c < cols; ++c) {
    x[c] = static_cast<std::int16_t>(numbers.Int8() * most / 127);
    for (std::size_t r = 0; r < rows; ++r) {
      w[r * stride + c] = static_cast<std::int8_t>(numbers.Int8());
    }
  }
  const std::vector<float> scales = numbers.Floats(rows);
  const float x_scale = numbers.Float();
  std::vector<float> y(rows, 0.5F);
  Int8RowsMatVec({w.data(), scales.data(), rows, cols}, x.data(), x_scale,
                 begin, rows, y.data());
  for (std::size_t r = 0; r < rows; ++r) {
    std::int64_t sum = 0;
    for (std::size_t c = 0; c < cols; ++c) sum += w[r * stride + c] * x[c];
    const float want =
        r < begin ? 0.5F : static_cast<float>(sum) * (scales[r] * x_scale);
    Check(Same(y[r], want), "Int8RowsMatVec");
  }
}

// What a word of the screen says of a column.
int CoarseValue(const std::uint16_t* words, std::size_t cols, std::size_t c) {
  const std::size_t w = ScreenWords(cols);
  const std::size_t field = c / w;
  const int code = words[c % w] >> (5 * field) & (field == 2 ? 63 : 31);
  return field == 2 ? 2 * code - 63 : 4 * code - 62;
}
int FineValue(const std::uint16_t* words, std::size_t cols, std::size_t c) {
  const std::size_t w = ScreenWords(cols);
  const std::size_t field = c / w;
  const std::size_t line = c % w / 32;
  constexpr int kPlaces[2][3] = {{0, 8, 6}, {3, 11, 14}};
  const int code = words[line / 2 * 32 + c % 32] >> kPlaces[line % 2][field];
  return field == 2 ? 2 * (code & 3) - 3 : 2 * (code & 7) - 7;
}

struct Screened {
  Aligned<std::uint16_t> words, fine_words;
  Aligned<std::int16_t> x;
  std::vector<float> steps, residuals, fine_residuals, norms;
  ScreenView view;
  ScreenInput in;
};

Screened MakeScreen(Input& input) {
  Screened s;
  const std::size_t rows = 1 + input.Below(70);
  const std::size_t cols = 1 + input.Below(500);
  Numbers numbers(input.Rest());
  s.words = Aligned<std::uint16_t>(rows * ScreenWords(cols));
  s.fine_words = Aligned<std::uint16_t>(rows * FineWords(cols));
  for (auto* words : {&s.words, &s.fine_words}) {
    for (std::size_t i = 0; i < words->size(); ++i) {
      (*words)[i] = static_cast<std::uint16_t>(numbers.Byte() << 8);
      (*words)[i] |= static_cast<std::uint16_t>(numbers.Byte());
    }
  }
  s.x = Aligned<std::int16_t>(ScreenInputSize(cols));
  const int most =
      static_cast<int>(std::min<std::size_t>(32767, 0x7FFFFFFF / (63 * cols)));
  std::int32_t sum = 0;
  for (std::size_t c = 0; c < cols; ++c) {
    s.x[c] = static_cast<std::int16_t>(numbers.Int8() * most / 127);
    sum += s.x[c];
  }
  for (auto* values : {&s.steps, &s.residuals, &s.fine_residuals, &s.norms}) {
    *values = numbers.Floats(rows);
  }
  s.view = {s.words.data(),
            s.fine_words.data(),
            s.steps.data(),
            s.residuals.data(),
            s.fine_residuals.data(),
            s.norms.data(),
            rows,
            cols};
  s.in = {s.x.data(),      sum,
          numbers.Float(), numbers.Float(),
          numbers.Float(), numbers.Float()};
  return s;
}

void CheckScreen(const Screened& s) {
  const ScreenView& v = s.view;
  const ScreenInput& in = s.in;
  std::vector<float> estimates(v.rows);
  std::vector<float> bounds(v.rows);
  Screen(v, in, 0, v.rows, estimates.data(), bounds.data());
  std::vector<float> fine = bounds;
  std::vector<std::uint32_t> some;
  for (std::uint32_t r = 0; r < v.rows; r += 1 + r % 3) some.push_back(r);
  ScreenFine(v, in, some.data(), some.size(), estimates.data(), fine.data());
  for (std::size_t r = 0; r < v.rows; ++r) {
    std::int64_t sum = 0;
    std::int64_t fine_sum = 0;
    for (std::size_t c = 0; c < v.cols; ++c) {
      sum += std::int64_t{in.x[c]} *
             CoarseValue(v.words + r * ScreenWords(v.cols), v.cols, c);
      fine_sum += std::int64_t{in.x[c]} *
                  FineValue(v.fine_words + r * FineWords(v.cols), v.cols, c);
    }
    const float step = v.steps[r] * in.scale;
    const float rest = v.norms[r] * in.norm_factor + in.slack;
    const float estimate = static_cast<float>(sum) * step;
    Check(Same(estimates[r], estimate), "Screen: an estimate");
    Check(Same(bounds[r],
               estimate + (v.residuals[r] * in.residual_factor + rest)),
          "Screen: a bound");
    if (!std::binary_search(some.begin(), some.end(), r)) {
      Check(Same(fine[r], bounds[r]), "ScreenFine: another row");
      continue;
    }
    const float better =
        estimate + static_cast<float>(fine_sum) * (step * 0.25F);
    Check(Same(fine[r],
               better + (v.fine_residuals[r] * in.residual_factor + rest)),
          "ScreenFine: a bound");
  }
}

// The same rows and one or two texts, of one or two digits.
void CheckScreenTexts(const Screened& s) {
  const ScreenView& v = s.view;
  const std::size_t size = ScreenInputSize(v.cols);
  Aligned<std::uint8_t> packed(3 * ScreenDigitBytes(v.cols));
  Aligned<std::int16_t> first(size);
  Aligned<std::int16_t> second(size);
  for (std::size_t c = 0; c < v.cols; ++c) {
    first[c] = static_cast<std::int16_t>(s.in.x[c] % 16);
    second[c] = static_cast<std::int16_t>(s.in.x[c] / 16 % 128);
  }
  std::array<ScreenText, 2> texts = {ScreenText{s.in, 2}, ScreenText{s.in, 1}};
  texts[0].input.sum = texts[1].input.sum = 0;
  for (std::size_t c = 0; c < v.cols; ++c) {
    texts[0].input.sum += 128 * first[c] + second[c];
    texts[1].input.sum += second[c];
  }
  const ByteRowsView bytes = HeldBytes(v, {});
  PackScreenDigit(bytes, first.data(), packed.data());
  for (const std::size_t place : {1, 2}) {
    PackScreenDigit(bytes, second.data(),
                    packed.data() + place * ScreenDigitBytes(v.cols));
  }
  std::vector<float> estimates(2 * v.rows);
  ScreenTexts(bytes, {packed.data(), texts.data(), 2, estimates.data(), v.rows},
              0, v.rows);
  for (std::size_t r = 0; r < v.rows; ++r) {
    std::array<std::int64_t, 2> sums{};
    for (std::size_t c = 0; c < v.cols; ++c) {
      const int number =
          4 * CoarseValue(v.words + r * ScreenWords(v.cols), v.cols, c) +
          FineValue(v.fine_words + r * FineWords(v.cols), v.cols, c);
      sums[0] += std::int64_t{number} * (128 * first[c] + second[c]);
      sums[1] += std::int64_t{number} * second[c];
    }
    const float step = (v.steps[r] * s.in.scale) * 0.25F;
    for (std::size_t t = 0; t < 2; ++t) {
      Check(Same(estimates[t * v.rows + r], static_cast<float>(sums[t]) * step),
            "ScreenTexts: an estimate");
    }
  }
}

// -------------------------------------------------------------- attention

struct Attention {
  Cache cache;
  std::size_t tokens, group, position;
  std::vector<float> query;
};

Attention MakeAttention(Input& input) {
  constexpr std::array kTypes = {CacheType::kF32, CacheType::kF16,
                                 CacheType::kQ8};
  const CacheType type = kTypes[input.Below(3)];
  const std::size_t head_dim = 2 * (1 + input.Below(40));
  const std::size_t group = 1 + input.Below(9);
  const std::size_t tokens =
      1 + input.Below(std::min<std::size_t>(MostTileTokens(group), 20));
  const std::size_t position = input.Below(600);
  Attention a{
      Cache(type, head_dim, position + tokens), tokens, group, position, {}};
  Numbers numbers(input.Rest());
  for (std::size_t p = 0; p < position + tokens; ++p) {
    Check(a.cache.Store(p, numbers.Floats(head_dim).data(),
                        numbers.Floats(head_dim).data()),
          "StorePosition refuses small numbers");
  }
  a.query = numbers.Floats(tokens * group * head_dim);
  return a;
}

constexpr float kScale = 0.125F;

// Heads [first, first + group) of tokens [token, token + tokens).
AttentionTile TileOf(const Attention& a, std::size_t head_dim,
                     std::size_t token, std::size_t tokens, float* out) {
  const std::size_t stride = a.group * head_dim;
  return {a.query.data() + token * stride,
          out + token * stride,
          stride,
          tokens,
          a.group,
          a.position + token,
          kScale};
}

std::vector<float> InParts(Attention& a) {
  const HeadCache head = a.cache.Head();
  std::vector<float> out(a.query.size());
  const AttentionTile tile = TileOf(a, head.head_dim, 0, a.tokens, out.data());
  const std::size_t size = PartStateSize(a.tokens, a.group, head.head_dim);
  Floats scratch(AttentionScratchSize(a.tokens, a.group, head.head_dim));
  Floats state(size);
  Floats total(size);
  for (std::size_t part = 0; part < PartsSeen(tile); ++part) {
    AttendPart(head, tile, part, scratch.data(), state.data());
    CombineParts(head.head_dim, tile, state.data(), part, 1, total.data());
  }
  return out;
}

// Attention of one query in double precision, and how far off it may be: an
// error of the scores is one of the weights.
void CheckQuery(Attention& a, std::size_t row, const float* got) {
  const std::size_t head_dim = a.cache.Head().head_dim;
  const float* query = a.query.data() + row * head_dim;
  const std::size_t positions = a.position + row / a.group + 1;
  std::vector<double> weights(positions);
  double max = -std::numeric_limits<double>::infinity();
  double size = 0;
  double largest = 0;
  for (std::size_t p = 0; p < positions; ++p) {
    double score_size = 0;
    for (std::size_t i = 0; i < head_dim; ++i) {
      const double product = query[i] * a.cache.Key(p, i) * kScale;
      weights[p] += product;
      score_size += std::abs(product);
      largest = std::max(largest, std::abs(a.cache.Value(p, i)));
    }
    max = std::max(max, weights[p]);
    size = std::max(size, score_size);
  }
  double sum = 0;
  for (double& weight : weights) sum += weight = std::exp(weight - max);
  for (std::size_t i = 0; i < head_dim; ++i) {
    double want = 0;
    for (std::size_t p = 0; p < positions; ++p) {
      want += weights[p] / sum * a.cache.Value(p, i);
    }
    Check(Near(got[i], want, 1e-6 * (20 + size) * largest),
          "Attend: a wrong mix of values");
  }
}

void CheckAttention(Attention& a) {
  const HeadCache head = a.cache.Head();
  std::vector<float> out(a.query.size());
  Floats scratch(AttentionScratchSize(a.tokens, a.group, head.head_dim));
  Attend(head, TileOf(a, head.head_dim, 0, a.tokens, out.data()),
         scratch.data());
  std::vector<float> alone(a.query.size());
  for (std::size_t t = 0; t < a.tokens; ++t) {
    Attend(head, TileOf(a, head.head_dim, t, 1, alone.data()), scratch.data());
  }
  Check(Same(out, alone), "Attend: bits depend on the tokens beside");
  Check(Same(out, InParts(a)), "Attend: bits depend on the parts");
  for (std::size_t row : {std::size_t{0}, a.tokens * a.group - 1}) {
    CheckQuery(a, row, out.data() + row * head.head_dim);
  }
}

// ------------------------------------------------------------ elementwise

bool AllFiniteIn(const std::vector<float>& x) {
  return std::all_of(x.begin(), x.end(),
                     [](float value) { return std::isfinite(value); });
}

void CheckStores(const std::vector<float>& x) {
  const bool finite = AllFiniteIn(x);
  Check(AllFinite(x.data(), x.size()) == finite, "AllFinite");
  std::vector<std::uint16_t> halves(x.size());
  std::vector<std::uint16_t> want(x.size());
  std::transform(x.begin(), x.end(), want.begin(), packing::F32ToF16);
  const bool fits = std::none_of(want.begin(), want.end(), [](auto half) {
    return (half & 0x7C00U) == 0x7C00U;
  });
  Check(StoreF16(x.data(), x.size(), halves.data()) == fits, "StoreF16: what");
  Check(!fits || halves == want, "StoreF16");
  std::vector<std::int8_t> q(x.size());
  float scale = 0;
  Check(StoreQ8(x.data(), x.size(), q.data(), &scale) == finite,
        "StoreQ8: what");
  for (std::size_t i = 0; finite && i < x.size(); ++i) {
    const double error = std::abs(double{scale} * q[i] - double{x[i]});
    Check(error <= 0.501 * scale || (scale == 0 && error < 1e-35), "StoreQ8");
  }
}

void CheckGates(const std::vector<float>& x) {
  const std::size_t size = x.size() / 2;
  const float* gate = x.data();
  const float* up = x.data() + size;
  std::vector<float> squared(size);
  std::vector<float> silu(size);
  std::vector<float> sum(x.begin(),
                         x.begin() + static_cast<std::ptrdiff_t>(size));
  SquaredReluGate(gate, up, size, squared.data());
  SiluGate(gate, up, size, silu.data());
  AddTo(up, size, sum.data());
  for (std::size_t i = 0; i < size; ++i) {
    const float relu = std::isnan(gate[i]) ? gate[i] : std::max(gate[i], 0.0F);
    const float square = relu * relu;
    Check(std::isnan(squared[i]) == std::isnan(square * up[i]) &&
              (std::isnan(squared[i]) || squared[i] == square * up[i]),
          "SquaredReluGate");
    Check(Same(sum[i], gate[i] + up[i]), "AddTo");
    Check(!std::isnan(gate[i]) || std::isnan(silu[i]), "SiluGate loses a NaN");
    const double plain = gate[i] / (1 + std::exp(-double{gate[i]}));
    const double want = plain * up[i];
    if (!std::isfinite(want) || std::abs(want) > 1e38) continue;
    const double ulp =
        std::max(std::ldexp(std::abs(plain), -23), std::ldexp(1.0, -149));
    Check(Near(silu[i], want,
               3 * ulp * std::abs(double{up[i]}) +
                   std::max(std::ldexp(std::abs(want), -23), 1e-44)),
          "SiluGate");
  }
}

void CheckNormAndRotation(Numbers numbers, std::size_t size) {
  const std::vector<float> x = numbers.Floats(size);
  const std::vector<float> weight = numbers.Floats(size);
  std::vector<float> out(size);
  RmsNorm(x.data(), weight.data(), size, 1e-5F, out.data());
  double squares = 0;
  for (const float v : x) squares += double{v} * v;
  const double root = std::sqrt(squares / static_cast<double>(size) + 1e-5);
  for (std::size_t i = 0; i < size; ++i) {
    const double want = weight[i] * (x[i] / root);
    Check(Near(out[i], want, 4e-6 * std::abs(want)), "RmsNorm");
  }
  const std::size_t half = size / 2;
  std::vector<float> head = x;
  RotateHead(weight.data(), weight.data() + half, 2 * half, head.data());
  for (std::size_t i = 0; i < half; ++i) {
    const double a = double{x[i]};
    const double b = double{x[half + i]};
    const double c = double{weight[i]};
    const double s = double{weight[half + i]};
    const double tolerance =
        3e-7 * (std::abs(a) + std::abs(b)) * (std::abs(c) + std::abs(s));
    Check(Near(head[i], a * c - b * s, tolerance), "RotateHead");
    Check(Near(head[half + i], b * c + a * s, tolerance), "RotateHead");
  }
}

void CheckTarget(std::size_t kind, Input input) {
  switch (kind) {
    case 0:
      return CheckDense(MakeDense(input));
    case 1:
      return CheckInt8Rows(input);
    case 2: {
      const Screened s = MakeScreen(input);
      CheckScreen(s);
      return CheckScreenTexts(s);
    }
    case 3: {
      Attention attention = MakeAttention(input);
      return CheckAttention(attention);
    }
    default: {
      const std::size_t size = 2 + input.Below(200);
      const std::vector<float> raw = RawFloats(input.Rest());
      CheckStores(raw);
      CheckGates(raw);
      return CheckNormAndRotation(Numbers(input.Rest()), size);
    }
  }
}

}  // namespace
}  // namespace tern::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace tern::fuzz;  // NOLINT(google-build-using-namespace)
  static const std::vector<std::string> targets =
      tern::kernels::SupportedTargets();
  Input input(data, size);
  const std::size_t kind = input.Number<std::uint8_t>() % 5;
  for (const std::string& target : targets) {
    Check(tern::kernels::ForceTarget(target), "a target cannot be forced");
    CheckTarget(kind, input);
  }
  return 0;
}
