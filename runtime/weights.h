// The weights of a model in the form that the forward pass reads.
#ifndef TERN_RUNTIME_WEIGHTS_H_
#define TERN_RUNTIME_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "packing/ternary_matrix.h"
#include "runtime/files/mapped_file.h"
#include "runtime/head/int8_rows.h"
#include "runtime/head/screen.h"
#include "runtime/weight_bytes.h"
#include "ternary_kernels/dense.h"
#include "ternary_kernels/ternary_view.h"

namespace tern {

// A matrix of floats as stored.
struct DenseMatrix {
  kernels::DenseType type = kernels::DenseType::kF32;
  std::size_t rows = 0;
  std::size_t cols = 0;
  WeightBytes data;  // [rows][DenseRowBytes(type, cols)]

  [[nodiscard]] kernels::DenseView View() const {
    return {type, data.data(), rows, cols};
  }
};

// 2-bit codes in tiles (packing/tiles.h) and their multipliers.
struct TernaryWeights {
  WeightBytes tiles;
  packing::ScaleGroup group = packing::ScaleGroup::kMatrix;
  std::size_t block = 0;      // columns a scale covers if group is kBlock
  std::vector<float> scales;  // as in packing::TernaryMatrix

  [[nodiscard]] std::uint64_t bytes() const {
    return tiles.size() + scales.size() * sizeof(float);
  }
};

// One linear layer, W [rows][cols]: ternary or dense.
struct Linear {
  std::size_t rows = 0;
  std::size_t cols = 0;
  bool is_ternary = false;
  TernaryWeights ternary;
  DenseMatrix dense;
  std::vector<float> input_norm;  // [cols], an RMSNorm of its own, or empty

  [[nodiscard]] kernels::TernaryView View() const {
    return {ternary.tiles.data(), rows, cols};
  }
  [[nodiscard]] std::uint64_t bytes() const {
    return input_norm.size() * sizeof(float) +
           (is_ternary ? ternary.bytes() : dense.data.size());
  }
};

struct LayerWeights {
  std::vector<float> attn_norm;       // [hidden]
  Linear q, k, v;                     // [heads or kv_heads * head_dim][hidden]
  std::vector<float> q_norm, k_norm;  // [head_dim], or empty
  std::vector<float> attn_sub_norm;   // [heads * head_dim], or empty
  Linear o;                           // [hidden][heads * head_dim]
  std::vector<float> ffn_norm;        // [hidden]
  Linear gate, up;                    // [ffn][hidden]
  std::vector<float> ffn_sub_norm;    // [ffn], or empty
  Linear down;                        // [hidden][ffn]
};

class Weights {
 public:
  Linear embedding;  // [vocab][hidden]
  Linear head;       // [vocab][hidden]; no rows if tied to the embedding
  // One of these has rows if the model was asked for another form of the head
  // than the stored one (head/head.h).  Where the head is untied and int8_head
  // takes its place, head.dense has no data.
  Int8Rows int8_head;
  ScreenRows screen;
  WeightArena arena;  // of the layers' matrices
  // Of those that are used where they lie in a file, which are so many bytes.
  std::vector<files::MappedFile> files;
  std::uint64_t mapped_bytes = 0;
  std::vector<LayerWeights> layers;
  std::vector<float> output_norm;  // [hidden]

  [[nodiscard]] const Linear& Head() const {
    return head.rows != 0 ? head : embedding;
  }
};

}  // namespace tern

#endif  // TERN_RUNTIME_WEIGHTS_H_
