#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/inspect.h>

#include "packing/tiles.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_model.h"

namespace tern {
namespace {

namespace fs = std::filesystem;

std::map<std::string, TensorReport> ByName(const ModelReport& report) {
  std::map<std::string, TensorReport> tensors;
  for (const TensorReport& tensor : report.tensors) {
    tensors[tensor.name] = tensor;
  }
  return tensors;
}

std::map<std::string, std::string> Metadata(const ModelReport& report) {
  return {report.metadata.begin(), report.metadata.end()};
}

bool Mentions(const ModelReport& report, const std::string& words) {
  for (const std::string& problem : report.problems) {
    if (problem.find(words) != std::string::npos) return true;
  }
  return false;
}

// Byte `offset` of the file becomes `value`.
void Damage(const fs::path& path, std::uint64_t offset, char value) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(value);
}

TEST(Inspect, CountsTheWeightsOfEveryTernaryTensor) {
  const TemporaryDirectory directory;
  const TinyModel model;
  WriteTinyGguf(model, directory / "a.gguf");
  const ModelReport report = Inspect(directory / "a.gguf");
  const auto tensors = ByName(report);
  const TensorReport& down = tensors.at("blk.1.ffn_down.weight");
  EXPECT_EQ(down.type, "I2_S");
  EXPECT_EQ(down.shape, (std::vector<std::uint64_t>{256, 512}));
  EXPECT_EQ(down.bytes, 256U * 512 / 4 + 32);
  EXPECT_EQ(down.file, "a.gguf");
  EXPECT_TRUE(down.is_ternary);
  EXPECT_EQ(down.scale_min, 0.5F);
  EXPECT_EQ(down.scale_max, 0.5F);
  const packing::TernaryMatrix matrix = model.Matrix(256, 512);
  std::array<double, 3> counts{};
  for (std::size_t r = 0; r < 256; ++r) {
    for (std::size_t c = 0; c < 512; ++c) ++counts.at(matrix.Code(r, c));
  }
  EXPECT_NEAR(down.share_minus, counts[0] / (256 * 512), 1e-12);
  EXPECT_NEAR(down.share_zero, counts[1] / (256 * 512), 1e-12);
  EXPECT_NEAR(down.share_plus, counts[2] / (256 * 512), 1e-12);
  EXPECT_FALSE(tensors.at("output_norm.weight").is_ternary);
}

TEST(Inspect, ListsTensorsAsTheyLieInTheFile) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "a.gguf");
  const ModelReport report = Inspect(directory / "a.gguf");
  ASSERT_EQ(report.tensors.size(), 2U + 2 * 11);
  EXPECT_EQ(report.tensors[0].name, "token_embd.weight");
  EXPECT_EQ(report.tensors[0].type, "BF16");
  for (std::size_t i = 1; i < report.tensors.size(); ++i) {
    EXPECT_GE(report.tensors[i].offset,
              report.tensors[i - 1].offset + report.tensors[i - 1].bytes);
  }
}

TEST(Inspect, MetadataAsTheFileSpellsIt) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "a.gguf");
  const auto metadata = Metadata(Inspect(directory / "a.gguf"));
  EXPECT_EQ(metadata.at("general.name"), "tiny");
  EXPECT_EQ(metadata.at("bitnet-b1.58.block_count"), "2");
  EXPECT_EQ(metadata.at("bitnet-b1.58.attention.layer_norm_rms_epsilon"),
            "1e-05");
  EXPECT_EQ(metadata.at("tokenizer.ggml.token_type"), "[1, 3]");
  EXPECT_EQ(metadata.at("tokenizer.ggml.scores"), "[0, -1.5]");

  WriteTinyHuggingFace({}, directory / "model");
  const auto config = Metadata(Inspect(directory / "model"));
  EXPECT_EQ(config.at("hidden_size"), "256");
  EXPECT_EQ(config.at("quantization_config.quantization_mode"), "online");
}

TEST(Inspect, MemoryTable) {
  const TemporaryDirectory directory;
  WriteTinyGguf({.tied = false}, directory / "a.gguf");
  ModelReport report = Inspect(directory / "a.gguf");
  ASSERT_TRUE(report.memory.has_value());
  EXPECT_EQ(report.memory->context_length, 64U);  // the model's own
  EXPECT_EQ(report.memory->embedding_bytes, 2U * 12 * 256 * 2);
  EXPECT_EQ(report.memory->dense_bytes, 0U);
  EXPECT_EQ(report.memory->norm_bytes, 4U * (256 + 2 * (3 * 256 + 512)));
  // Per layer: q, o 256 x 256; k, v 128 x 256; gate, up 512 x 256; down.
  const std::uint64_t codes = 2 * (2 * packing::TilesBytes(256, 256) +
                                   2 * packing::TilesBytes(128, 256) +
                                   3 * packing::TilesBytes(512, 256));
  EXPECT_EQ(report.memory->ternary_bytes, codes + 2 * 7 * 4);
  // 2 (keys, values) * 2 layers * 64 positions * 2 heads * 64 * 2 bytes
  EXPECT_EQ(report.memory->cache_bytes, 2U * 2 * 64 * 2 * 64 * 2);
  EXPECT_GT(report.memory->scratch_bytes, 0U);

  report = Inspect(directory / "a.gguf",
                   {.context_length = 10, .kv_type = KvType::kQ8});
  EXPECT_EQ(report.memory->context_length, 10U);
  // Blocks of 64 positions are whole.
  EXPECT_EQ(report.memory->cache_bytes, 2U * 2 * 64 * 2 * (64 + 4));
  report = Inspect(directory / "a.gguf",
                   {.context_length = 10, .kv_type = KvType::kF32});
  EXPECT_EQ(report.memory->cache_bytes, 2U * 2 * 64 * 2 * 64 * 4);
}

TEST(Inspect, ASoundModelHasNoProblems) {
  const TemporaryDirectory directory;
  WriteTinyHuggingFace({}, directory / "model");
  const ModelReport report = Inspect(directory / "model");
  EXPECT_EQ(report.problems, std::vector<std::string>{});
  EXPECT_TRUE(report.config.has_value());
  EXPECT_NE(report.tokenizer.find("no tokenizer.json"), std::string::npos)
      << report.tokenizer;
  // Master weights count as what they become.
  const auto tensors = ByName(report);
  const TensorReport& q = tensors.at("model.layers.0.self_attn.q_proj.weight");
  EXPECT_EQ(q.type, "BF16");
  EXPECT_TRUE(q.is_ternary);
  EXPECT_NEAR(q.share_minus + q.share_zero + q.share_plus, 1, 1e-12);
}

TEST(Inspect, DamagedCodesAreAProblemAndTheRestGoesOn) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "a.gguf");
  const auto before = ByName(Inspect(directory / "a.gguf"));
  // Of one matrix alone: 0.5 becomes 32, 4 and 1/32 (exponents 0x7e + n).
  const std::string sound = ReadFile(directory / "a.gguf");
  for (const int exponent : {6, 3, -4}) {
    SCOPED_TRACE(exponent);
    const TensorReport& v = before.at("blk.0.attn_v.weight");
    const float scale = std::ldexp(0.5F, exponent);
    std::string bytes = sound;
    std::memcpy(bytes.data() + v.offset + v.bytes - 32, &scale, sizeof scale);
    WriteFile(directory / "a.gguf", bytes);
    const auto warnings = Inspect(directory / "a.gguf").warnings;
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_NE(warnings[0].find("'blk.0.attn_v.weight'"), std::string::npos);
  }
  WriteFile(directory / "a.gguf", sound);
  const TensorReport& k = before.at("blk.0.attn_k.weight");
  Damage(directory / "a.gguf", k.offset + 100, '\xff');
  const ModelReport report = Inspect(directory / "a.gguf");
  EXPECT_TRUE(Mentions(report, "'blk.0.attn_k.weight'"));
  EXPECT_TRUE(Mentions(report, "code 3"));
  EXPECT_TRUE(Mentions(report, "byte " + std::to_string(k.offset + 100)));
  const auto tensors = ByName(report);
  EXPECT_FALSE(tensors.at("blk.0.attn_k.weight").is_ternary);
  EXPECT_TRUE(tensors.at("blk.0.attn_v.weight").is_ternary);
  EXPECT_TRUE(report.config.has_value());
}

TEST(Inspect, WeightsThatAreNotFiniteAreAProblem) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "a.gguf");
  const auto before = ByName(Inspect(directory / "a.gguf"));
  const std::uint64_t offset = before.at("token_embd.weight").offset + 40;
  Damage(directory / "a.gguf", offset, '\x80');  // bf16 0x7f80: infinity
  Damage(directory / "a.gguf", offset + 1, '\x7f');
  EXPECT_TRUE(Mentions(Inspect(directory / "a.gguf"), "'token_embd.weight'"));
}

// Architecture unknown: tensors, metadata and shares all the same.
TEST(Inspect, AFileThatCannotBeRunIsStillListed) {
  const TemporaryDirectory directory;
  const TinyModel model;
  Bytes bytes;
  ASSERT_FALSE(packing::PackI2S(model.Matrix(4, 128), bytes).has_value());
  {
    files::GgufWriter writer(directory / "a.gguf", false,
                             {{"general.architecture", std::string("mamba")}},
                             {{"x.weight", files::StoredType::kI2S, {4, 128}}});
    writer.Write(bytes);
    writer.Finish();
  }
  const ModelReport report = Inspect(directory / "a.gguf");
  EXPECT_TRUE(Mentions(report, "mamba"));
  EXPECT_FALSE(report.config.has_value());
  EXPECT_FALSE(report.memory.has_value());
  EXPECT_EQ(report.format, "GGUF v3");
  EXPECT_EQ(Metadata(report).at("general.architecture"), "mamba");
  ASSERT_EQ(report.tensors.size(), 1U);
  EXPECT_TRUE(report.tensors[0].is_ternary);
  EXPECT_EQ(report.tensors[0].scale_max, 0.5F);
}

TEST(Inspect, ATruncatedFileListsAllItsTensors) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "a.gguf");
  const std::size_t whole = Inspect(directory / "a.gguf").tensors.size();
  fs::resize_file(directory / "a.gguf",
                  fs::file_size(directory / "a.gguf") / 2);
  const ModelReport report = Inspect(directory / "a.gguf");
  EXPECT_EQ(report.tensors.size(), whole);
  EXPECT_TRUE(report.config.has_value());
  EXPECT_FALSE(report.memory.has_value());
  EXPECT_TRUE(Mentions(report, "more tensors"));
  EXPECT_FALSE(report.runs);
  EXPECT_NE(report.verdict.find("fetch"), std::string::npos) << report.verdict;
  const auto tensors = ByName(report);
  EXPECT_TRUE(tensors.at("blk.0.attn_q.weight").is_ternary);
  EXPECT_EQ(tensors.at("blk.1.ffn_down.weight").verdict,
            "none of its bytes are in the file");
}

TEST(Inspect, ASoundModelRunsOnIdsIfItHasNoTokenizer) {
  const TemporaryDirectory directory;
  WriteTinyHuggingFace({}, directory / "model");
  const ModelReport report = Inspect(directory / "model");
  EXPECT_TRUE(report.runs);
  EXPECT_NE(report.verdict.find("token ids alone"), std::string::npos);
  EXPECT_EQ(report.warnings, std::vector<std::string>{});
}

// Every tensor with a fault has its problem and its verdict; the others have
// their shares.
TEST(Inspect, WrongSizesAreAllTold) {
  const TemporaryDirectory directory;
  fs::copy_file(
      fs::path(TERN_SOURCE_DIR) / "tests/golden/zb-bitnet-256.i2_s.gguf",
      directory / "a.gguf");
  std::string bytes = ReadFile(directory / "a.gguf");
  for (const std::string name :
       {"blk.0.attn_q.weight", "blk.1.ffn_up.weight"}) {
    // After the name: dimension count, two dimensions, the type's number.
    const std::size_t type = bytes.find(name) + name.size() + 4 + 16;
    ASSERT_EQ(bytes[type], 36);
    bytes[type] = 35;
  }
  WriteFile(directory / "a.gguf", bytes);
  const ModelReport report = Inspect(directory / "a.gguf");
  EXPECT_EQ(report.problems.size(), 2U);
  EXPECT_FALSE(report.runs);
  const auto tensors = ByName(report);
  const TensorReport& q = tensors.at("blk.0.attn_q.weight");
  EXPECT_FALSE(q.is_ternary);
  EXPECT_NE(q.verdict.find("TQ2_0 (66-byte blocks of 256) does not fit"),
            std::string::npos)
      << q.verdict;
  EXPECT_NE(q.verdict.find("as many bytes as I2_S"), std::string::npos)
      << q.verdict;
  EXPECT_TRUE(tensors.at("blk.0.attn_k.weight").is_ternary);
  EXPECT_NE(report.tokenizer.find("llama-bpe"), std::string::npos);
}

// 18-byte blocks of 64 or 34-byte blocks of 128.
TEST(Inspect, OfATypeNumberOfSeveralMeaningsItTellsWhichFits) {
  const TemporaryDirectory directory;
  {
    files::GgufWriter writer(
        directory / "a.gguf", false, {},
        {{"x.weight", files::StoredType::kQ2_0, {16, 128}}});
    writer.Write(Bytes(std::size_t{16} * 2 * 18, 0x55));
    writer.Finish();
  }
  const ModelReport report = Inspect(directory / "a.gguf");
  ASSERT_EQ(report.tensors.size(), 1U);
  const std::string& verdict = report.tensors[0].verdict;
  EXPECT_NE(verdict.find("(18-byte blocks of 64) fits"), std::string::npos)
      << verdict;
  EXPECT_NE(verdict.find("(34-byte blocks of 128) does not fit: 544 bytes, "
                         "where 576 are here"),
            std::string::npos)
      << verdict;
}

TEST(Inspect, ScalesThatNoTrainedModelHasAreWarnings) {
  const TemporaryDirectory directory;
  WriteTinyGguf({.scale = 3, .half_tokenizer = false},
                directory / "large.gguf");
  ModelReport report = Inspect(directory / "large.gguf");
  EXPECT_EQ(report.problems, std::vector<std::string>{});
  ASSERT_EQ(report.warnings.size(), 1U);
  EXPECT_NE(report.warnings[0].find("trained models have 0.01 to 2"),
            std::string::npos);

  WriteTinyGguf({}, directory / "a.gguf");
  const auto before = ByName(Inspect(directory / "a.gguf"));
  const TensorReport& k = before.at("blk.1.attn_k.weight");
  // 0.5 becomes 0.5 * 2^16: exponent 0x7e + 16 in the scale at the end.
  const std::uint64_t scale = k.offset + k.bytes - 32;
  Damage(directory / "a.gguf", scale + 3, '\x47');
  report = Inspect(directory / "a.gguf");
  ASSERT_EQ(report.warnings.size(), 1U);
  EXPECT_NE(report.warnings[0].find("'blk.1.attn_k.weight'"), std::string::npos)
      << report.warnings[0];
}

TEST(Inspect, WhatTheFileLeavesOpenIsListed) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "a.gguf");
  const ModelReport report = Inspect(directory / "a.gguf");
  ASSERT_EQ(report.inferred.size(), 3U);
  EXPECT_NE(report.inferred[0].find("tern.activations"), std::string::npos);
  EXPECT_NE(report.inferred[1].find("output.weight"), std::string::npos);
  EXPECT_NE(report.inferred[2].find("llama-bpe, inferred from the architecture "
                                    "because tokenizer.ggml.pre is missing"),
            std::string::npos)
      << report.inferred[2];
}

// Shapes, missing tensors and keys that no one knows, all at once.
TEST(Inspect, EverythingWrongWithADirectoryIsTold) {
  const TemporaryDirectory directory;
  const fs::path model = directory / "model";
  WriteTinyHuggingFace({}, model);
  auto config = nlohmann::json::parse(ReadFile(model / "config.json"));
  config["intermediate_size"] = 256;  // it is 512
  config["num_hidden_layers"] = 4;    // there are 2
  config["mystery"] = 1;
  config["enigma"] = 2;
  WriteFile(model / "config.json", config.dump());
  const ModelReport report = Inspect(model);
  for (const char* words :
       {"'mystery'", "'enigma'", "'model.layers.0.mlp.gate_proj.weight'",
        "'model.layers.0.mlp.ffn_sub_norm.weight'",
        "'model.layers.1.mlp.down_proj.weight'", "layers 2 to 3"}) {
    EXPECT_TRUE(Mentions(report, words)) << words;
  }
  EXPECT_EQ(report.problems.size(), 2U + 2 * 4 + 1);
  EXPECT_TRUE(report.config.has_value());
  EXPECT_FALSE(report.runs);
  EXPECT_TRUE(
      ByName(report).at("model.layers.0.self_attn.q_proj.weight").is_ternary);
}

TEST(Inspect, UnknownQuantisationsAreToldWithTheTensors) {
  const TemporaryDirectory directory;
  const fs::path model = directory / "model";
  WriteTinyHuggingFace({}, model);
  auto config = nlohmann::json::parse(ReadFile(model / "config.json"));
  config["quantization_config"]["quant_method"] = "gptq";
  config["mystery"] = 1;
  WriteFile(model / "config.json", config.dump());
  const ModelReport report = Inspect(model);
  EXPECT_TRUE(Mentions(report, "gptq"));
  EXPECT_TRUE(Mentions(report, "'mystery'"));
  EXPECT_EQ(report.tensors.size(), 2U + 2 * 11);
  EXPECT_FALSE(report.config.has_value());
}

TEST(Inspect, WhatIsNoModelIsAnError) {
  const TemporaryDirectory directory;
  ExpectError(ErrorCode::kNotFound, {"missing.gguf"},
              [&] { Inspect(directory / "missing.gguf"); });
  WriteFile(directory / "notes.txt", "hello, this is no model");
  ExpectError(ErrorCode::kUnsupported, {"notes.txt", "neither"},
              [&] { Inspect(directory / "notes.txt"); });
  EXPECT_THROW(Inspect(directory.path()), Error);
}

}  // namespace
}  // namespace tern
