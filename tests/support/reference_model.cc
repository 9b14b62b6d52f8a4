#include "tests/support/reference_model.h"

#include <algorithm>
#include <cmath>

namespace tern::testing {
namespace {

using Vector = std::vector<double>;

// The input of linear layers, one token: as it is, or rounded to integers that
// are to be divided by `scale`.
struct TokenInput {
  Vector x;
  double scale = 1;
  double boundary_distance = 1;
};

TokenInput Quantize(const Vector& in) {
  float max = 1e-5F;
  for (const double v : in) {
    max = std::max(max, std::abs(static_cast<float>(v)));
  }
  const float reciprocal = 1.0F / max;
  const float s = reciprocal * 127.0F;
  TokenInput out{Vector(in.size()), s, 1};
  for (std::size_t i = 0; i < in.size(); ++i) {
    const float scaled = static_cast<float>(in[i]) * s;
    out.x[i] = std::clamp(std::nearbyint(scaled), -128.0F, 127.0F);
    const double exact = in[i] * s;
    out.boundary_distance = std::min(out.boundary_distance,
                                     std::abs(exact - std::floor(exact) - 0.5));
  }
  return out;
}

Vector Times(const ReferenceMatrix& w, const TokenInput& in) {
  const std::size_t block = w.is_ternary() ? w.block : w.cols;
  Vector y(w.rows);
  for (std::size_t r = 0; r < w.rows; ++r) {
    for (std::size_t b = 0; b < w.cols; b += block) {
      double sum = 0;  // an exact integer if the input is
      for (std::size_t c = b; c < b + block; ++c) {
        const std::size_t i = r * w.cols + c;
        sum += in.x[c] *
               (w.is_ternary() ? static_cast<float>(w.trits[i]) : w.values[i]);
      }
      y[r] += w.is_ternary() ? sum * w.Scale(r, b) : sum;
    }
    y[r] /= in.scale;
  }
  return y;
}

// Applies linear layers to all tokens, with what stands before them.
class Projections {
 public:
  Projections(const ReferenceModel& model, std::size_t tokens,
              Vector& boundary_distance)
      : model_(model), tokens_(tokens), distance_(boundary_distance) {}

  [[nodiscard]] Vector Run(const ReferenceMatrix& w, const Vector& in) const {
    Vector all;
    all.reserve(tokens_ * w.rows);
    for (std::size_t t = 0; t < tokens_; ++t) {
      const auto begin = in.begin() + static_cast<std::ptrdiff_t>(t * w.cols);
      Vector x(begin, begin + static_cast<std::ptrdiff_t>(w.cols));
      if (!w.input_norm.empty()) {
        x = ReferenceNorm(x, w.input_norm, model_.projection_norm_eps);
      }
      TokenInput input{x, 1, 1};
      if (w.is_ternary() && model_.int8_input) input = Quantize(x);
      distance_[t] = std::min(distance_[t], input.boundary_distance);
      const Vector y = Times(w, input);
      all.insert(all.end(), y.begin(), y.end());
    }
    return all;
  }

 private:
  const ReferenceModel& model_;
  std::size_t tokens_;
  Vector& distance_;
};

// Rotates all heads of x [tokens][heads][head_dim], halves against each other.
void Rotate(const ReferenceModel& model, std::size_t tokens, Vector& x) {
  const std::size_t half = model.head_dim / 2;
  const std::size_t heads = x.size() / tokens / model.head_dim;
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t h = 0; h < heads; ++h) {
      double* head = x.data() + (t * heads + h) * model.head_dim;
      for (std::size_t i = 0; i < half; ++i) {
        const double angle = static_cast<double>(t) * model.frequencies[i];
        const double cos = std::cos(angle) * model.magnitude;
        const double sin = std::sin(angle) * model.magnitude;
        const double a = head[i];
        const double b = head[half + i];
        head[i] = a * cos - b * sin;
        head[half + i] = b * cos + a * sin;
      }
    }
  }
}

// One query head over the keys and values of positions 0 .. position.
void AttendHead(const ReferenceModel& model, const double* q, const double* k,
                const double* v, std::size_t position, double* out) {
  const std::size_t head_dim = model.head_dim;
  const std::size_t stride = model.kv_heads * head_dim;
  Vector weights(position + 1);
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

Vector Attend(const ReferenceModel& m, std::size_t tokens, const Vector& q,
              const Vector& k, const Vector& v) {
  Vector out(q.size());
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t h = 0; h < m.heads; ++h) {
      const std::size_t kv = h / (m.heads / m.kv_heads) * m.head_dim;
      const std::size_t head = (t * m.heads + h) * m.head_dim;
      AttendHead(m, q.data() + head, k.data() + kv, v.data() + kv, t,
                 out.data() + head);
    }
  }
  return out;
}

Vector NormIfAny(const Vector& x, const std::vector<float>& weight,
                 double eps) {
  return weight.empty() ? x : ReferenceNorm(x, weight, eps);
}

void Add(const Vector& y, Vector& x) {
  for (std::size_t i = 0; i < y.size(); ++i) x[i] += y[i];
}

// gate and up become the input of down_proj.
Vector Gated(bool silu, const Vector& gate, const Vector& up) {
  Vector out(gate.size());
  for (std::size_t i = 0; i < gate.size(); ++i) {
    const double relu = std::max(gate[i], 0.0);
    const double activated =
        silu ? gate[i] / (1 + std::exp(-gate[i])) : relu * relu;
    out[i] = activated * up[i];
  }
  return out;
}

}  // namespace

std::vector<double> RotaryFrequencies(double theta, std::size_t head_dim) {
  Vector frequencies(head_dim / 2);
  for (std::size_t i = 0; i < head_dim / 2; ++i) {
    frequencies[i] = std::pow(
        theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
  }
  return frequencies;
}

std::vector<double> ReferenceNorm(const std::vector<double>& x,
                                  const std::vector<float>& weight,
                                  double eps) {
  Vector out(x.size());
  for (std::size_t row = 0; row < x.size(); row += weight.size()) {
    double squares = 0;
    for (std::size_t i = 0; i < weight.size(); ++i) {
      squares += x[row + i] * x[row + i];
    }
    const double root =
        std::sqrt(squares / static_cast<double>(weight.size()) + eps);
    for (std::size_t i = 0; i < weight.size(); ++i) {
      out[row + i] = weight[i] * x[row + i] / root;
    }
  }
  return out;
}

LayerResult RunReferenceLayer(const ReferenceModel& model, std::size_t layer,
                              std::size_t tokens, std::vector<double> x) {
  const ReferenceLayer& w = model.layers[layer];
  LayerResult result{std::move(x), Vector(tokens, 1.0)};
  const Projections project(model, tokens, result.boundary_distance);

  const Vector h = ReferenceNorm(result.x, w.attn_norm, model.norm_eps);
  Vector q = NormIfAny(project.Run(w.q, h), w.q_norm, model.norm_eps);
  Vector k = NormIfAny(project.Run(w.k, h), w.k_norm, model.norm_eps);
  Rotate(model, tokens, q);
  Rotate(model, tokens, k);
  const Vector heads =
      NormIfAny(Attend(model, tokens, q, k, project.Run(w.v, h)),
                w.attn_sub_norm, model.norm_eps);
  Add(project.Run(w.o, heads), result.x);

  const Vector h2 = ReferenceNorm(result.x, w.ffn_norm, model.norm_eps);
  const Vector gated = NormIfAny(
      Gated(model.silu, project.Run(w.gate, h2), project.Run(w.up, h2)),
      w.ffn_sub_norm, model.norm_eps);
  Add(project.Run(w.down, gated), result.x);
  return result;
}

ReferenceOutput RunReference(const ReferenceModel& model,
                             const std::vector<std::int32_t>& ids) {
  const std::size_t hidden = model.hidden();
  Vector x;
  for (const std::int32_t id : ids) {
    for (std::size_t c = 0; c < hidden; ++c) {
      x.push_back(model.embedding.Value(static_cast<std::size_t>(id), c));
    }
  }
  ReferenceOutput out;
  out.boundary_distance.assign(ids.size(), 1.0);
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    out.hidden.push_back(x);
    LayerResult layer = RunReferenceLayer(model, i, ids.size(), std::move(x));
    x = std::move(layer.x);
    for (std::size_t t = 0; t < ids.size(); ++t) {
      out.boundary_distance[t] =
          std::min(out.boundary_distance[t], layer.boundary_distance[t]);
    }
  }
  for (std::size_t t = 1; t < ids.size(); ++t) {
    out.boundary_distance[t] =
        std::min(out.boundary_distance[t], out.boundary_distance[t - 1]);
  }
  x = ReferenceNorm(x, model.output_norm, model.norm_eps);
  for (std::size_t t = 0; t < ids.size(); ++t) {
    const auto begin = x.begin() + static_cast<std::ptrdiff_t>(t * hidden);
    const Vector token(begin, begin + static_cast<std::ptrdiff_t>(hidden));
    const Vector logits = Times(model.Head(), {token, 1, 1});
    out.logits.insert(out.logits.end(), logits.begin(), logits.end());
  }
  out.hidden.push_back(std::move(x));
  return out;
}

void TernarizeByAbsmean(ReferenceMatrix& matrix) {
  double sum = 0;
  for (const float v : matrix.values) sum += std::abs(v);
  const auto mean =
      static_cast<float>(sum / static_cast<double>(matrix.values.size()));
  const float s = 1.0F / std::max(mean, 1e-5F);
  matrix.trits.clear();
  for (const float v : matrix.values) {
    matrix.trits.push_back(static_cast<std::int8_t>(
        std::clamp(std::nearbyint(v * s), -1.0F, 1.0F)));
  }
  matrix.block = matrix.cols;
  matrix.scales.assign(matrix.rows, 1.0F / s);
}

}  // namespace tern::testing
