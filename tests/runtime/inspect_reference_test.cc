// Inspect on models as published and as other programs write them.
#include <cmath>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include <tern/inspect.h>

namespace tern {
namespace {

namespace fs = std::filesystem;

ModelReport Look(const std::string& name) {
  return Inspect(fs::path(TERN_REFERENCE_DIR) / name);
}

TEST(InspectReference, SoundModels) {
  for (const char* name :
       {"models/books-14m-packed", "models/books-14m-master",
        "models/books-14m-fp16", "models/books-79m-packed",
        "gguf/books-14m.i2_s.gguf", "gguf/books-79m.tq2_0.gguf",
        "gguf/books-14m.published-metadata.i2_s.gguf"}) {
    const ModelReport report = Look(name);
    EXPECT_EQ(report.problems, std::vector<std::string>{}) << name;
    EXPECT_TRUE(report.memory.has_value()) << name;
    EXPECT_NE(report.tokenizer.find("llama-bpe"), std::string::npos)
        << report.tokenizer;
  }
}

// The packed directory and its GGUF hold the same weights.
TEST(InspectReference, SharesDoNotDependOnTheFormat) {
  const ModelReport a = Look("models/books-14m-packed");
  const ModelReport b = Look("gguf/books-14m.i2_s.gguf");
  const auto find = [](const ModelReport& report, const std::string& name) {
    for (const TensorReport& tensor : report.tensors) {
      if (tensor.name == name) return tensor;
    }
    ADD_FAILURE() << name;
    return TensorReport();
  };
  const TensorReport x = find(a, "model.layers.3.mlp.down_proj.weight");
  const TensorReport y = find(b, "blk.3.ffn_down.weight");
  EXPECT_EQ(x.share_minus, y.share_minus);
  EXPECT_EQ(x.share_zero, y.share_zero);
  EXPECT_EQ(x.share_plus, y.share_plus);
  EXPECT_EQ(x.scale_max, y.scale_max);
  EXPECT_GT(x.share_zero, 0.1);
  EXPECT_LT(x.share_zero, 0.9);
}

TEST(InspectReference, FilesOfEveryKindAreSoundAndExplained) {
  for (const char* name :
       {"gguf/zl-llama-256.i2_s.gguf", "gguf/zl-llama-256.iq1_bn.gguf",
        "gguf/zb-bitnet-256.tq1_0.gguf", "gguf/zb-bitnet-256.iq2_bn.gguf",
        "gguf/zb-bitnet-256.f16.gguf", "models/zoo/z2-llama-bitlinear",
        "models/zoo/z3-trilm-unpacked", "models/zoo/z4-falcon-e-offline"}) {
    const ModelReport report = Look(name);
    EXPECT_EQ(report.problems, std::vector<std::string>()) << name;
    EXPECT_TRUE(report.config.has_value()) << name;
    ASSERT_TRUE(report.memory.has_value()) << name;
    EXPECT_GT(report.memory->ternary_bytes, 0U) << name;
    EXPECT_EQ(report.memory->dense_bytes, 0U) << name;
  }
}

TEST(InspectReference, FilesThatCannotBeRunSayWhyAndAreListed) {
  for (const char* name : {"tokenizers/ggml-vocab-gpt-2.gguf",
                           "tokenizers/ggml-vocab-llama-spm.gguf"}) {
    const ModelReport report = Look(name);
    EXPECT_FALSE(report.problems.empty()) << name;
    EXPECT_FALSE(report.metadata.empty()) << name;
  }
  EXPECT_FALSE(
      Look("gguf/zb-bitnet-256.CORRUPT-2threads.i2_s.gguf").problems.empty());
}

}  // namespace
}  // namespace tern
