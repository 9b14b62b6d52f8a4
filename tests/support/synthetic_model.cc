#include "tests/support/synthetic_model.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace tern::testing {
namespace {

// To 8 significant bits and not below 2^-14, which f16 and bf16 hold exactly.
float Rounded(double value) {
  if (std::abs(value) < std::ldexp(1, -14)) return 0;
  const int exponent = std::ilogb(value);
  return static_cast<float>(std::ldexp(
      std::nearbyint(std::ldexp(value, 7 - exponent)), exponent - 7));
}

class Generator {
 public:
  Generator(const SyntheticShape& shape, unsigned seed)
      : shape_(shape), random_(seed) {}

  std::vector<float> Norm(std::size_t size) {
    std::vector<float> weight(size);
    for (float& w : weight) w = Rounded(1 + 0.2 * Normal());
    return weight;
  }
  ReferenceMatrix Dense(std::size_t rows, std::size_t cols) {
    ReferenceMatrix matrix = Empty(rows, cols);
    for (std::size_t i = 0; i < rows * cols; ++i) {
      matrix.values.push_back(Rounded(2 * Normal() / Root(cols)));
    }
    return matrix;
  }
  // The embedding or the head.
  ReferenceMatrix Outer(std::size_t rows, std::size_t cols) {
    if (!shape_.ternary_embedding) return Dense(rows, cols);
    ReferenceMatrix matrix = Trits(rows, cols);
    AddScales(2, shape_.group, matrix);
    return matrix;
  }
  // sliced_columns: slices cut columns, otherwise rows.
  ReferenceMatrix Linear(std::size_t rows, std::size_t cols,
                         bool sliced_columns) {
    ReferenceMatrix matrix;
    if (shape_.masters) {
      matrix = Masters(rows, cols);
    } else {
      matrix = Trits(rows, cols);
      if (shape_.group != 0) {
        AddScales(1, shape_.group, matrix);
      } else {
        AddSlices(sliced_columns, matrix);
      }
    }
    if (shape_.projection_norms) matrix.input_norm = Norm(cols);
    return matrix;
  }

 private:
  static double Root(std::size_t size) {
    return std::sqrt(static_cast<double>(size));
  }
  static ReferenceMatrix Empty(std::size_t rows, std::size_t cols) {
    ReferenceMatrix matrix;
    matrix.rows = rows;
    matrix.cols = cols;
    return matrix;
  }
  double Uniform() { return static_cast<double>(random_()) / 4294967296.0; }
  double Normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += Uniform();
    return sum;
  }
  ReferenceMatrix Trits(std::size_t rows, std::size_t cols) {
    ReferenceMatrix matrix = Empty(rows, cols);
    for (std::size_t i = 0; i < rows * cols; ++i) {
      const auto trit = static_cast<int>(random_() % 3) - 1;
      matrix.trits.push_back(
          static_cast<std::int8_t>(i / cols == 1 ? 0 : trit));
    }
    return matrix;
  }
  ReferenceMatrix Masters(std::size_t rows, std::size_t cols) {
    ReferenceMatrix matrix = Dense(rows, cols);
    std::fill_n(matrix.values.begin() + static_cast<std::ptrdiff_t>(cols), cols,
                0.0F);
    TernarizeByAbsmean(matrix);
    return matrix;
  }
  // For outputs of about `deviation` when inputs are about 1.
  float Scale(double deviation, std::size_t cols) {
    const double scale =
        deviation * (0.7 + 0.6 * Uniform()) * std::sqrt(1.5) / Root(cols);
    return shape_.reciprocal_scales ? 1.0F / Rounded(1 / scale)
                                    : Rounded(scale);
  }
  void AddScales(double deviation, std::size_t block, ReferenceMatrix& matrix) {
    matrix.block = block;
    for (std::size_t i = 0; i < matrix.rows * matrix.cols / block; ++i) {
      matrix.scales.push_back(Scale(deviation, matrix.cols));
    }
  }
  void AddSlices(bool columns, ReferenceMatrix& matrix) {
    const std::size_t slices = std::max<std::size_t>(shape_.slices, 1);
    std::vector<float> scales;
    for (std::size_t i = 0; i < slices; ++i) {
      scales.push_back(Scale(1, matrix.cols));
    }
    matrix.block = columns ? matrix.cols / slices : matrix.cols;
    for (std::size_t r = 0; r < matrix.rows; ++r) {
      if (columns) {
        matrix.scales.insert(matrix.scales.end(), scales.begin(), scales.end());
      } else {
        matrix.scales.push_back(scales[r * slices / matrix.rows]);
      }
    }
  }

  const SyntheticShape& shape_;
  std::mt19937 random_;
};

ReferenceLayer RandomLayer(const SyntheticShape& shape, Generator& random) {
  const std::size_t heads = shape.heads * shape.head_dim;
  const std::size_t kv_heads = shape.kv_heads * shape.head_dim;
  ReferenceLayer layer;
  layer.attn_norm = random.Norm(shape.hidden);
  layer.q = random.Linear(heads, shape.hidden, false);
  layer.k = random.Linear(kv_heads, shape.hidden, false);
  layer.v = random.Linear(kv_heads, shape.hidden, false);
  layer.o = random.Linear(shape.hidden, heads, true);
  layer.ffn_norm = random.Norm(shape.hidden);
  layer.gate = random.Linear(shape.ffn, shape.hidden, false);
  layer.up = random.Linear(shape.ffn, shape.hidden, false);
  layer.down = random.Linear(shape.hidden, shape.ffn, true);
  if (shape.architecture.starts_with("bitnet")) {
    layer.attn_sub_norm = random.Norm(heads);
    layer.ffn_sub_norm = random.Norm(shape.ffn);
  }
  if (shape.architecture == "qwen3") {
    layer.q_norm = random.Norm(shape.head_dim);
    layer.k_norm = random.Norm(shape.head_dim);
  }
  return layer;
}

}  // namespace

ReferenceModel RandomModel(const SyntheticShape& shape, unsigned seed) {
  Generator random(shape, seed);
  ReferenceModel model;
  model.heads = shape.heads;
  model.kv_heads = shape.kv_heads;
  model.head_dim = shape.head_dim;
  model.silu = shape.architecture != "bitnet-b1.58";
  model.int8_input = shape.int8_input;
  model.norm_eps = shape.norm_eps;
  model.frequencies = RotaryFrequencies(shape.theta, shape.head_dim);
  model.embedding = random.Outer(shape.vocab, shape.hidden);
  if (!shape.tied) model.head = random.Outer(shape.vocab, shape.hidden);
  model.output_norm = random.Norm(shape.hidden);
  for (std::size_t i = 0; i < shape.layers; ++i) {
    model.layers.push_back(RandomLayer(shape, random));
  }
  return model;
}

std::vector<std::int32_t> RandomIds(const ReferenceModel& model,
                                    std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::int32_t> ids(count);
  for (std::int32_t& id : ids) {
    id = static_cast<std::int32_t>(random() % model.vocab());
  }
  return ids;
}

}  // namespace tern::testing
