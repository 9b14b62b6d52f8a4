// Models that are accepted, and what is made of them; what is refused is in
// tests/runtime/files/damaged_files_test.cc.
#include "runtime/checkpoint/checkpoint.h"

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "packing/half.h"
#include "packing/quantize.h"
#include "tests/runtime/checkpoint/compare.h"
#include "tests/runtime/files/error_of.h"
#include "tests/runtime/files/temporary_directory.h"
#include "tests/runtime/files/tiny_model.h"

namespace tern::checkpoint {
namespace {

using nlohmann::json;
using packing::TernaryMatrix;
using test::Bytes;
using test::ErrorOf;
using test::GgufParts;
using test::SafetensorsParts;
using test::TemporaryDirectory;

const std::string kGolden = TERN_SOURCE_DIR "/tests/golden/";
const std::string kQ = "model.layers.0.self_attn.q_proj.weight";

class CheckpointTest : public testing::Test {
 protected:
  Checkpoint OpenHf(const SafetensorsParts& parts,
                    const json& config = test::TinyConfig(),
                    const OpenOptions& options = {}) {
    directory_.Write("config.json", config.dump());
    directory_.Write("model.safetensors", Serialize(parts));
    return Open(directory_.path(), options);
  }
  Checkpoint OpenConfig(const std::function<void(json&)>& change) {
    json config = test::TinyConfig();
    change(config);
    return OpenHf(test::TinyPacked(), config);
  }
  Checkpoint OpenGguf(const GgufParts& parts) {
    return Open(directory_.Write("model.gguf", Serialize(parts)));
  }
  Checkpoint OpenGguf(const std::function<void(GgufParts&)>& change) {
    GgufParts parts = test::TinyGguf();
    change(parts);
    return OpenGguf(parts);
  }

  TemporaryDirectory directory_;
};

void ExpectFixtureConfig(const ModelConfig& config, std::size_t ffn) {
  EXPECT_EQ(config.architecture, "bitnet-b1.58");
  EXPECT_EQ(config.activation, Activation::kSquaredRelu);
  EXPECT_EQ(config.hidden_size, 256U);
  EXPECT_EQ(config.num_layers, 2U);
  EXPECT_EQ(config.ffn_size, ffn);
  EXPECT_EQ(config.num_heads, 4U);
  EXPECT_EQ(config.num_kv_heads, 2U);
  EXPECT_EQ(config.head_dim, 64U);
  EXPECT_EQ(config.vocab_size, 512U);
  EXPECT_EQ(config.max_context, 512U);
  EXPECT_EQ(config.rope_theta, 500000.0F);
  EXPECT_EQ(config.norm_eps, 1e-5F);
  EXPECT_TRUE(config.tied_head);
}

TEST(Golden, ConfigurationsAreRead) {
  const Checkpoint gguf = Open(kGolden + "zb-bitnet-256.i2_s.gguf");
  EXPECT_EQ(gguf.format, "GGUF v3, I2_S");
  EXPECT_EQ(gguf.config.name, "zb-bitnet-256");
  ExpectFixtureConfig(gguf.config, 512);
  EXPECT_FALSE(gguf.head.has_value());
  const Checkpoint packed = Open(kGolden + "z1-bitnet-2b4t-packed");
  EXPECT_EQ(packed.format, "Hugging Face, packed bitnet");
  ExpectFixtureConfig(packed.config, 640);
  EXPECT_EQ(packed.layers[1].down.rows, 256U);
  EXPECT_EQ(packed.layers[1].down.cols, 640U);
}

// The I2_S file was made from the packed one by another program.
TEST(Golden, I2SHoldsTheWeightsOfItsSource) {
  const Checkpoint gguf = Open(kGolden + "zb-bitnet-256.i2_s.gguf");
  const Checkpoint packed = Open(kGolden + "zb-bitnet-256");
  ASSERT_EQ(Linears(gguf).size(), 14U);
  EXPECT_EQ(Linears(gguf)[0]->kind, LinearKind::kTernary);
  ExpectSameWeights(gguf, packed);
  // The embedding went from bf16 to f16.
  const auto a = Floats(gguf.embedding.weight);
  const auto b = Floats(packed.embedding.weight);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i], b[i], 3e-8);
  }
}

TEST(Golden, ASafetensorsFileBesideItsConfigIsTheSameModel) {
  const Checkpoint file = Open(kGolden + "zb-bitnet-256/model.safetensors");
  ExpectSameWeights(file, Open(kGolden + "zb-bitnet-256"));
}

TEST_F(CheckpointTest, ReadsOnlyTheFileThatIsNamed) {
  OpenHf(test::TinyPacked());
  SafetensorsParts other = test::TinyPacked();
  other.Tensor(kQ + "_scale").data = Bytes(std::uint16_t{0x3e00});  // 1/8
  const Checkpoint model =
      Open(directory_.Write("other.safetensors", Serialize(other)));
  EXPECT_EQ(ReadLinear(model.layers[0].q).scales, (std::vector<float>{0.125F}));
}

// hidden 32: the blocks of 128 run over the ends of rows.
TEST_F(CheckpointTest, I2SOfShortRowsIsUnpackedFlat) {
  const GgufParts parts = test::TinyGguf();
  const TernaryMatrix matrix = ReadLinear(OpenGguf(parts).layers[0].q);
  ASSERT_EQ(matrix.rows, 32U);
  ASSERT_EQ(matrix.cols, 32U);
  EXPECT_EQ(matrix.scales, (std::vector<float>{0.0625F}));
  const auto& stored =
      const_cast<GgufParts&>(parts).Tensor("blk.0.attn_q.weight").data;
  for (std::size_t i = 0; i < 32 * 32; ++i) {
    const auto byte = static_cast<unsigned char>(stored[i / 128 * 32 + i % 32]);
    EXPECT_EQ(matrix.Code(i / 32, i % 32),
              (byte >> (6 - i % 128 / 32 * 2)) & 3U)
        << i;
  }
}

TEST_F(CheckpointTest, TheDivideRuleTakesTheReciprocal) {
  SafetensorsParts divisors = test::TinyPacked();
  for (auto& tensor : divisors.tensors) {
    if (tensor.name.ends_with("weight_scale")) {
      tensor.data = Bytes(std::uint16_t{0x4180});  // 16
    }
  }
  const Checkpoint multiply = OpenHf(test::TinyPacked());
  EXPECT_FALSE(multiply.layers[0].q.scale_is_divisor);
  const TemporaryDirectory other;
  for (const char* linear_class : {"", "bitlinear"}) {
    json config = test::TinyConfig();
    config["quantization_config"] = {{"quant_method", "bitnet"}};
    if (*linear_class != '\0') {
      config["quantization_config"]["linear_class"] = linear_class;
    }
    other.Write("config.json", config.dump());
    other.Write("model.safetensors", Serialize(divisors));
    const Checkpoint divide = Open(other.path());
    EXPECT_TRUE(divide.layers[0].q.scale_is_divisor);
    ExpectSameWeights(multiply, divide);
  }
}

TEST_F(CheckpointTest, AScaleMayBeAScalar) {
  SafetensorsParts parts = test::TinyPacked();
  parts.Tensor(kQ + "_scale").shape = {};
  EXPECT_EQ(ReadLinear(OpenHf(parts).layers[0].q).scales,
            (std::vector<float>{0.0625F}));
}

TEST_F(CheckpointTest, MasterWeightsAreTernarised) {
  SafetensorsParts parts = test::TinyFloats("BF16");
  std::vector<float> weights(32 * 32);
  std::string data;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const auto bf16 = packing::F32ToBf16(
        static_cast<float>(static_cast<int>(i * 37 % 101) - 50) / 64);
    weights[i] = packing::Bf16ToF32(bf16);
    data += Bytes(bf16);
  }
  parts.Tensor(kQ).data = data;
  json config = test::TinyConfig();
  config["quantization_config"]["quantization_mode"] = "online";
  const Checkpoint model = OpenHf(parts, config);
  EXPECT_EQ(model.format, "Hugging Face, bitnet master weights");
  EXPECT_EQ(model.layers[0].q.kind, LinearKind::kMaster);
  TernaryMatrix expected;
  ASSERT_FALSE(packing::TernarizeAbsmean(weights, 32, 32, expected));
  EXPECT_EQ(ReadLinear(model.layers[0].q), expected);
}

TEST_F(CheckpointTest, PlainWeightsStayFloats) {
  json config = test::TinyConfig();
  config.erase("quantization_config");
  SafetensorsParts floats = test::TinyFloats("F16");
  EXPECT_EQ(OpenHf(floats, config).layers[0].q.kind, LinearKind::kUnpacked);
  // A second magnitude in the first row of every matrix.
  for (auto& tensor : floats.tensors) {
    if (tensor.name.find("_proj") != std::string::npos) tensor.data[0] = 1;
  }
  const Checkpoint model = OpenHf(floats, config);
  EXPECT_EQ(model.format, "Hugging Face, plain weights");
  EXPECT_EQ(model.layers[0].q.kind, LinearKind::kDense);
  const auto thrown = ErrorOf([&] { (void)ReadLinear(model.layers[0].q); });
  EXPECT_EQ(thrown.code, ErrorCode::kInvalidArgument);
}

// A flipped bit must not turn a layer into another kind.
TEST_F(CheckpointTest, OneLayerThatIsNotTernaryIsDamage) {
  json config = test::TinyConfig();
  config.erase("quantization_config");
  SafetensorsParts floats = test::TinyFloats("F16");
  floats.Tensor("model.layers.0.mlp.up_proj.weight").data[0] = 1;
  const auto thrown = ErrorOf([&] { (void)OpenHf(floats, config); });
  EXPECT_EQ(thrown.code, ErrorCode::kUnsupported);
  EXPECT_NE(thrown.message.find("up_proj"), std::string::npos);
  EXPECT_NE(thrown.message.find("though other layers are"), std::string::npos);
}

// Rows of zeros say nothing about the others.
TEST_F(CheckpointTest, ZeroRowsMakeNoMatrixTernary) {
  json config = test::TinyConfig();
  config.erase("quantization_config");
  SafetensorsParts floats = test::TinyFloats("F32");
  for (auto& tensor : floats.tensors) {
    if (tensor.name.find("_proj") == std::string::npos) continue;
    const std::size_t row_bytes = 4 * tensor.shape[1];
    for (std::size_t row = 0; row < tensor.shape[0]; ++row) {
      if (row % 8 == 0) {
        tensor.data.replace(row * row_bytes, row_bytes, row_bytes, '\0');
      } else {
        tensor.data[row * row_bytes] = 1;
      }
    }
  }
  EXPECT_EQ(OpenHf(floats, config).layers[0].q.kind, LinearKind::kDense);
}

TEST_F(CheckpointTest, AMatrixOfOneCodeIsAHole) {
  GgufParts parts = test::TinyGguf();
  auto& q = parts.Tensor("blk.0.attn_q.weight");
  std::fill_n(q.data.begin(), 32 * 32 / 4, '\x55');
  const auto thrown =
      ErrorOf([&] { (void)ReadLinear(OpenGguf(parts).layers[0].q); });
  EXPECT_NE(thrown.message.find("hole"), std::string::npos) << thrown.message;
}

TEST_F(CheckpointTest, OptionsThatConcernNothingAreRefused) {
  const auto packed = [&](const OpenOptions& options) {
    return ErrorOf(
        [&] { (void)OpenHf(test::TinyPacked(), test::TinyConfig(), options); });
  };
  EXPECT_EQ(packed({.i2s_layout = I2SLayout::kB}).code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(packed({.input_type = InputType::kFloat}).code, std::nullopt);
}

// llama.cpp's name for 2B4T hides which gate it has.
TEST_F(CheckpointTest, ArchitectureBitnetWithTheVocabularyOf2B4TIsRefused) {
  GgufParts parts = test::TinyGguf();
  parts.Key("general.architecture") = test::Text("bitnet");
  for (auto& key : parts.keys) {
    const std::string old = "bitnet-b1.58.";
    if (key.name.starts_with(old)) {
      key.name = "bitnet." + key.name.substr(old.size());
    }
  }
  EXPECT_EQ(OpenGguf(parts).config.activation, Activation::kSilu);
  parts.Key("bitnet.vocab_size") = test::U32(128256);
  const auto thrown = ErrorOf([&] { (void)OpenGguf(parts); });
  EXPECT_NE(thrown.message.find("squared ReLU"), std::string::npos);
}

TEST_F(CheckpointTest, TheRotaryBaseMayStandInRopeScaling) {
  json config = test::TinyConfig();
  config.erase("rope_theta");
  config["rope_scaling"] = {
      {"rope_type", "linear"}, {"factor", 2}, {"rope_theta", 500000}};
  const ModelConfig inside = OpenHf(test::TinyPacked(), config).config;
  EXPECT_EQ(inside.rope_theta, 500000);
  config["rope_theta"] = 10000;
  const auto thrown =
      ErrorOf([&] { (void)OpenHf(test::TinyPacked(), config); });
  EXPECT_NE(thrown.message.find("rope_theta"), std::string::npos);
}

TEST_F(CheckpointTest, ConfigsInNewerAndOlderSpellingMeanTheSame) {
  EXPECT_EQ(OpenConfig([](json&) {}).config.rope_theta, 10000);
  EXPECT_EQ(OpenConfig([](json& c) {
              c.erase("rope_theta");
              c["rope_parameters"] = {{"rope_type", "default"},
                                      {"rope_theta", 20000.0}};
            }).config.rope_theta,
            20000);
  EXPECT_EQ(OpenConfig([](json& c) { c["head_dim"] = 16; }).config.head_dim,
            16U);
  EXPECT_EQ(OpenConfig([](json& c) { c["_name_or_path"] = "n"; }).config.name,
            "n");
}

TEST_F(CheckpointTest, SettingsThatChangeNothingAreAccepted) {
  const Checkpoint model = OpenConfig([](json& c) {
    c["rope_scaling"] = nullptr;
    c["mlp_bias"] = false;
    c["sliding_window"] = 4096;
    c["use_sliding_window"] = false;
    c["layer_types"] = {"full_attention"};
    c["partial_rotary_factor"] = 1.0;
    c["attention_dropout"] = 0.1;
    c["unheard_of"] = nullptr;
    c["pad_token_id"] = nullptr;
    c["eos_token_id"] = {1, 2};
    c["quantization_config"]["modules_to_not_convert"] = {"lm_head"};
    c["quantization_config"]["use_rms_norm"] = false;
    c["quantization_config"]["rms_norm_eps"] = 1e-6;
  });
  EXPECT_EQ(model.layers.size(), 1U);
  const std::string arch = "bitnet-b1.58.";
  EXPECT_EQ(
      OpenGguf([&](GgufParts& g) {
        g.RemoveKey(arch + "vocab_size");
        g.keys.push_back({arch + "rope.scaling.type", test::Text("linear")});
        g.keys.push_back({arch + "rope.scaling.factor", test::F32(1)});
        g.keys.push_back({arch + "attention.key_length", test::U32(16)});
        g.keys.push_back({arch + "attention.value_length", test::U32(16)});
        g.keys.push_back({arch + "attention.causal", test::Bool(true)});
        g.keys.push_back({arch + "expert_count", test::U32(0)});
        g.keys.push_back({"general.type", test::Text("model")});
        g.keys.push_back({"general.anything", test::U32(1)});
        g.keys.push_back({"split.count", test::U32(1)});
        g.keys.push_back({"quantize.imatrix.file", test::Text("x")});
      }).config.vocab_size,
      16U);
}

TEST_F(CheckpointTest, TheOtherNameOfTheArchitectureIsKnown) {
  const Checkpoint model = OpenGguf([](GgufParts& g) {
    for (auto& key : g.keys) {
      if (key.name.starts_with("bitnet-b1.58.")) {
        key.name.replace(0, 12, "bitnet-25");
      }
    }
    g.Key("general.architecture") = test::Text("bitnet-25");
  });
  EXPECT_EQ(model.config.architecture, "bitnet-b1.58");
}

TEST_F(CheckpointTest, AHeadOfItsOwnIsUsed) {
  SafetensorsParts parts = test::TinyPacked();
  auto head = parts.Tensor("model.embed_tokens.weight");
  head.name = "lm_head.weight";
  parts.tensors.push_back(head);
  json config = test::TinyConfig();
  config["tie_word_embeddings"] = false;
  const Checkpoint hf = OpenHf(parts, config);
  ASSERT_TRUE(hf.head.has_value());
  EXPECT_EQ(hf.head->weight.name, "lm_head.weight");
  EXPECT_FALSE(hf.config.tied_head);
  const Checkpoint gguf = OpenGguf([](GgufParts& g) {
    // As Q8_0: 34 bytes for 32 weights.
    g.tensors.push_back(
        {"output.weight", {32, 16}, 8, std::string(16 * 34, '\1'), {}});
  });
  ASSERT_TRUE(gguf.head.has_value());
  EXPECT_EQ(gguf.head->weight.type, files::StoredType::kQ8_0);
  EXPECT_FALSE(gguf.config.tied_head);
}

TEST_F(CheckpointTest, PathsWithoutAModelAreExplained) {
  const auto complaint = [](const std::filesystem::path& path) {
    return ErrorOf([&] { (void)Open(path); });
  };
  EXPECT_EQ(complaint(directory_.path() / "none").code, ErrorCode::kNotFound);
  EXPECT_NE(
      complaint(directory_.path()).message.find("config.json: is missing"),
      std::string::npos);
  const auto text = directory_.Write("notes.txt", "some text");
  EXPECT_EQ(complaint(text).code, ErrorCode::kUnsupported);
  EXPECT_NE(complaint(text).message.find("neither a GGUF"), std::string::npos);
  const auto lone =
      directory_.Write("x.safetensors", Serialize(test::TinyPacked()));
  EXPECT_NE(complaint(lone).message.find("config.json: is missing"),
            std::string::npos);
  directory_.Write("config.json", test::TinyConfig().dump());
  EXPECT_NE(complaint(directory_.path()).message.find("neither model.safetens"),
            std::string::npos);
}

}  // namespace
}  // namespace tern::checkpoint
