// Random models of any architecture and their files, so that every form that
// tern reads is run from its bytes to its logits.  All numbers are such that
// float32, f16 and bf16 hold them exactly: a file in another form holds the
// same model.
#ifndef TERN_TESTS_SUPPORT_SYNTHETIC_MODEL_H_
#define TERN_TESTS_SUPPORT_SYNTHETIC_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/runtime/files/tiny_model.h"
#include "tests/support/reference_model.h"
#include "tests/support/ternary_encoders.h"

namespace tern::testing {

struct SyntheticShape {
  std::string architecture = "llama";  // as GGUF and ModelConfig call it
  std::size_t hidden = 256;
  std::size_t ffn = 512;
  std::size_t layers = 2;
  std::size_t heads = 4;
  std::size_t kv_heads = 2;
  std::size_t head_dim = 64;
  std::size_t vocab = 96;
  bool tied = false;
  bool int8_input = true;
  bool projection_norms = false;
  double theta = 10000;
  double norm_eps = 1e-5;
  // Scales of a ternary matrix: one; or one for each block of so many columns;
  // or one for each of so many slices, of columns for o and down, of rows for
  // the others.
  std::size_t group = 0;
  std::size_t slices = 1;
  bool reciprocal_scales = false;  // 1 / s is a bf16 rather than s
  bool masters = false;            // ternarised from bf16 weights
  bool ternary_embedding = false;  // and head, in groups
};

// Squared ReLU for bitnet-b1.58, sub-norms for bitnet*, norms of heads for
// qwen3.  Row 1 of every ternary matrix is zero.  The logits have a standard
// deviation of about 2.
ReferenceModel RandomModel(const SyntheticShape& shape, unsigned seed);

// `count` ids below the vocabulary's size.
std::vector<std::int32_t> RandomIds(const ReferenceModel& model,
                                    std::size_t count, unsigned seed);

// --------------------------------------------------------------- GGUF

struct GgufForm {
  std::uint32_t linear_type = gguf::kI2S;
  char i2s_layout = 'A';
  std::uint32_t embedding_type = gguf::kF16;
  std::uint32_t head_type = gguf::kF16;
  // `.scale` tensors beside the layers, whose own scale is 1.
  bool scale_tensors = false;
};

// Rows of q and k are permuted for architecture llama.  No tokenizer.
test::GgufParts GgufOf(const SyntheticShape& shape, const ReferenceModel& model,
                       const GgufForm& form);

// -------------------------------------------------------- Hugging Face

struct HfForm {
  enum class Linears {
    kPackedMultiply,
    kPackedDivide,
    kMaster,     // autobitlinear, online
    kOneBitLlm,  // masters with the names and the config.json of 1bitLLM
    kUnpacked,   // the ternary values as floats
  };
  Linears linears = Linears::kPackedMultiply;
  const char* float_type = "BF16";  // of everything but packed weights
};

struct HfParts {
  nlohmann::json config;
  test::SafetensorsParts tensors;
};

HfParts HuggingFaceOf(const SyntheticShape& shape, const ReferenceModel& model,
                      const HfForm& form);

// config.json and model.safetensors, or with more than one shard
// model-0000i-of-0000n.safetensors and model.safetensors.index.json.
void WriteHuggingFace(const HfParts& parts,
                      const std::filesystem::path& directory,
                      std::size_t shards = 1);

}  // namespace tern::testing

#endif  // TERN_TESTS_SUPPORT_SYNTHETIC_MODEL_H_
