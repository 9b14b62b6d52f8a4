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
    EXPECT_EQ(report.warnings, std::vector<std::string>()) << name;
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
}

// A quantiser with two threads: all 14 matrices are wrong, and say by how much.
TEST(InspectReference, AFileWrittenByTwoThreadsIsExplained) {
  const ModelReport report =
      Look("gguf/zb-bitnet-256.CORRUPT-2threads.i2_s.gguf");
  EXPECT_EQ(report.problems.size(), 14U);
  EXPECT_EQ(report.tensors.size(), 24U);
  EXPECT_FALSE(report.runs);
  EXPECT_NE(report.verdict.find("one thread"), std::string::npos);
  for (const TensorReport& tensor : report.tensors) {
    EXPECT_EQ(tensor.verdict.find("two threads") != std::string::npos,
              tensor.type == "I2_S")
        << tensor.name;
  }
}

TEST(InspectReference, RowsThatAreNoWholeBlocksAreExplained) {
  const ModelReport report =
      Look("gguf/z1-bitnet-2b4t-packed.K640-UNSOUND.tq2_0.gguf");
  EXPECT_EQ(report.problems.size(), 2U);
  EXPECT_NE(report.verdict.find("convert the model to I2_S"),
            std::string::npos);
}

// The published 2B4T file lacks the key; the rest of it is sound.
TEST(InspectReference, WhatIsInferredOfThePublishedMetadata) {
  const ModelReport report =
      Look("gguf/books-14m.published-metadata.i2_s.gguf");
  EXPECT_TRUE(report.runs);
  EXPECT_EQ(report.warnings, std::vector<std::string>{});
  bool is_told = false;
  for (const std::string& line : report.inferred) {
    is_told = is_told ||
              line.find("tokenizer.ggml.pre is missing") != std::string::npos;
  }
  EXPECT_TRUE(is_told);
}

}  // namespace
}  // namespace tern
