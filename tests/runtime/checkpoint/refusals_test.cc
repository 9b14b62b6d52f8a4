// What tern cannot compute as its authors meant it is refused by name, with
// what to do about it.  Every case changes one thing of a model that loads.
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/model.h>

#include "tests/support/synthetic_model.h"
#include "tests/support/temporary_directory.h"

namespace tern::testing {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

// hidden 256, so that every type could store it; one layer.
SyntheticShape Small(const std::string& architecture) {
  SyntheticShape shape;
  shape.architecture = architecture;
  shape.ffn = 256;
  shape.layers = 1;
  shape.vocab = 32;
  return shape;
}

// Loading throws an Error: one line that begins with the path, has the words
// and says what to do.
void ExpectRefused(const std::filesystem::path& path, const Words& words) {
  try {
    (void)Model::Load(path);
    ADD_FAILURE() << "was loaded";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_TRUE(message.starts_with(path.string())) << message;
    EXPECT_NE(message.find("; "), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string& word : words) {
      EXPECT_NE(message.find(word), std::string::npos)
          << "'" << word << "' not in: " << message;
    }
  }
}

// ------------------------------------------------------------------- GGUF

struct GgufCase {
  std::string name;
  std::string architecture;
  std::uint32_t type;  // of the linear layers
  std::function<void(test::GgufParts&)> change;
  Words words;
};
void PrintTo(const GgufCase& c, std::ostream* out) { *out << c.name; }

void AddKey(test::GgufParts& parts, const std::string& name,
            const test::GgufTyped& value) {
  parts.keys.push_back({name, value});
}

void AddVector(test::GgufParts& parts, const std::string& name) {
  parts.tensors.push_back(
      {name,
       {256},
       gguf::kF32,
       EncodeFloats(std::vector<float>(256, 1.0F), gguf::kF32),
       {}});
}

constexpr const char* kKeyMatrix = "blk.0.attn_k.weight";  // [128][256]

std::vector<GgufCase> BytesThatAreWrong() {
  return {
      {"I2SOfAnotherSize",
       "llama",
       gguf::kI2S,
       [](auto& parts) {
         parts.Tensor(kKeyMatrix).data += std::string(64, '\x55');
       },
       {kKeyMatrix, "I2_S", "8224", "8288"}},
      {"Tl1",
       "llama",
       gguf::kI2S,
       [](auto& parts) { parts.Tensor(kKeyMatrix).type = gguf::kTl1; },
       {kKeyMatrix, "TL1", "I2_S"}},
      {"Tl2",
       "llama",
       gguf::kI2S,
       [](auto& parts) { parts.Tensor(kKeyMatrix).type = gguf::kTl2; },
       {kKeyMatrix, "TL2", "I2_S"}},
      // STQ1_0 was published under this number too: 42 bytes for 256 weights.
      {"Type42OfNoKnownSize",
       "qwen3",
       gguf::kQ2_0,
       [](auto& parts) {
         parts.Tensor("blk.0.attn_v.weight").data.resize(128 * 42);
       },
       {"blk.0.attn_v.weight", "STQ1_0"}},
      {"Type42OfNoSizeAtAll",
       "qwen3",
       gguf::kQ2_0,
       [](auto& parts) {
         parts.Tensor("blk.0.attn_v.weight").data += std::string(64, 'x');
       },
       {"blk.0.attn_v.weight", "Q2_0"}},
      {"UnknownType",
       "llama",
       gguf::kI2S,
       [](auto& parts) { parts.Tensor(kKeyMatrix).type = 99; },
       {kKeyMatrix, "99"}},
      {"Code3InI2S",
       "llama",
       gguf::kI2S,
       [](auto& parts) { parts.Tensor(kKeyMatrix).data[5] = '\xff'; },
       {kKeyMatrix, "code 3"}},
      {"Code3InQ2",
       "qwen3",
       gguf::kQ2_0,
       [](auto& parts) { parts.Tensor(kKeyMatrix).data[5] = '\xff'; },
       {kKeyMatrix, "code 3"}},
      {"Code3InIq2Bn",
       "llama",
       gguf::kIq2Bn,
       [](auto& parts) { parts.Tensor(kKeyMatrix).data[5] = '\xff'; },
       {kKeyMatrix, "code 3"}},
      {"ScaleThatIsNoNumber",
       "llama",
       gguf::kI2S,
       [](auto& parts) {
         parts.Tensor(kKeyMatrix).data.replace(8192, 4, "\xff\xff\xff\x7f", 4);
       },
       {kKeyMatrix, "scale"}},
      {"NegativeScale",
       "llama",
       gguf::kIq2Bn,
       [](auto& parts) { parts.Tensor(kKeyMatrix).data[3] = '\xbf'; },
       {kKeyMatrix, "scale"}},
      {"HoleOfZeroBytes",
       "llama",
       gguf::kI2S,
       [](auto& parts) {
         std::string& data = parts.Tensor(kKeyMatrix).data;
         data.assign(data.size(), '\0');
       },
       {kKeyMatrix, "scale 0"}},
  };
}

std::vector<GgufCase> SettingsThatChangeTheResult() {
  return {
      {"RotatedWeights",
       "qwen3",
       gguf::kPq2_0,
       [](auto& parts) {
         AddKey(parts, "prism.hadamard.version", test::U32(1));
       },
       {"prism.hadamard.version"}},
      {"UnknownArchitecture",
       "llama",
       gguf::kI2S,
       [](auto& parts) {
         parts.Key("general.architecture") = test::Text("gemma3");
       },
       {"gemma3"}},
      {"UnknownRotaryScaling",
       "llama",
       gguf::kI2S,
       [](auto& parts) {
         AddKey(parts, "llama.rope.scaling.type", test::Text("longrope"));
       },
       {"longrope"}},
      {"RotaryDivisorOfZero",
       "llama",
       gguf::kI2S,
       [](auto& parts) {
         parts.tensors.push_back({"rope_freqs.weight",
                                  {32},
                                  gguf::kF32,
                                  std::string(128, '\0'),
                                  {}});
       },
       {"rope_freqs.weight"}},
      {"PartOfTheHeadRotated",
       "llama",
       gguf::kI2S,
       [](auto& parts) {
         parts.Key("llama.rope.dimension_count") = test::U32(32);
       },
       {"rope.dimension_count", "64"}},
      {"KeysAndValuesOfDifferentWidth",
       "llama",
       gguf::kI2S,
       [](auto& parts) {
         parts.Key("llama.attention.value_length") = test::U32(32);
       },
       {"value_length", "64"}},
      {"SlidingWindow",
       "llama",
       gguf::kI2S,
       [](auto& parts) {
         AddKey(parts, "llama.attention.sliding_window", test::U32(64));
       },
       {"sliding_window"}},
  };
}

std::vector<GgufCase> TensorsThatChangeTheResult() {
  return {
      {"Bias",
       "qwen3",
       gguf::kPq2_0,
       [](auto& parts) { AddVector(parts, "blk.0.attn_q.bias"); },
       {"blk.0.attn_q.bias", "bias"}},
      {"ExpertTensors",
       "llama",
       gguf::kI2S,
       [](auto& parts) {
         test::GgufTensor& gate = parts.Tensor("blk.0.ffn_gate.weight");
         gate.name = "blk.0.ffn_gate_exps.weight";
       },
       {"blk.0.ffn_gate"}},
      {"ExpertKeys",
       "llama",
       gguf::kI2S,
       [](auto& parts) { AddKey(parts, "llama.expert_count", test::U32(8)); },
       {"llama.expert_count"}},
      {"NormOfAProjection",
       "qwen3",
       gguf::kPq2_0,
       [](auto& parts) { AddVector(parts, "blk.0.attn_q_norm_in.weight"); },
       {"blk.0.attn_q_norm_in.weight"}},
      {"ScaleTensorOfLlama",
       "llama",
       gguf::kI2S,
       [](auto& parts) {
         parts.tensors.push_back(
             {"blk.0.attn_q.scale", {1}, gguf::kF32, test::Bytes(2.0F), {}});
       },
       {"blk.0.attn_q.scale"}},
      {"ScaleTensorOfManyElements",
       "bitnet",
       gguf::kTq2_0,
       [](auto& parts) { AddVector(parts, "blk.0.attn_q.scale"); },
       {"blk.0.attn_q.scale", "256"}},
      {"SubNormsOfLlama",
       "llama",
       gguf::kI2S,
       [](auto& parts) { AddVector(parts, "blk.0.attn_sub_norm.weight"); },
       {"blk.0.attn_sub_norm.weight"}},
      {"HeadNormsMissing",
       "qwen3",
       gguf::kPq2_0,
       [](auto& parts) { parts.RemoveTensor("blk.0.attn_q_norm.weight"); },
       {"blk.0.attn_q_norm.weight"}},
  };
}

class RefusedGguf : public ::testing::TestWithParam<GgufCase> {};

TEST_P(RefusedGguf, NamesWhatIsWrong) {
  const GgufCase& c = GetParam();
  SyntheticShape shape = Small(c.architecture);
  const ReferenceModel model = RandomModel(shape, 61);
  test::GgufParts parts = GgufOf(shape, model, {.linear_type = c.type});
  const TemporaryDirectory directory;
  WriteFile(directory / "right.gguf", test::Serialize(parts));
  EXPECT_NO_THROW(Model::Load(directory / "right.gguf"));
  c.change(parts);
  WriteFile(directory / "wrong.gguf", test::Serialize(parts));
  ExpectRefused(directory / "wrong.gguf", c.words);
}

INSTANTIATE_TEST_SUITE_P(Bytes, RefusedGguf,
                         ::testing::ValuesIn(BytesThatAreWrong()),
                         [](const auto& test) { return test.param.name; });
INSTANTIATE_TEST_SUITE_P(Settings, RefusedGguf,
                         ::testing::ValuesIn(SettingsThatChangeTheResult()),
                         [](const auto& test) { return test.param.name; });
INSTANTIATE_TEST_SUITE_P(Tensors, RefusedGguf,
                         ::testing::ValuesIn(TensorsThatChangeTheResult()),
                         [](const auto& test) { return test.param.name; });

// 1024 weights take 288 bytes in blocks of 64 and 272, padded to 288, in blocks
// of 128.
TEST(RefusedGguf, Type42ThatCouldBeOfTwoLayouts) {
  SyntheticShape shape = Small("qwen3");
  shape.hidden = 128;
  shape.heads = 16;
  shape.kv_heads = 1;
  shape.head_dim = 8;
  const ReferenceModel model = RandomModel(shape, 62);
  const test::GgufParts parts =
      GgufOf(shape, model, {.linear_type = gguf::kQ2_0});
  const TemporaryDirectory directory;
  WriteFile(directory / "model.gguf", test::Serialize(parts));
  ExpectRefused(directory / "model.gguf",
                {kKeyMatrix, "Q2_0", "blocks of 128"});
}

// ----------------------------------------------------------- Hugging Face

struct HfCase {
  std::string name;
  HfForm::Linears linears;
  std::function<void(HfParts&)> change;
  Words words;
};
void PrintTo(const HfCase& c, std::ostream* out) { *out << c.name; }

constexpr HfForm::Linears kPacked = HfForm::Linears::kPackedMultiply;

std::vector<HfCase> SettingsThatAreUnknown() {
  return {
      {"UnknownModelType",
       kPacked,
       [](auto& parts) { parts.config["model_type"] = "mistral"; },
       {"model_type", "mistral"}},
      {"UnknownActivation",
       kPacked,
       [](auto& parts) { parts.config["hidden_act"] = "gelu"; },
       {"hidden_act", "gelu"}},
      {"UnknownRotaryScaling",
       kPacked,
       [](auto& parts) {
         parts.config["rope_scaling"] = {{"rope_type", "longrope"},
                                         {"factor", 2.0}};
       },
       {"rope", "longrope"}},
      {"RotaryScalingWithAnUnknownKey",
       kPacked,
       [](auto& parts) {
         parts.config["rope_scaling"] = {
             {"rope_type", "linear"}, {"factor", 2.0}, {"surprise", 1.5}};
       },
       {"surprise"}},
      {"Bias",
       kPacked,
       [](auto& parts) { parts.config["attention_bias"] = true; },
       {"attention_bias"}},
      {"Experts",
       kPacked,
       [](auto& parts) { parts.config["num_local_experts"] = 8; },
       {"num_local_experts"}},
      {"OtherQuantization",
       kPacked,
       [](auto& parts) {
         parts.config["quantization_config"]["quant_method"] = "awq";
       },
       {"quant_method", "awq"}},
  };
}

std::vector<HfCase> PartsThatDoNotFit() {
  const std::string q = "model.layers.0.self_attn.q_proj";
  const HfForm::Linears one_bit = HfForm::Linears::kOneBitLlm;
  return {
      {"BiasTensor",
       kPacked,
       [q](auto& parts) {
         parts.tensors.tensors.push_back(
             {q + ".bias", "BF16", {256}, std::string(512, '\0'), {}});
       },
       {q + ".bias"}},
      {"ProjectionNormsThatAreNotThere",
       kPacked,
       [](auto& parts) {
         parts.config["quantization_config"]["use_rms_norm"] = true;
       },
       {"rms_norm.weight"}},
      {"ProjectionNormsThatAreNotDeclared",
       kPacked,
       [q](auto& parts) {
         parts.tensors.tensors.push_back({q + ".rms_norm.weight",
                                          "BF16",
                                          {256},
                                          std::string(512, '\x3f'),
                                          {}});
       },
       {q + ".rms_norm.weight"}},
      {"ScaleMissing",
       kPacked,
       [q](auto& parts) { parts.tensors.Remove(q + ".weight_scale"); },
       {q + ".weight_scale"}},
      {"Code3",
       kPacked,
       [q](auto& parts) {
         parts.tensors.Tensor(q + ".weight").data[7] = '\xff';
       },
       {q + ".weight", "code 3"}},
      {"OneBitLlmOfTwoBits",
       one_bit,
       [](auto& parts) { parts.config["weight_bits"] = 2; },
       {"weight_bits", "2"}},
      {"OneBitLlmWithFourBitInputs",
       one_bit,
       [](auto& parts) { parts.config["input_bits"] = 4; },
       {"input_bits", "4"}},
  };
}

class RefusedFolder : public ::testing::TestWithParam<HfCase> {};

TEST_P(RefusedFolder, NamesWhatIsWrong) {
  const HfCase& c = GetParam();
  const bool one_bit = c.linears == HfForm::Linears::kOneBitLlm;
  SyntheticShape shape = Small(one_bit ? "bitnet" : "llama");
  shape.masters = one_bit;
  const ReferenceModel model = RandomModel(shape, 63);
  HfParts parts = HuggingFaceOf(shape, model, {.linears = c.linears});
  const TemporaryDirectory directory;
  WriteHuggingFace(parts, directory / "right");
  EXPECT_NO_THROW(Model::Load(directory / "right"));
  c.change(parts);
  WriteHuggingFace(parts, directory / "wrong");
  ExpectRefused(directory / "wrong", c.words);
}

INSTANTIATE_TEST_SUITE_P(Settings, RefusedFolder,
                         ::testing::ValuesIn(SettingsThatAreUnknown()),
                         [](const auto& test) { return test.param.name; });
INSTANTIATE_TEST_SUITE_P(Parts, RefusedFolder,
                         ::testing::ValuesIn(PartsThatDoNotFit()),
                         [](const auto& test) { return test.param.name; });

TEST(RefusedShards, NameTheMissingFile) {
  const SyntheticShape shape = Small("llama");
  const HfParts parts = HuggingFaceOf(shape, RandomModel(shape, 64), {});
  const TemporaryDirectory directory;
  WriteHuggingFace(parts, directory / "model", 2);
  const std::string name = "model-00002-of-00002.safetensors";
  std::filesystem::remove(directory / "model" / name);
  ExpectRefused(directory / "model", {name});
}

// A tensor that the index gives to another file.
TEST(RefusedShards, NameTheTensorThatIsNotWhereTheIndexSays) {
  const SyntheticShape shape = Small("llama");
  const HfParts parts = HuggingFaceOf(shape, RandomModel(shape, 65), {});
  const TemporaryDirectory directory;
  WriteHuggingFace(parts, directory / "model", 2);
  const auto path = directory / "model" / "model.safetensors.index.json";
  json index = json::parse(ReadFile(path));
  json& file = index["weight_map"]["model.norm.weight"];
  file = file == "model-00001-of-00002.safetensors"
             ? "model-00002-of-00002.safetensors"
             : "model-00001-of-00002.safetensors";
  WriteFile(path, index.dump());
  ExpectRefused(directory / "model", {"model.norm.weight"});
}

}  // namespace
}  // namespace tern::testing
