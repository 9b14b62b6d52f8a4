// Models with sub-norms, squared ReLU and SiLU, in every ternary type of GGUF
// and with the embeddings of other programs' quantisers.
#include <cstdint>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "tests/runtime/forward/expect_logits.h"

namespace tern::testing {
namespace {

using Linears = HfForm::Linears;

SyntheticShape BitNet(const std::string& architecture) {
  SyntheticShape shape;
  shape.architecture = architecture;
  shape.tied = true;
  shape.theta = 500000;
  return shape;
}

struct TypeCase {
  const char* name;
  std::uint32_t type;
};

class SyntheticBitNet : public ::testing::Test {
 protected:
  ModelFiles files_;
};
class SyntheticTypes : public SyntheticBitNet,
                       public ::testing::WithParamInterface<TypeCase> {};

TEST_P(SyntheticTypes, SquaredReluModelGivesTheReferenceLogits) {
  const SyntheticShape shape = BitNet("bitnet-b1.58");
  const ReferenceModel model = RandomModel(shape, 41);
  ExpectReference(
      files_.Write(GgufOf(shape, model, {.linear_type = GetParam().type})),
      model);
}

// Rows of q and k are permuted, whatever the type.
TEST_P(SyntheticTypes, PermutedLlamaGivesTheReferenceLogits) {
  const SyntheticShape shape;
  const ReferenceModel model = RandomModel(shape, 42);
  LoadOptions options;
  options.input_type = InputType::kInt8;
  ExpectReference(
      files_.Write(GgufOf(shape, model, {.linear_type = GetParam().type})),
      model, options);
}

INSTANTIATE_TEST_SUITE_P(
    Types, SyntheticTypes,
    ::testing::Values(
        TypeCase{"I2S", gguf::kI2S}, TypeCase{"TQ1", gguf::kTq1_0},
        TypeCase{"TQ2", gguf::kTq2_0}, TypeCase{"Q2", gguf::kQ2_0},
        TypeCase{"PQ2", gguf::kPq2_0}, TypeCase{"PTQ1", gguf::kPtq1_0},
        TypeCase{"IQ1BN", gguf::kIq1Bn}, TypeCase{"IQ2BN", gguf::kIq2Bn},
        TypeCase{"UnpackedF32", gguf::kF32},
        TypeCase{"UnpackedF16", gguf::kF16},
        TypeCase{"UnpackedBf16", gguf::kBf16}),
    [](const auto& test) { return std::string(test.param.name); });

// A scale for each row or block of columns, with integer activations.
TEST_F(SyntheticBitNet, ManyScalesInAMatrix) {
  SyntheticShape shape = BitNet("bitnet-b1.58");
  shape.group = 256;  // one a row of hidden, two a row of ffn
  const ReferenceModel blocks = RandomModel(shape, 43);
  for (const std::uint32_t type : {gguf::kTq1_0, gguf::kTq2_0, gguf::kF16}) {
    ExpectReference(files_.Write(GgufOf(shape, blocks, {.linear_type = type})),
                    blocks);
  }
  shape.group = 128;
  const ReferenceModel small_blocks = RandomModel(shape, 44);
  for (const std::uint32_t type : {gguf::kQ2_0, gguf::kPtq1_0}) {
    ExpectReference(
        files_.Write(GgufOf(shape, small_blocks, {.linear_type = type})),
        small_blocks);
  }
  shape.ffn = 256;
  shape.group = 256;
  const ReferenceModel rows = RandomModel(shape, 45);
  for (const std::uint32_t type : {gguf::kIq1Bn, gguf::kIq2Bn}) {
    ExpectReference(files_.Write(GgufOf(shape, rows, {.linear_type = type})),
                    rows);
  }
}

TEST_F(SyntheticBitNet, LayoutsBAndCOfI2SAreReadWhenNamed) {
  const SyntheticShape shape = BitNet("bitnet-b1.58");
  const ReferenceModel model = RandomModel(shape, 46);
  LoadOptions options;
  options.i2s_layout = I2SLayout::kB;
  ExpectReference(files_.Write(GgufOf(shape, model, {.i2s_layout = 'B'})),
                  model, options);
  options.i2s_layout = I2SLayout::kC;
  ExpectReference(files_.Write(GgufOf(shape, model, {.i2s_layout = 'C'})),
                  model, options);
}

// ------------------------------------------------------------------- SiLU

TEST_F(SyntheticBitNet, SiluModelWithScaleTensors) {
  const SyntheticShape shape = BitNet("bitnet");
  const ReferenceModel model = RandomModel(shape, 47);
  for (const std::uint32_t type :
       {gguf::kTq1_0, gguf::kTq2_0, gguf::kI2S, gguf::kIq2Bn}) {
    SCOPED_TRACE(type);
    ExpectReference(
        files_.Write(
            GgufOf(shape, model, {.linear_type = type, .scale_tensors = true})),
        model);
  }
}

TEST_F(SyntheticBitNet, SiluModelWithItsOwnScales) {
  const SyntheticShape shape = BitNet("bitnet");
  const ReferenceModel model = RandomModel(shape, 48);
  ExpectReference(files_.Write(GgufOf(shape, model, {})), model);
}

// config.json says model_type llama and means BitnetForCausalLM.
TEST_F(SyntheticBitNet, OneBitLlmMastersAreTernarisedByMatrix) {
  SyntheticShape shape = BitNet("bitnet");
  shape.masters = true;
  shape.kv_heads = shape.heads;
  const ReferenceModel model = RandomModel(shape, 49);
  for (const char* type : {"F16", "F32", "BF16"}) {
    SCOPED_TRACE(type);
    ExpectReference(files_.Write(HuggingFaceOf(
                        shape, model,
                        {.linears = Linears::kOneBitLlm, .float_type = type})),
                    model);
  }
}

TEST_F(SyntheticBitNet, MastersAndPackedWeightsOfHuggingFace) {
  SyntheticShape shape = BitNet("bitnet-b1.58");
  const ReferenceModel packed = RandomModel(shape, 50);
  ExpectReference(files_.Write(HuggingFaceOf(shape, packed, {})), packed);
  shape.masters = true;
  const ReferenceModel masters = RandomModel(shape, 51);
  ExpectReference(files_.Write(HuggingFaceOf(shape, masters,
                                             {.linears = Linears::kMaster})),
                  masters);
}

// ------------------------------------------------- embeddings and heads

ReferenceMatrix DenseMatrix(std::size_t rows, std::size_t cols,
                            std::vector<float> values) {
  ReferenceMatrix matrix;
  matrix.rows = rows;
  matrix.cols = cols;
  matrix.values = std::move(values);
  return matrix;
}

using RandomBlocks = EncodedFloats (*)(std::size_t, float, std::mt19937&);

// Embedding and head of blocks, in the model and in the file.
void ExpectBlocks(std::uint32_t type, RandomBlocks blocks, bool tied,
                  ModelFiles& files) {
  SyntheticShape shape;
  shape.tied = tied;
  ReferenceModel model = RandomModel(shape, 52);
  std::mt19937 random(type);
  const std::size_t count = shape.vocab * shape.hidden;
  const EncodedFloats embedding = blocks(count, 0.125F, random);
  const EncodedFloats head = blocks(count, 0.125F, random);
  model.embedding = DenseMatrix(shape.vocab, shape.hidden, embedding.values);
  if (!tied) {
    model.head = DenseMatrix(shape.vocab, shape.hidden, head.values);
  }
  test::GgufParts parts = GgufOf(
      shape, model, {.embedding_type = gguf::kF32, .head_type = gguf::kF32});
  parts.Tensor("token_embd.weight").type = type;
  parts.Tensor("token_embd.weight").data = embedding.bytes;
  if (!tied) {
    parts.Tensor("output.weight").type = type;
    parts.Tensor("output.weight").data = head.bytes;
  }
  ExpectReference(files.Write(parts), model);
}

TEST_F(SyntheticBitNet, EmbeddingAndHeadOfQ6K) {
  ExpectBlocks(gguf::kQ6K, RandomQ6K, false, files_);
  ExpectBlocks(gguf::kQ6K, RandomQ6K, true, files_);
}
TEST_F(SyntheticBitNet, EmbeddingAndHeadOfQ4) {
  ExpectBlocks(gguf::kQ4_0, RandomQ4, false, files_);
  ExpectBlocks(gguf::kQ4_0, RandomQ4, true, files_);
}

TEST_F(SyntheticBitNet, EmbeddingOfEveryFloatType) {
  const SyntheticShape shape = BitNet("bitnet-b1.58");
  const ReferenceModel model = RandomModel(shape, 53);
  for (const std::uint32_t type : {gguf::kF32, gguf::kF16, gguf::kBf16}) {
    ExpectReference(
        files_.Write(GgufOf(shape, model, {.embedding_type = type})), model);
  }
}

}  // namespace
}  // namespace tern::testing
