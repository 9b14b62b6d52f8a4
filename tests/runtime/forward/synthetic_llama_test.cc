// Models of architecture llama with int8 activations, from the bytes of their
// files to the logits.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include <gtest/gtest.h>

#include "runtime/checkpoint/checkpoint.h"
#include "tests/runtime/checkpoint/compare.h"
#include "tests/runtime/forward/expect_logits.h"

namespace tern::testing {
namespace {

using Linears = HfForm::Linears;
using nlohmann::json;

// Heads wider than hidden / heads, an untied head, a vocabulary that fills no
// tile.
SyntheticShape Falcon3() {
  SyntheticShape shape;
  shape.heads = 3;
  shape.kv_heads = 1;
  shape.head_dim = 128;
  shape.vocab = 100;
  shape.theta = 1000042;
  shape.norm_eps = 1e-6;
  shape.reciprocal_scales = true;
  return shape;
}

class SyntheticLlama : public ::testing::Test {
 protected:
  ModelFiles files_;
};

TEST_F(SyntheticLlama, Falcon3PackedByTheDivideRule) {
  const SyntheticShape shape = Falcon3();
  const ReferenceModel model = RandomModel(shape, 1);
  ExpectReference(files_.Write(HuggingFaceOf(
                      shape, model, {.linears = Linears::kPackedDivide})),
                  model);
}

TEST_F(SyntheticLlama, Falcon3AsI2SWithPermutedRows) {
  const SyntheticShape shape = Falcon3();
  const ReferenceModel model = RandomModel(shape, 1);
  ExpectReference(files_.Write(GgufOf(shape, model, {})), model);
}

TEST_F(SyntheticLlama, BothFormsOfFalcon3AreOneModel) {
  const SyntheticShape shape = Falcon3();
  const ReferenceModel model = RandomModel(shape, 2);
  const auto gguf = files_.Write(GgufOf(shape, model, {}));
  const auto folder = files_.Write(
      HuggingFaceOf(shape, model, {.linears = Linears::kPackedDivide}));
  checkpoint::ExpectSameWeights(checkpoint::Open(gguf),
                                checkpoint::Open(folder));
  const auto ids = RandomIds(model, 20, 3);
  const std::vector<float> a = LogitsOf(Model::Load(gguf), ids);
  const std::vector<float> b = LogitsOf(Model::Load(folder), ids);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-4);
}

// The scale of a divide file is a reciprocal, that of a multiply file not.
TEST_F(SyntheticLlama, PackedByTheMultiplyRule) {
  SyntheticShape shape = Falcon3();
  shape.reciprocal_scales = false;
  const ReferenceModel model = RandomModel(shape, 3);
  ExpectReference(files_.Write(HuggingFaceOf(shape, model, {})), model);
}

TEST_F(SyntheticLlama, MastersAreTernarisedWhenLoaded) {
  SyntheticShape shape = Falcon3();
  shape.masters = true;
  const ReferenceModel model = RandomModel(shape, 4);
  ExpectReference(
      files_.Write(HuggingFaceOf(shape, model, {.linears = Linears::kMaster})),
      model);
}

TEST_F(SyntheticLlama, SharesTheEmbeddingIfTied) {
  SyntheticShape shape;
  shape.tied = true;
  const ReferenceModel model = RandomModel(shape, 5);
  ExpectReference(files_.Write(GgufOf(shape, model, {})), model);
  ExpectReference(files_.Write(HuggingFaceOf(shape, model, {})), model);
}

// ------------------------------------------------- norms of projections

TEST_F(SyntheticLlama, FalconEInShardsByTheMultiplyRule) {
  SyntheticShape shape;
  shape.projection_norms = true;
  const ReferenceModel model = RandomModel(shape, 6);
  ExpectReference(files_.Write(HuggingFaceOf(shape, model, {}), 3), model);
}

TEST_F(SyntheticLlama, FalconEInShardsByTheDivideRule) {
  SyntheticShape shape;
  shape.projection_norms = true;
  shape.reciprocal_scales = true;
  const ReferenceModel model = RandomModel(shape, 7);
  ExpectReference(
      files_.Write(
          HuggingFaceOf(shape, model, {.linears = Linears::kPackedDivide}), 2),
      model);
}

TEST_F(SyntheticLlama, FalconEWithoutAnEpsilonOfItsProjections) {
  SyntheticShape shape;
  shape.projection_norms = true;
  const ReferenceModel model = RandomModel(shape, 14);
  HfParts parts = HuggingFaceOf(shape, model, {});
  parts.config["quantization_config"].erase("rms_norm_eps");
  ExpectReference(files_.Write(parts), model);
}

// An epsilon of its own counts where the input is small.
TEST_F(SyntheticLlama, FalconEUsesTheEpsilonOfItsProjections) {
  SyntheticShape shape;
  shape.projection_norms = true;
  ReferenceModel model = RandomModel(shape, 8);
  model.projection_norm_eps = 0.5;
  HfParts parts = HuggingFaceOf(shape, model, {});
  parts.config["quantization_config"]["rms_norm_eps"] = 0.5;
  ExpectReference(files_.Write(parts), model);
}

// --------------------------------------------------- scaled rotary positions

// As defined with Llama 3.1: long waves are slowed by the factor, short ones
// kept, those between mixed.
std::vector<double> Llama3Frequencies(const std::vector<double>& frequencies,
                                      double factor, double low, double high,
                                      double context) {
  std::vector<double> scaled;
  for (const double f : frequencies) {
    const double wave = 2 * std::numbers::pi / f;
    if (wave < context / high) {
      scaled.push_back(f);
    } else if (wave > context / low) {
      scaled.push_back(f / factor);
    } else {
      const double smooth = (context / wave - low) / (high - low);
      scaled.push_back((1 - smooth) * f / factor + smooth * f);
    }
  }
  return scaled;
}

// Waves of 6 to 40000 positions, so that 64 separates them.
ReferenceModel Llama3Scaled(const SyntheticShape& shape) {
  ReferenceModel model = RandomModel(shape, 9);
  model.frequencies = Llama3Frequencies(model.frequencies, 8, 1, 4, 64);
  return model;
}

TEST_F(SyntheticLlama, Llama3ScalingOfHuggingFace) {
  const SyntheticShape shape;
  const ReferenceModel model = Llama3Scaled(shape);
  HfParts parts = HuggingFaceOf(shape, model, {});
  parts.config["rope_scaling"] = {{"rope_type", "llama3"},
                                  {"factor", 8.0},
                                  {"low_freq_factor", 1.0},
                                  {"high_freq_factor", 4.0},
                                  {"original_max_position_embeddings", 64}};
  ExpectReference(files_.Write(parts), model);
}

// Newer versions of transformers write both into rope_parameters.
TEST_F(SyntheticLlama, Llama3ScalingInRopeParameters) {
  const SyntheticShape shape;
  const ReferenceModel model = Llama3Scaled(shape);
  HfParts parts = HuggingFaceOf(shape, model, {});
  parts.config.erase("rope_theta");
  parts.config["rope_parameters"] = {
      {"rope_type", "llama3"},   {"rope_theta", shape.theta},
      {"factor", 8.0},           {"low_freq_factor", 1.0},
      {"high_freq_factor", 4.0}, {"original_max_position_embeddings", 64}};
  ExpectReference(files_.Write(parts), model);
}

// GGUF stores the divisor of each frequency.
TEST_F(SyntheticLlama, Llama3ScalingOfGguf) {
  const SyntheticShape shape;
  ReferenceModel model = Llama3Scaled(shape);
  const std::vector<double> plain =
      RotaryFrequencies(shape.theta, shape.head_dim);
  std::vector<float> divisors;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    divisors.push_back(static_cast<float>(plain[i] / model.frequencies[i]));
  }
  test::GgufParts parts = GgufOf(shape, model, {});
  parts.tensors.push_back({"rope_freqs.weight",
                           {divisors.size()},
                           gguf::kF32,
                           EncodeFloats(divisors, gguf::kF32),
                           {}});
  ExpectReference(files_.Write(parts), model);
}

TEST_F(SyntheticLlama, LinearScaling) {
  const SyntheticShape shape;
  ReferenceModel model = RandomModel(shape, 10);
  for (double& f : model.frequencies) f /= 4;
  for (const char* key : {"rope_type", "type"}) {  // new and old spelling
    HfParts parts = HuggingFaceOf(shape, model, {});
    parts.config["rope_scaling"] = {{key, "linear"}, {"factor", 4.0}};
    ExpectReference(files_.Write(parts), model);
  }
  test::GgufParts parts = GgufOf(shape, model, {});
  parts.keys.push_back({"llama.rope.scaling.type", test::Text("linear")});
  parts.keys.push_back({"llama.rope.scaling.factor", test::F32(4)});
  ExpectReference(files_.Write(parts), model);
}

// Peng et al. 2023, arXiv 2309.00071: frequencies that make more than beta_fast
// turns over the original context stay, those of fewer than beta_slow are
// divided, in between a ramp over the whole indexes around them.
ReferenceModel YarnScaled(const SyntheticShape& shape) {
  constexpr double kFactor = 4;
  constexpr double kContext = 64;
  ReferenceModel model = RandomModel(shape, 13);
  const auto index = [&](double turns) {
    return static_cast<double>(shape.head_dim) *
           std::log(kContext / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(shape.theta));
  };
  const double low = std::max(std::floor(index(32)), 0.0);
  const double high = std::ceil(index(1));
  for (std::size_t i = 0; i < model.frequencies.size(); ++i) {
    const double ramp =
        std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    model.frequencies[i] *= ramp / kFactor + 1 - ramp;
  }
  model.magnitude = 0.1 * std::log(kFactor) + 1;
  return model;
}

TEST_F(SyntheticLlama, YarnScaling) {
  const SyntheticShape shape;
  const ReferenceModel model = YarnScaled(shape);
  HfParts parts = HuggingFaceOf(shape, model, {});
  parts.config["rope_scaling"] = {{"rope_type", "yarn"},
                                  {"factor", 4.0},
                                  {"original_max_position_embeddings", 64}};
  ExpectReference(files_.Write(parts), model);
  test::GgufParts gguf = GgufOf(shape, model, {});
  gguf.keys.push_back({"llama.rope.scaling.type", test::Text("yarn")});
  gguf.keys.push_back({"llama.rope.scaling.factor", test::F32(4)});
  gguf.keys.push_back(
      {"llama.rope.scaling.original_context_length", test::U32(64)});
  ExpectReference(files_.Write(gguf), model);
}

// ------------------------------------------------------------- GGUF keys

TEST_F(SyntheticLlama, KeysThatMayBeMissingHaveTheirDefaults) {
  SyntheticShape shape;
  shape.kv_heads = shape.heads;
  const ReferenceModel model = RandomModel(shape, 11);
  test::GgufParts parts = GgufOf(shape, model, {});
  for (const char* key :
       {"vocab_size", "attention.head_count_kv", "attention.key_length",
        "attention.value_length", "rope.freq_base", "rope.dimension_count"}) {
    parts.RemoveKey(std::string("llama.") + key);
  }
  const auto path = files_.Write(parts);
  ExpectReference(path, model);
  EXPECT_EQ(Model::Load(path)->config().vocab_size, shape.vocab);
  EXPECT_EQ(Model::Load(path)->config().rope_theta, 10000.0F);
}

// The defaults of LlamaConfig, on which published files rely.
TEST_F(SyntheticLlama, SettingsThatMayBeMissingHaveTheirDefaults) {
  SyntheticShape shape;
  shape.kv_heads = shape.heads;
  const ReferenceModel model = RandomModel(shape, 15);
  for (const char* key : {"head_dim", "num_key_value_heads", "rope_theta",
                          "tie_word_embeddings"}) {
    SCOPED_TRACE(key);
    HfParts parts = HuggingFaceOf(shape, model, {});
    parts.config.erase(key);
    ExpectReference(files_.Write(parts), model);
  }
}

// ------------------------------------------------------ orders of I2_S

// Blocks of 128 run over the ends of rows of 192.
TEST_F(SyntheticLlama, I2SOfShortRowsIsReadFlat) {
  SyntheticShape shape;
  shape.hidden = 192;
  shape.ffn = 320;
  const ReferenceModel model = RandomModel(shape, 16);
  ExpectReference(files_.Write(GgufOf(shape, model, {})), model);
}

TEST_F(SyntheticLlama, LayoutsBAndCOfI2SAreReadWhenNamed) {
  const SyntheticShape shape = Falcon3();
  const ReferenceModel model = RandomModel(shape, 12);
  const auto b = files_.Write(GgufOf(shape, model, {.i2s_layout = 'B'}));
  const auto c = files_.Write(GgufOf(shape, model, {.i2s_layout = 'C'}));
  LoadOptions options;
  options.i2s_layout = I2SLayout::kB;
  ExpectReference(b, model, options);
  options.i2s_layout = I2SLayout::kC;
  ExpectReference(c, model, options);
}

}  // namespace
}  // namespace tern::testing
