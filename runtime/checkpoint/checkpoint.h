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
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tern/model.h>

#include "packing/t2.h"
#include "packing/ternary_matrix.h"
#include "runtime/files/on_fault.h"
#include "runtime/files/stored_tensor.h"

namespace tern::checkpoint {

// What the bytes of a linear layer are.
enum class LinearKind {
  kTernary,   // codes and scales: I2_S, TQ2_0, Hugging Face packed, ...
  kMaster,    // floats to be ternarised by absmean (quantization_mode online)
  kUnpacked,  // floats that are -s, 0 and +s already (packing/unpacked.h)
  kDense,     // floats that are the weights
};

// One linear layer, W [rows][cols].
struct LinearSource {
  LinearKind kind = LinearKind::kDense;
  std::size_t rows = 0;
  std::size_t cols = 0;
  files::StoredTensor weight;
  // A scale of its own, one element: `weight_scale` of Hugging Face packed
  // weights, `.scale` of GGUF architecture bitnet.  It is a multiplier of all
  // weights or, with scale_is_divisor (linear_class bitlinear), its reciprocal.
  std::optional<files::StoredTensor> scale;
  bool scale_is_divisor = false;
  // The multipliers of T2 codes, which all have them (packing/t2.h).
  std::optional<files::StoredTensor> multipliers;
  // Not 0: the rows of this many heads are stored in the order of interleaved
  // rotary pairs (GGUF architecture llama, q and k); ReadLinear and ReadDense
  // give them in that of halves, which the forward pass rotates.
  std::size_t interleaved_heads = 0;
  I2SLayout i2s_layout = I2SLayout::kA;  // if the type is I2_S
  // An RMSNorm of the layer's input, its own (Falcon-E): [cols].
  std::optional<files::StoredTensor> input_norm;
};

struct LayerSource {
  files::StoredTensor attn_norm;  // [hidden]
  LinearSource q, k, v;           // [heads * head_dim or kv][hidden]
  // [head_dim], if config.head_norms
  std::optional<files::StoredTensor> q_norm, k_norm;
  // [heads * head_dim], if config.sub_norms
  std::optional<files::StoredTensor> attn_sub_norm;
  LinearSource o;                // [hidden][heads * head_dim]
  files::StoredTensor ffn_norm;  // [hidden]
  LinearSource gate, up;         // [ffn][hidden]
  std::optional<files::StoredTensor> ffn_sub_norm;  // [ffn], as attn_sub_norm
  LinearSource down;                                // [hidden][ffn]
};

struct Checkpoint {
  std::filesystem::path path;
  // Every file that is read for it, here, for its weights or its tokenizer;
  // those of the tokenizer need not exist.
  std::set<std::filesystem::path> files;
  std::string format;  // "GGUF v3", "Hugging Face, packed bitnet", ...
  ModelConfig config;
  LinearSource embedding;            // [vocab][hidden]
  std::optional<LinearSource> head;  // [vocab][hidden], if not tied
  files::StoredTensor output_norm;   // [hidden]
  std::vector<LayerSource> layers;   // [num_layers]
};

// What the files do not say, or say wrongly (LoadOptions).
struct OpenOptions {
  std::optional<InputType> input_type = std::nullopt;
  I2SLayout i2s_layout = I2SLayout::kA;
};

// Opens a GGUF file, a Hugging Face directory or a .safetensors file beside its
// config.json.  Every tensor that the architecture needs is there with the
// right shape and a type that can be read, and there is no tensor and no
// setting that would change the result and is not understood; otherwise throws
// Error saying which and what to do.
//
// With an `on_fault` that returns, binds what can be bound in spite of the
// faults: the members of a tensor that is missing or unfit have no file
// (weight.file is null).  Throws Error only where the configuration cannot be
// read far enough for that, after telling it to on_fault, too.
Checkpoint Open(const std::filesystem::path& path,
                const OpenOptions& options = {},
                const files::OnFault& on_fault = files::ThrowFault);

// The multipliers of a layer of type T2.  Throws Error naming their tensor for
// a shape or a value that they cannot have.
packing::T2Scales ReadMultipliers(const LinearSource& source);

// A multiplier beside the codes is the mean |w| of the weights that were
// trained: about 0.01 to 2 in published models, its reciprocal 0.5 to 100.
// Above this the configuration names the wrong one of the two rules (multiply
// or divide), and the layer is refused.
inline constexpr float kMaxMultiplier = 10;

// The tiles of a layer of type T2 into `tiles` [weight.bytes], checked as
// packing::CheckT2 and against holes.  Throws Error naming the tensor.
void ReadTiles(const LinearSource& source, const packing::T2Scales& scales,
               std::span<std::uint8_t> tiles);
// The same for tiles that are in memory.
void CheckTiles(const LinearSource& source, const packing::T2Scales& scales,
                std::span<const std::uint8_t> tiles);

// What ReadLinear takes at most: the stored bytes, or a few MB of the floats,
// and the codes.
std::uint64_t ReadLinearBytes(const LinearSource& source);

// The canonical form of a layer that is not kDense, rows in the order of rotary
// halves.  Throws Error naming the tensor for code 3, bad scales, weights that
// are not finite, and kUnpacked weights that are not ternary after all.
packing::TernaryMatrix ReadLinear(const LinearSource& source);

// The stored bytes of rows [row_begin, row_end) of a kDense layer in the order
// of rotary halves; with interleaved_heads, the rows of whole heads.  Throws
// Error for values that are not finite.
void ReadDense(const LinearSource& source, std::size_t row_begin,
               std::size_t row_end, std::span<std::uint8_t> bytes);

// The same as floats; also of an embedding or a head.
void ReadDenseFloats(const LinearSource& source, std::size_t row_begin,
                     std::size_t row_end, std::span<float> values);

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_CHECKPOINT_H_
