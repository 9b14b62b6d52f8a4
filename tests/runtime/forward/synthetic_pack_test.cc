// What tern writes of a model computes what the model computed: every kind of
// source, with all that its own format says and GGUF has no usual words for.
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

#include <gtest/gtest.h>

#include <tern/pack.h>

#include "tests/runtime/forward/expect_logits.h"

namespace tern::testing {
namespace {

using Linears = HfForm::Linears;

struct PackCase {
  std::string name;
  std::function<SyntheticShape()> shape;
  HfForm form;
  PackedType type = PackedType::kI2S;
  nlohmann::json more_config = nlohmann::json::object();
};
void PrintTo(const PackCase& c, std::ostream* out) { *out << c.name; }

SyntheticShape Shape(const std::string& architecture) {
  SyntheticShape shape;
  shape.architecture = architecture;
  shape.tied = architecture.starts_with("bitnet");
  return shape;
}

SyntheticShape Bonsai() {
  SyntheticShape shape = Shape("qwen3");
  shape.head_dim = 128;
  shape.int8_input = false;
  shape.group = 128;
  shape.ternary_embedding = true;
  return shape;
}

SyntheticShape TriLm(std::size_t slices) {
  SyntheticShape shape = Shape("llama");
  shape.int8_input = false;
  shape.slices = slices;
  return shape;
}

SyntheticShape Falcon3() {
  SyntheticShape shape = Shape("llama");
  shape.heads = 3;
  shape.kv_heads = 1;
  shape.head_dim = 128;
  shape.theta = 1000042;
  shape.reciprocal_scales = true;
  return shape;
}

SyntheticShape FalconE() {
  SyntheticShape shape = Shape("llama");
  shape.projection_norms = true;
  return shape;
}

// No block of any other program's type fits these.
SyntheticShape OddWidths() {
  SyntheticShape shape = Shape("bitnet-b1.58");
  shape.hidden = 100;
  shape.ffn = 156;
  shape.heads = 5;
  shape.kv_heads = 1;
  shape.head_dim = 20;
  return shape;
}

SyntheticShape Masters(const std::string& architecture) {
  SyntheticShape shape = Shape(architecture);
  shape.masters = true;
  return shape;
}

std::vector<PackCase> PackCases() {
  const HfForm packed = {};
  const HfForm divide = {.linears = Linears::kPackedDivide};
  const HfForm half = {.linears = Linears::kUnpacked, .float_type = "F16"};
  const nlohmann::json llama3 = {{"rope_scaling",
                                  {{"rope_type", "llama3"},
                                   {"factor", 8.0},
                                   {"low_freq_factor", 1.0},
                                   {"high_freq_factor", 4.0},
                                   {"original_max_position_embeddings", 64}}}};
  const nlohmann::json yarn = {{"rope_scaling",
                                {{"rope_type", "yarn"},
                                 {"factor", 4.0},
                                 {"original_max_position_embeddings", 64}}}};
  nlohmann::json own_yarn = yarn;
  own_yarn["rope_scaling"]["attention_factor"] = 1.25;
  const auto llama = [] { return Shape("llama"); };
  return {
      {"Falcon3", Falcon3, divide},
      {"FalconE", FalconE, packed},
      {"FalconEAsTQ1", FalconE, packed, PackedType::kTQ1_0},
      {"Llama3Scaling", llama, packed, PackedType::kTQ2_0, llama3},
      {"Yarn", llama, packed, PackedType::kTQ2_0, yarn},
      {"YarnWithAFactorOfItsOwn", llama, packed, PackedType::kI2S, own_yarn},
      {"Bonsai", Bonsai, half, PackedType::kQ2_0},
      {"TriLmOfOneScale", [] { return TriLm(1); }, half},
      {"TriLmOfTwoScales", [] { return TriLm(2); }, half, PackedType::kQ2_0},
      {"Falcon3AsT2", Falcon3, divide, PackedType::kT2},
      {"FalconEAsT2", FalconE, packed, PackedType::kT2},
      {"BonsaiAsT2", Bonsai, half, PackedType::kT2},
      {"TriLmOfTwoScalesAsT2", [] { return TriLm(2); }, half, PackedType::kT2},
      {"OneBitLlmAsT2",
       [] { return Masters("bitnet"); },
       {.linears = Linears::kOneBitLlm},
       PackedType::kT2},
      {"OddWidthsAsT2", OddWidths, packed, PackedType::kT2},
      {"BitNet", [] { return Shape("bitnet-b1.58"); }, packed},
      {"BitNetMasters",
       [] { return Masters("bitnet-b1.58"); },
       {.linears = Linears::kMaster}},
      {"OneBitLlm",
       [] { return Masters("bitnet"); },
       {.linears = Linears::kOneBitLlm}},
  };
}

class SyntheticPack : public ::testing::TestWithParam<PackCase> {};

TEST_P(SyntheticPack, WritesTheModelThatItRead) {
  const PackCase& c = GetParam();
  const SyntheticShape shape = c.shape();
  const ReferenceModel reference = RandomModel(shape, 71);
  HfParts parts = HuggingFaceOf(shape, reference, c.form);
  parts.config.update(c.more_config);
  const TemporaryDirectory directory;
  WriteHuggingFace(parts, directory / "source");
  PackOptions options;
  options.type = c.type;
  Pack(directory / "source", directory / "packed.gguf", options);

  const auto source = Model::Load(directory / "source");
  const auto packed = Model::Load(directory / "packed.gguf");
  EXPECT_EQ(packed->config().architecture, source->config().architecture);
  EXPECT_EQ(packed->config().input_type, source->config().input_type);
  const auto ids = RandomIds(reference, 12, 1);
  const std::vector<float> got = LogitsOf(packed, ids);
  const std::vector<float> want = LogitsOf(source, ids);
  if (reference.int8_input) {
    EXPECT_EQ(got, want);
  } else {  // smaller blocks of scales are summed in another order
    ExpectFloatLogits(got, want);
  }
}

INSTANTIATE_TEST_SUITE_P(Sources, SyntheticPack,
                         ::testing::ValuesIn(PackCases()),
                         [](const auto& test) { return test.param.name; });

// Packing this folder says why not, and leaves nothing behind.
void ExpectNotPacked(const HfParts& parts, const std::string& word) {
  const TemporaryDirectory directory;
  WriteHuggingFace(parts, directory / "source");
  try {
    Pack(directory / "source", directory / "packed.gguf",
         {.type = PackedType::kI2S});
    ADD_FAILURE() << "was packed";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(word), std::string::npos)
        << error.what();
  }
  EXPECT_EQ(directory.FileCount(), 1U);
}

TEST(SyntheticPack, RefusesScalesThatTheTypeCannotHold) {
  const SyntheticShape shape = TriLm(2);
  ExpectNotPacked(
      HuggingFaceOf(shape, RandomModel(shape, 72),
                    {.linears = Linears::kUnpacked, .float_type = "F16"}),
      "proj.weight");
}

}  // namespace
}  // namespace tern::testing
