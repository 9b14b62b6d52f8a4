// Models whose weights alone are ternary: TriLM and the groups of Ternary
// Bonsai, from the bytes of their files to the logits and the memory they take.
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "tests/runtime/forward/expect_logits.h"

namespace tern::testing {
namespace {

using Linears = HfForm::Linears;

constexpr HfForm kUnpackedHalf = {.linears = Linears::kUnpacked,
                                  .float_type = "F16"};

LoadOptions FloatInput() {
  LoadOptions options;
  options.input_type = InputType::kFloat;
  return options;
}

class SyntheticFloat : public ::testing::Test {
 protected:
  ModelFiles files_;
};

// ------------------------------------------------------------------ qwen3

SyntheticShape Bonsai(std::size_t group) {
  SyntheticShape shape;
  shape.architecture = "qwen3";
  shape.head_dim = 128;
  shape.theta = 1000000;
  shape.norm_eps = 1e-6;
  shape.int8_input = false;
  shape.group = group;
  shape.ternary_embedding = true;
  return shape;
}

struct BonsaiCase {
  const char* name;
  std::uint32_t type;   // in the file
  std::uint32_t bytes;  // the type whose bytes they are
  std::size_t group;
};

class SyntheticBonsai : public SyntheticFloat,
                        public ::testing::WithParamInterface<BonsaiCase> {};

// Every matrix, embedding and head too.
TEST_P(SyntheticBonsai, GgufGivesTheReferenceLogits) {
  const BonsaiCase& c = GetParam();
  const SyntheticShape shape = Bonsai(c.group);
  const ReferenceModel model = RandomModel(shape, 21);
  test::GgufParts parts = GgufOf(shape, model,
                                 {.linear_type = c.bytes,
                                  .embedding_type = c.bytes,
                                  .head_type = c.bytes});
  for (test::GgufTensor& tensor : parts.tensors) {
    if (tensor.type == c.bytes) tensor.type = c.type;
  }
  ExpectReference(files_.Write(parts), model);
}

INSTANTIATE_TEST_SUITE_P(
    Types, SyntheticBonsai,
    ::testing::Values(BonsaiCase{"Q2", gguf::kQ2_0, gguf::kQ2_0, 64},
                      BonsaiCase{"Q2OfGroups128", gguf::kQ2_0, gguf::kQ2_0,
                                 128},
                      BonsaiCase{"LegacyQ2", gguf::kQ2_0, gguf::kPq2_0, 128},
                      BonsaiCase{"PQ2", gguf::kPq2_0, gguf::kPq2_0, 128},
                      BonsaiCase{"PTQ1", gguf::kPtq1_0, gguf::kPtq1_0, 128}),
    [](const auto& test) { return std::string(test.param.name); });

// A head is never quantised in training, whatever the layers are.
TEST_F(SyntheticFloat, ATernaryHeadTakesFloatsWhereLayersTakeInt8) {
  SyntheticShape shape = Bonsai(128);
  shape.int8_input = true;
  const ReferenceModel model = RandomModel(shape, 24);
  LoadOptions options;
  options.input_type = InputType::kInt8;
  ExpectReference(files_.Write(GgufOf(shape, model,
                                      {.linear_type = gguf::kPq2_0,
                                       .embedding_type = gguf::kPq2_0,
                                       .head_type = gguf::kPq2_0})),
                  model, options);
}

TEST_F(SyntheticFloat, BonsaiWithATiedTernaryEmbedding) {
  SyntheticShape shape = Bonsai(128);
  shape.tied = true;
  const ReferenceModel model = RandomModel(shape, 22);
  ExpectReference(files_.Write(GgufOf(shape, model,
                                      {.linear_type = gguf::kPq2_0,
                                       .embedding_type = gguf::kPq2_0})),
                  model);
  ExpectReference(files_.Write(HuggingFaceOf(shape, model, kUnpackedHalf)),
                  model);
}

TEST_F(SyntheticFloat, BonsaiUnpackedByHuggingFace) {
  for (const std::size_t group : {64, 128}) {
    const SyntheticShape shape = Bonsai(group);
    const ReferenceModel model = RandomModel(shape, 23);
    ExpectReference(files_.Write(HuggingFaceOf(shape, model, kUnpackedHalf)),
                    model);
  }
}

TEST_F(SyntheticFloat, BonsaiWithPlainEmbeddingAndHead) {
  SyntheticShape shape = Bonsai(128);
  shape.ternary_embedding = false;
  const ReferenceModel model = RandomModel(shape, 24);
  ExpectReference(files_.Write(GgufOf(shape, model,
                                      {.linear_type = gguf::kQ2_0,
                                       .embedding_type = gguf::kF16,
                                       .head_type = gguf::kBf16})),
                  model);
}

// ------------------------------------------------------------------ TriLM

SyntheticShape TriLm(std::size_t slices) {
  SyntheticShape shape;
  shape.hidden = 384;
  shape.ffn = 768;
  shape.heads = 6;
  shape.kv_heads = 6;
  shape.int8_input = false;
  shape.slices = slices;
  return shape;
}

class SyntheticTriLm : public SyntheticFloat,
                       public ::testing::WithParamInterface<std::size_t> {};

TEST_P(SyntheticTriLm, UnpackedFloatsGiveTheReferenceLogits) {
  const SyntheticShape shape = TriLm(GetParam());
  const ReferenceModel model = RandomModel(shape, 25);
  for (const char* type : {"F16", "BF16", "F32"}) {
    SCOPED_TRACE(type);
    ExpectReference(
        files_.Write(HuggingFaceOf(
            shape, model, {.linears = Linears::kUnpacked, .float_type = type})),
        model);
  }
}

INSTANTIATE_TEST_SUITE_P(Slices, SyntheticTriLm, ::testing::Values(1, 2, 4, 6));

// Blocks of 256 columns hold the scales of two slices of 512.
TEST_F(SyntheticFloat, TriLmAsTq) {
  SyntheticShape shape = TriLm(2);
  shape.hidden = 512;
  shape.heads = shape.kv_heads = 8;
  shape.ffn = 1024;
  const ReferenceModel model = RandomModel(shape, 26);
  for (const std::uint32_t type : {gguf::kTq1_0, gguf::kTq2_0}) {
    ExpectReference(files_.Write(GgufOf(shape, model, {.linear_type = type})),
                    model, FloatInput());
  }
}

TEST_F(SyntheticFloat, TriLmAsUnpackedGguf) {
  const SyntheticShape shape = TriLm(2);
  const ReferenceModel model = RandomModel(shape, 27);
  ExpectReference(
      files_.Write(GgufOf(shape, model, {.linear_type = gguf::kF16})), model,
      FloatInput());
}

// The caller may ask for the other input than the files imply.
TEST_F(SyntheticFloat, InputTypeCanBeChosen) {
  SyntheticShape shape;
  shape.slices = 2;
  const ReferenceModel rounded = RandomModel(shape, 28);
  LoadOptions int8;
  int8.input_type = InputType::kInt8;
  ExpectReference(files_.Write(HuggingFaceOf(shape, rounded, kUnpackedHalf)),
                  rounded, int8);
  shape.int8_input = false;
  shape.slices = 1;
  const ReferenceModel unrounded = RandomModel(shape, 28);
  ExpectReference(files_.Write(HuggingFaceOf(shape, unrounded, {})), unrounded,
                  FloatInput());
}

// ----------------------------------------------------------------- memory

// Two bits a ternary weight and its scales, not the two bytes of the file.
TEST_F(SyntheticFloat, UnpackedWeightsTakeTwoBitsInMemory) {
  SyntheticShape shape = TriLm(6);
  shape.hidden = 768;
  shape.heads = shape.kv_heads = 12;
  shape.ffn = 1536;
  const ReferenceModel reference = RandomModel(shape, 29);
  const auto model =
      Model::Load(files_.Write(HuggingFaceOf(shape, reference, kUnpackedHalf)));
  ASSERT_EQ(model->config().input_type, InputType::kFloat);
  // A scale for each row and block: at most 6 a row of o and down, 1 a row of
  // the others.
  const std::uint64_t weights =
      shape.layers *
      (4 * shape.hidden * shape.hidden + 3 * shape.hidden * shape.ffn);
  const std::uint64_t scales =
      shape.layers *
      (std::uint64_t{12} * shape.hidden + 3 * shape.hidden + 2 * shape.ffn);
  const std::uint64_t others =
      2 * shape.vocab * shape.hidden * 2 + 5 * shape.hidden * sizeof(float);
  const std::uint64_t expected = weights / 4 + scales * sizeof(float) + others;
  EXPECT_GE(model->weights_bytes(), weights / 4 + others);
  EXPECT_LE(model->weights_bytes(), expected + expected / 100);
}

}  // namespace
}  // namespace tern::testing
