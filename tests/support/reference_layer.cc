#include "tests/support/reference_layer.h"

#include <algorithm>
#include <cmath>

#include "ternary_kernels/reference.h"

namespace tern::testing {
namespace {

using checkpoint::LinearKind;
using checkpoint::LinearSource;

std::vector<float> ReadAll(const files::StoredTensor& tensor) {
  std::vector<float> values(tensor.ElementCount());
  files::ReadFloats(tensor, 0, tensor.shape.size() > 1 ? tensor.shape[0] : 1,
                    values.data());
  return values;
}

// The numbers of a linear layer as doubles [rows][cols], ternary ones with
// their multiplier.
std::vector<double> WeightsOf(const LinearSource& source) {
  if (source.kind == LinearKind::kDense) {
    const std::vector<float> values = ReadAll(source.weight);
    return {values.begin(), values.end()};
  }
  const packing::TernaryMatrix m = checkpoint::ReadLinear(source);
  if (m.group != packing::ScaleGroup::kMatrix) {
    throw std::runtime_error("the reference knows one scale a matrix");
  }
  std::vector<double> values(m.rows * m.cols);
  for (std::size_t r = 0; r < m.rows; ++r) {
    for (std::size_t c = 0; c < m.cols; ++c) {
      const double trit = static_cast<double>(m.Code(r, c)) - 1.0;
      values[r * m.cols + c] = trit * m.scales[0];
    }
  }
  return values;
}

// What a layer's quantiser makes of one token, and how near it came to choosing
// otherwise.
double QuantizeToken(std::vector<double>& x) {
  std::vector<float> in(x.begin(), x.end());
  std::vector<std::int8_t> q(in.size());
  const float s =
      kernels::reference::QuantizeActivations(in.data(), in.size(), q.data());
  double nearest = 1;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double scaled = x[i] * s;
    const double fraction = scaled - std::floor(scaled);
    nearest = std::min(nearest, std::abs(fraction - 0.5));
    x[i] = q[i] / static_cast<double>(s);
  }
  return nearest;
}

// Applies linear layers that share an input; quantises it first if they are
// ternary.
class Input {
 public:
  Input(std::vector<double> x, std::size_t tokens, bool quantize,
        std::vector<double>& distance)
      : x_(std::move(x)), tokens_(tokens), size_(x_.size() / tokens) {
    if (!quantize) return;
    for (std::size_t t = 0; t < tokens; ++t) {
      const auto begin = x_.begin() + static_cast<std::ptrdiff_t>(t * size_);
      std::vector<double> row(begin,
                              begin + static_cast<std::ptrdiff_t>(size_));
      distance[t] = std::min(distance[t], QuantizeToken(row));
      std::copy(row.begin(), row.end(), begin);
    }
  }

  [[nodiscard]] std::vector<double> Times(const LinearSource& source) const {
    const std::vector<double> w = WeightsOf(source);
    std::vector<double> y(tokens_ * source.rows);
    for (std::size_t t = 0; t < tokens_; ++t) {
      for (std::size_t r = 0; r < source.rows; ++r) {
        double sum = 0;
        for (std::size_t c = 0; c < size_; ++c) {
          sum += w[r * size_ + c] * x_[t * size_ + c];
        }
        y[t * source.rows + r] = sum;
      }
    }
    return y;
  }

 private:
  std::vector<double> x_;
  std::size_t tokens_;
  std::size_t size_;
};

// Rotates all heads of x [tokens][heads][head_dim].
void Rotate(std::vector<double>& x, std::size_t tokens, std::size_t head_dim,
            float theta) {
  const std::size_t half = head_dim / 2;
  const std::size_t heads = x.size() / tokens / head_dim;
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t h = 0; h < heads; ++h) {
      double* head = x.data() + (t * heads + h) * head_dim;
      for (std::size_t i = 0; i < half; ++i) {
        const double angle = static_cast<double>(t) *
                             std::pow(static_cast<double>(theta),
                                      -2.0 * static_cast<double>(i) /
                                          static_cast<double>(head_dim));
        const double a = head[i];
        const double b = head[half + i];
        head[i] = a * std::cos(angle) - b * std::sin(angle);
        head[half + i] = b * std::cos(angle) + a * std::sin(angle);
      }
    }
  }
}

// One query head over the keys and values of positions 0 .. position.
void AttendHead(const double* q, const double* k, const double* v,
                std::size_t position, std::size_t stride, std::size_t head_dim,
                double* out) {
  std::vector<double> weights(position + 1);
  for (std::size_t p = 0; p <= position; ++p) {
    double dot = 0;
    for (std::size_t i = 0; i < head_dim; ++i) dot += q[i] * k[p * stride + i];
    weights[p] = dot / std::sqrt(static_cast<double>(head_dim));
  }
  const double max = *std::max_element(weights.begin(), weights.end());
  double sum = 0;
  for (double& w : weights) sum += w = std::exp(w - max);
  std::fill_n(out, head_dim, 0.0);
  for (std::size_t p = 0; p <= position; ++p) {
    for (std::size_t i = 0; i < head_dim; ++i) {
      out[i] += weights[p] / sum * v[p * stride + i];
    }
  }
}

std::vector<double> Attention(const ModelConfig& c, std::size_t tokens,
                              const std::vector<double>& q,
                              const std::vector<double>& k,
                              const std::vector<double>& v) {
  std::vector<double> out(q.size());
  const std::size_t stride = c.num_kv_heads * c.head_dim;
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t h = 0; h < c.num_heads; ++h) {
      const std::size_t kv = h / (c.num_heads / c.num_kv_heads) * c.head_dim;
      const std::size_t head = (t * c.num_heads + h) * c.head_dim;
      AttendHead(q.data() + head, k.data() + kv, v.data() + kv, t, stride,
                 c.head_dim, out.data() + head);
    }
  }
  return out;
}

}  // namespace

std::vector<double> ReferenceNorm(const std::vector<double>& x,
                                  const files::StoredTensor& weight,
                                  double eps) {
  const std::vector<float> w = ReadAll(weight);
  std::vector<double> out(x.size());
  for (std::size_t row = 0; row < x.size(); row += w.size()) {
    double squares = 0;
    for (std::size_t i = 0; i < w.size(); ++i)
      squares += x[row + i] * x[row + i];
    const double root =
        std::sqrt(squares / static_cast<double>(w.size()) + eps);
    for (std::size_t i = 0; i < w.size(); ++i) {
      out[row + i] = w[i] * x[row + i] / root;
    }
  }
  return out;
}

LayerResult ReferenceLayer(const checkpoint::Checkpoint& model,
                           std::size_t layer, std::size_t tokens,
                           const std::vector<double>& x) {
  const ModelConfig& c = model.config;
  const checkpoint::LayerSource& w = model.layers[layer];
  const bool ternary = w.q.kind != LinearKind::kDense;
  LayerResult result;
  result.x = x;
  result.boundary_distance.assign(tokens, 1.0);
  const auto input = [&](const std::vector<double>& in,
                         const files::StoredTensor& norm) {
    return Input(ReferenceNorm(in, norm, c.norm_eps), tokens, ternary,
                 result.boundary_distance);
  };
  const auto add = [&](const std::vector<double>& y) {
    for (std::size_t i = 0; i < y.size(); ++i) result.x[i] += y[i];
  };

  const Input h = input(result.x, w.attn_norm);
  std::vector<double> q = h.Times(w.q);
  std::vector<double> k = h.Times(w.k);
  Rotate(q, tokens, c.head_dim, c.rope_theta);
  Rotate(k, tokens, c.head_dim, c.rope_theta);
  add(input(Attention(c, tokens, q, k, h.Times(w.v)), w.attn_sub_norm)
          .Times(w.o));

  const Input h2 = input(result.x, w.ffn_norm);
  std::vector<double> gate = h2.Times(w.gate);
  const std::vector<double> up = h2.Times(w.up);
  for (std::size_t i = 0; i < gate.size(); ++i) {
    const double relu = std::max(gate[i], 0.0);
    gate[i] = relu * relu * up[i];
  }
  add(input(gate, w.ffn_sub_norm).Times(w.down));
  return result;
}

}  // namespace tern::testing
