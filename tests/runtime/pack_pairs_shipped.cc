#include "tests/runtime/files/tiny_model.h"
#include "tests/runtime/pack_pairs.h"
#include "tests/support/golden.h"
#include "tests/support/synthetic_model.h"
#include "tests/support/temporary_directory.h"

namespace tern::testing {
namespace {

namespace fs = std::filesystem;

fs::path Gguf(const TemporaryDirectory& directory, const std::string& name,
              const SyntheticShape& shape, const GgufForm& form,
              const std::vector<test::GgufKey>& more = {}) {
  test::GgufParts parts = GgufOf(shape, RandomModel(shape, 7), form);
  for (const test::GgufKey& key : more) parts.keys.push_back(key);
  const fs::path path = directory / (name + ".gguf");
  WriteFile(path, test::Serialize(parts));
  return path;
}

fs::path HuggingFace(const TemporaryDirectory& directory,
                     const std::string& name, const SyntheticShape& shape,
                     HfForm::Linears linears,
                     const nlohmann::json& rope_scaling = nullptr) {
  HfParts parts =
      HuggingFaceOf(shape, RandomModel(shape, 7), {.linears = linears});
  if (!rope_scaling.is_null()) parts.config["rope_scaling"] = rope_scaling;
  WriteHuggingFace(parts, directory / name);
  return directory / name;
}

// Every architecture, and what only few models have.
std::vector<fs::path> SyntheticModels(const TemporaryDirectory& at) {
  using Linears = HfForm::Linears;
  const SyntheticShape qwen3 = {
      .architecture = "qwen3", .int8_input = false, .group = 128};
  SyntheticShape ternary_head = qwen3;
  ternary_head.ternary_embedding = true;
  SyntheticShape embedding = {.architecture = "qwen3", .tied = true};
  embedding.projection_norms = true;
  const SyntheticShape sliced = {.int8_input = false, .slices = 4};
  const SyntheticShape masters = {.architecture = "bitnet", .masters = true};
  const SyntheticShape reciprocal = {.reciprocal_scales = true};
  const nlohmann::json llama3 = {{"rope_type", "llama3"},
                                 {"factor", 8.0},
                                 {"low_freq_factor", 1.0},
                                 {"high_freq_factor", 4.0},
                                 {"original_max_position_embeddings", 64}};
  nlohmann::json yarn = {{"rope_type", "yarn"},
                         {"factor", 4.0},
                         {"original_max_position_embeddings", 64}};
  std::vector<fs::path> models = {
      Gguf(at, "qwen3-groups", qwen3, {.linear_type = gguf::kPq2_0}),
      Gguf(at, "qwen3-ternary-head", ternary_head,
           {.linear_type = gguf::kPq2_0,
            .embedding_type = gguf::kPq2_0,
            .head_type = gguf::kPq2_0}),
      HuggingFace(at, "qwen3-embedding-norms", embedding,
                  Linears::kPackedMultiply),
      HuggingFace(at, "llama-sliced", sliced, Linears::kUnpacked),
      HuggingFace(at, "1bitllm", masters, Linears::kOneBitLlm),
      HuggingFace(at, "llama-divide", reciprocal, Linears::kPackedDivide),
      HuggingFace(at, "llama3-rope", {}, Linears::kPackedMultiply, llama3),
      HuggingFace(at, "yarn", {}, Linears::kPackedMultiply, yarn),
      Gguf(at, "yarn-gguf", {}, {.linear_type = gguf::kTq2_0},
           {{"llama.rope.scaling.type", test::Text("yarn")},
            {"llama.rope.scaling.factor", test::F32(4)},
            {"llama.rope.scaling.original_context_length", test::U32(64)}})};
  yarn["attention_factor"] = 1.25;
  models.push_back(
      HuggingFace(at, "yarn-own-factor", {}, Linears::kPackedMultiply, yarn));
  return models;
}

}  // namespace

std::vector<fs::path> ModelsToPack() {
  static const TemporaryDirectory directory;  // until the tests are done
  std::vector<fs::path> models = SyntheticModels(directory);
  for (const fs::path& path : {GoldenDir() / "z1-bitnet-2b4t-packed",
                               GoldenDir() / "zb-bitnet-256.i2_s.gguf",
                               SourceDir() / "models/books-79m.gguf"}) {
    models.push_back(path);
  }
  return models;
}

}  // namespace tern::testing
