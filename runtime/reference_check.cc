#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <tern/cpu.h>
#include <tern/error.h>
#include <tern/reference_check.h>

#include "packing/half.h"
#include "packing/ternary_matrix.h"
#include "runtime/dense_tolerance.h"
#include "runtime/forward/linear.h"
#include "runtime/parallel.h"
#include "runtime/weights.h"
#include "ternary_kernels/dense.h"
#include "ternary_kernels/reference.h"

namespace tern {
namespace {

constexpr std::size_t kRows = 64;
// Tiles of tokens that are full, and one that is not: 2 of 32 or 4 of 16, and 3
// more.
constexpr std::size_t kManyTokens = 67;
// The head never sees more (session.cc).
constexpr std::size_t kManyHeadTokens = 16;

struct Matrix {
  const char* name;
  const Linear* w;
  InputType input_type;
  std::size_t many_tokens;
};

// An untied head that became int8 is no longer there as it was stored.
bool HasStoredHead(const Weights& weights) {
  const Linear& head = weights.Head();
  return head.is_ternary || head.dense.data.size() != 0;
}

// One of each shape and type.
std::vector<Matrix> DistinctMatrices(const Model& model) {
  const Weights& weights = model.weights();
  const InputType input_type = model.config().input_type;
  std::vector<Matrix> all;
  const Linear& head = weights.Head();
  if (HasStoredHead(weights)) {
    all.push_back({"the head", &head, InputType::kFloat, kManyHeadTokens});
  }
  for (const LayerWeights& w : weights.layers) {
    for (const auto& [name, linear] :
         std::initializer_list<std::pair<const char*, const Linear*>>{
             {"q", &w.q},
             {"k", &w.k},
             {"v", &w.v},
             {"o", &w.o},
             {"gate", &w.gate},
             {"up", &w.up},
             {"down", &w.down}}) {
      all.push_back({name, linear, input_type, kManyTokens});
    }
  }
  std::vector<Matrix> distinct;
  std::set<std::tuple<std::size_t, std::size_t, bool, kernels::DenseType,
                      packing::ScaleGroup, InputType>>
      seen;
  for (const Matrix& m : all) {
    const bool is_new =
        seen.insert({m.w->rows, m.w->cols, m.w->is_ternary, m.w->dense.type,
                     m.w->ternary.group, m.input_type})
            .second;
    if (is_new) distinct.push_back(m);
  }
  return distinct;
}

// Rows from the first to the last.
std::vector<std::size_t> RowsToCheck(std::size_t rows) {
  std::vector<std::size_t> chosen;
  const std::size_t count = std::min(kRows, rows);
  for (std::size_t i = 0; i < count; ++i) {
    chosen.push_back(count == 1 ? 0 : i * (rows - 1) / (count - 1));
  }
  return chosen;
}

std::vector<float> RandomInputs(std::size_t size) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(size);
  for (float& value : x) value = normal(random);
  return x;
}

// What one output must be, and by how much it may differ.
struct Expected {
  float value = 0;
  double tolerance = 0;
};

// The outputs of one matrix for one token, in plain loops.
class PlainLoops {
 public:
  PlainLoops(const Matrix& m, const float* x)
      : m_(m),
        w_(*m.w),
        x_(x),
        q_(w_.cols),
        int_sums_(w_.rows),
        float_sums_(w_.rows) {
    q_scale_ = kernels::reference::QuantizeActivations(x, w_.cols, q_.data());
  }

  Expected Row(std::size_t row) {
    if (!w_.is_ternary) return DenseRow(row);
    return {m_.input_type == InputType::kInt8 ? Scaled(row, 1.0F / q_scale_)
                                              : Scaled(row, 1.0F),
            0};
  }

 private:
  // The sum over columns, before any scale.
  float Sum(std::size_t row, std::size_t col_begin, std::size_t col_end) {
    if (m_.input_type == InputType::kInt8) {
      kernels::reference::MatVec(w_.View(), q_.data(), row, row + 1, col_begin,
                                 col_end, int_sums_.data());
      return static_cast<float>(int_sums_[row]);
    }
    kernels::reference::FloatMatVec(w_.View(), x_, row, row + 1, col_begin,
                                    col_end, float_sums_.data());
    return float_sums_[row];
  }

  // Sums of the columns that share a scale, each multiplied by it, in the order
  // of the layers (linear_int8.cc, linear_float.cc).
  float Scaled(std::size_t row, float multiplier) {
    const TernaryWeights& t = w_.ternary;
    if (t.group != packing::ScaleGroup::kBlock) {
      const bool by_row = t.group == packing::ScaleGroup::kRow;
      return Sum(row, 0, w_.cols) * (t.scales[by_row ? row : 0] * multiplier);
    }
    const std::size_t blocks = (w_.cols + t.block - 1) / t.block;
    float y = 0;
    for (std::size_t b = 0; b < blocks; ++b) {
      const float scale = t.scales[row * blocks + b] * multiplier;
      const std::size_t end = std::min((b + 1) * t.block, w_.cols);
      y += Sum(row, b * t.block, end) * scale;
    }
    return y;
  }

  // In double.
  Expected DenseRow(std::size_t row) {
    std::vector<float> weights(w_.cols);
    if (w_.dense.type == kernels::DenseType::kF16) {
      const std::uint8_t* stored = w_.dense.data.data() + row * w_.cols * 2;
      for (std::size_t c = 0; c < w_.cols; ++c) {
        std::uint16_t half = 0;
        std::memcpy(&half, stored + 2 * c, sizeof(half));
        weights[c] = packing::F16ToF32(half);
      }
    } else {
      kernels::DenseRow(w_.dense.View(), row, weights.data());
    }
    double sum = 0;
    double magnitude = 0;
    for (std::size_t c = 0; c < w_.cols; ++c) {
      const double product = static_cast<double>(weights[c]) * x_[c];
      sum += product;
      magnitude += std::abs(product);
    }
    return {static_cast<float>(sum), DenseTolerance(w_.cols, magnitude)};
  }

  const Matrix& m_;
  const Linear& w_;
  const float* x_;              // [cols]
  std::vector<std::int8_t> q_;  // [cols], x * q_scale
  float q_scale_ = 0;
  std::vector<std::int32_t> int_sums_;  // [rows]
  std::vector<float> float_sums_;       // [rows]
};

[[noreturn]] void ThrowDifference(const std::string& model, const Matrix& m,
                                  std::size_t row, std::size_t tokens,
                                  float got, const Expected& expected) {
  throw Error(ErrorCode::kUnsupported,
              (model.empty() ? "the model" : model) + ": " + m.name + " [" +
                  std::to_string(m.w->rows) + "][" + std::to_string(m.w->cols) +
                  "], row " + std::to_string(row) + " for " +
                  std::to_string(tokens) + " tokens: " + ActiveTarget() +
                  " computes " + std::to_string(got) +
                  " where plain loops give " + std::to_string(expected.value) +
                  "; try another target, and report it");
}

// Compares the layer's outputs for x [tokens][cols].  Returns how many.
std::size_t CheckMatrix(const std::string& model, const Matrix& m,
                        std::size_t tokens, Team& team) {
  const Linear& w = *m.w;
  const std::vector<float> x = RandomInputs(tokens * w.cols);
  LinearScratch scratch({.tokens = tokens,
                         .cols = w.cols,
                         .rows = w.rows,
                         .threads = team.size()},
                        m.input_type);
  AlignedBuffer<float> y(tokens * w.rows);
  const Projection layer{&w, y.data()};
  Project({&layer, 1}, x.data(), tokens, scratch, team);
  const std::vector<std::size_t> rows = RowsToCheck(w.rows);
  for (std::size_t t = 0; t < tokens; ++t) {
    PlainLoops plain(m, x.data() + t * w.cols);
    for (const std::size_t row : rows) {
      const Expected expected = plain.Row(row);
      const float got = y.data()[t * w.rows + row];
      const double off = std::abs(static_cast<double>(got) - expected.value);
      // Not `off > tolerance`: NaN is a difference.
      if (!(off <= expected.tolerance)) {
        ThrowDifference(model, m, row, tokens, got, expected);
      }
    }
  }
  return tokens * rows.size();
}

}  // namespace

ReferenceCheck CheckAgainstReference(const Model& model, int num_threads) {
  if (num_threads <= 0) num_threads = UsableCores();
  Team team(num_threads);
  const std::string& name = model.config().name;
  ReferenceCheck check;
  check.head = HasStoredHead(model.weights());
  for (const Matrix& m : DistinctMatrices(model)) {
    ++check.matrices;
    check.rows += RowsToCheck(m.w->rows).size();
    check.outputs += CheckMatrix(name, m, 1, team);
    check.outputs += CheckMatrix(name, m, m.many_tokens, team);
  }
  return check;
}

}  // namespace tern
