// A model as its files describe it, format by format turned into one shape:
// what to compute (ModelConfig) and where each weight of each layer lies.
// Nothing large is read here; ReadLinear and files::ReadFloats do that, one
// matrix at a time, for the loader, the packer and the inspector alike.
#ifndef TERN_RUNTIME_CHECKPOINT_CHECKPOINT_H_
#define TERN_RUNTIME_CHECKPOINT_CHECKPOINT_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <tern/model.h>

#include "packing/ternary_matrix.h"
#include "runtime/files/stored_tensor.h"

namespace tern::checkpoint {

// What the bytes of a linear layer are.
enum class LinearKind {
  kTernary,  // codes and scales: I2_S, TQ2_0, Hugging Face packed
  kMaster,   // floats to be ternarised by absmean (quantization_mode online)
  kDense,    // floats that are the weights
};

// One linear layer, W [rows][cols].
struct LinearSource {
  LinearKind kind = LinearKind::kDense;
  std::size_t rows = 0;
  std::size_t cols = 0;
  files::StoredTensor weight;
  // Hugging Face packed only: the tensor `weight_scale`, one element.  It is
  // the multiplier itself (linear_class autobitlinear) or, with
  // scale_is_divisor, its reciprocal (bitlinear).
  std::optional<files::StoredTensor> scale;
  bool scale_is_divisor = false;
};

struct LayerSource {
  files::StoredTensor attn_norm;      // [hidden]
  LinearSource q, k, v;               // [heads * head_dim or kv][hidden]
  files::StoredTensor attn_sub_norm;  // [heads * head_dim]
  LinearSource o;                     // [hidden][heads * head_dim]
  files::StoredTensor ffn_norm;       // [hidden]
  LinearSource gate, up;              // [ffn][hidden]
  files::StoredTensor ffn_sub_norm;   // [ffn]
  LinearSource down;                  // [hidden][ffn]
};

struct Checkpoint {
  std::filesystem::path path;
  // Every file that is read for it, here, for its weights or its tokenizer;
  // those of the tokenizer need not exist.
  std::set<std::filesystem::path> files;
  std::string format;  // "GGUF v3", "Hugging Face, packed bitnet", ...
  ModelConfig config;
  files::StoredTensor embedding;            // [vocab][hidden]
  std::optional<files::StoredTensor> head;  // [vocab][hidden], if not tied
  files::StoredTensor output_norm;          // [hidden]
  std::vector<LayerSource> layers;          // [num_layers]
};

// Opens a GGUF file, a Hugging Face directory or a .safetensors file beside its
// config.json.  Every tensor that the architecture needs is there with the
// right shape and a type that can be read, and there is no tensor and no
// setting that would change the result and is not understood; otherwise throws
// Error saying which and what to do.
Checkpoint Open(const std::filesystem::path& path);

// What ReadLinear takes at most: the stored bytes or floats, and the codes.
std::uint64_t ReadLinearBytes(const LinearSource& source);

// The canonical form of a kTernary or kMaster layer.  Throws Error naming the
// tensor for code 3, bad scales, weights that are not finite.
packing::TernaryMatrix ReadLinear(const LinearSource& source);

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_CHECKPOINT_H_
