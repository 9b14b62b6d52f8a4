// The whole forward pass of every architecture in plain loops: what tern should
// compute, from decoded weights.  It shares no code with packing/, the kernels
// or the runtime.  Sums are in double; the one step that is float32 by
// definition is the rounding of activations to int8 (Ma et al. 2024, arXiv
// 2402.17764, as Hugging Face transformers computes it).
#ifndef TERN_TESTS_SUPPORT_REFERENCE_MODEL_H_
#define TERN_TESTS_SUPPORT_REFERENCE_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tern::testing {

// W [rows][cols], ternary or dense.
struct ReferenceMatrix {
  std::size_t rows = 0;
  std::size_t cols = 0;
  // Ternary: each -1, 0 or +1 [rows][cols], times the scale of its row and
  // block of columns [rows][cols / block].
  std::vector<std::int8_t> trits;
  std::size_t block = 1;
  std::vector<float> scales;
  // Dense: [rows][cols].  Beside trits: the master weights they were made of.
  std::vector<float> values;
  // [cols], the weight of an RMSNorm of the input (Falcon-E), or empty.
  std::vector<float> input_norm;

  [[nodiscard]] bool is_ternary() const { return !trits.empty(); }
  [[nodiscard]] float Scale(std::size_t row, std::size_t col) const {
    return scales[row * (cols / block) + col / block];
  }
  [[nodiscard]] float Value(std::size_t row, std::size_t col) const {
    const std::size_t i = row * cols + col;
    return is_ternary() ? static_cast<float>(trits[i]) * Scale(row, col)
                        : values[i];
  }
};

// Shapes as in checkpoint::LayerSource.
struct ReferenceLayer {
  std::vector<float> attn_norm;
  ReferenceMatrix q, k, v;
  std::vector<float> q_norm, k_norm;  // of each head, or empty
  std::vector<float> attn_sub_norm;   // or empty
  ReferenceMatrix o;
  std::vector<float> ffn_norm;
  ReferenceMatrix gate, up;
  std::vector<float> ffn_sub_norm;  // or empty
  ReferenceMatrix down;
};

struct ReferenceModel {
  std::size_t heads = 0;
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;
  bool silu = false;        // otherwise relu(x)^2
  bool int8_input = false;  // of ternary layers; head and embedding: never
  double norm_eps = 1e-5;
  double projection_norm_eps = 1e-6;  // of input_norm
  std::vector<double> frequencies;    // [head_dim / 2], radians a position
  double magnitude = 1;               // of cosines and sines
  ReferenceMatrix embedding;          // [vocab][hidden]
  ReferenceMatrix head;               // no rows: the embedding
  std::vector<float> output_norm;     // [hidden]
  std::vector<ReferenceLayer> layers;

  [[nodiscard]] std::size_t hidden() const { return embedding.cols; }
  [[nodiscard]] std::size_t vocab() const { return embedding.rows; }
  [[nodiscard]] const ReferenceMatrix& Head() const {
    return head.rows == 0 ? embedding : head;
  }
};

// theta^(-2i / head_dim) for i in 0 .. head_dim / 2.
std::vector<double> RotaryFrequencies(double theta, std::size_t head_dim);

struct LayerResult {
  std::vector<double> x;  // [tokens][hidden] after the layer
  // [tokens]: how near the activation nearest to a rounding boundary is, over
  // all quantisers of the layer, in units of the integer; 1 if there is none.
  std::vector<double> boundary_distance;
};

// x [tokens][hidden], positions 0 .. tokens-1.
LayerResult RunReferenceLayer(const ReferenceModel& model, std::size_t layer,
                              std::size_t tokens, std::vector<double> x);

// RMSNorm of rows [..][weight size].
std::vector<double> ReferenceNorm(const std::vector<double>& x,
                                  const std::vector<float>& weight, double eps);

struct ReferenceOutput {
  // hidden[i] [tokens][hidden] is the input of layer i, the last one is taken
  // after the final norm.
  std::vector<std::vector<double>> hidden;
  std::vector<float> logits;  // [tokens][vocab]
  // [tokens], the smallest of any layer at this position or an earlier one: a
  // value that rounds the other way there changes all later positions.
  std::vector<double> boundary_distance;
};

ReferenceOutput RunReference(const ReferenceModel& model,
                             const std::vector<std::int32_t>& ids);

// The ternary form of matrix.values by absmean: in float32, s = 1 / max(mean,
// 1e-5), trit = clamp(round_half_even(w * s)), scale 1 / s, one for the matrix.
void TernarizeByAbsmean(ReferenceMatrix& matrix);

}  // namespace tern::testing

#endif  // TERN_TESTS_SUPPORT_REFERENCE_MODEL_H_
