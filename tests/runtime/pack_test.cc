#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/pack.h>
#include <tern/tokenizer.h>

#include "packing/half.h"
#include "packing/q8_0.h"
#include "packing/quantize.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/files/gguf.h"
#include "runtime/files/safetensors.h"
#include "tests/runtime/tokenizer/fixtures.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_model.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using checkpoint::LinearSource;
using files::StoredType;

std::vector<const LinearSource*> Linears(const Checkpoint& model) {
  std::vector<const LinearSource*> linears;
  for (const auto& layer : model.layers) {
    for (const LinearSource* linear : {&layer.q, &layer.k, &layer.v, &layer.o,
                                       &layer.gate, &layer.up, &layer.down}) {
      linears.push_back(linear);
    }
  }
  return linears;
}

// Codes and multipliers of all layers equal, bit for bit.
void ExpectSameTernary(const fs::path& a, const fs::path& b) {
  const Checkpoint first = checkpoint::Open(a);
  const Checkpoint second = checkpoint::Open(b);
  const auto from = Linears(first);
  const auto to = Linears(second);
  ASSERT_EQ(from.size(), to.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    EXPECT_EQ(checkpoint::ReadLinear(*from[i]), checkpoint::ReadLinear(*to[i]))
        << from[i]->weight.Place();
  }
}

std::vector<float> Floats(const files::StoredTensor& tensor) {
  std::vector<float> values(tensor.ElementCount());
  files::ReadFloats(tensor, 0, tensor.shape.size() == 1 ? 1 : tensor.shape[0],
                    values.data());
  return values;
}

// Turns model.safetensors into two shards and an index.
void SplitOffNorms(const fs::path& model) {
  nlohmann::json weight_map;
  SafetensorsFile norms;
  SafetensorsFile rest;
  for (const auto& [name, tensor] :
       files::ReadSafetensors(model / "model.safetensors")) {
    const bool is_norm = tensor.shape.size() == 1;
    (is_norm ? norms : rest)
        .Add(name, tensor.type_name.c_str(),
             {tensor.shape.begin(), tensor.shape.end()}, tensor.ReadAll());
    weight_map[name] = is_norm ? "norms.safetensors" : "rest.safetensors";
  }
  norms.Write(model / "norms.safetensors");
  rest.Write(model / "rest.safetensors");
  fs::remove(model / "model.safetensors");
  WriteFile(model / "model.safetensors.index.json",
            nlohmann::json{{"weight_map", weight_map}}.dump());
}

TEST(Pack, TernaryWeightsSurviveEveryTypeUnchanged) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "a.gguf");
  Pack(directory / "a.gguf", directory / "tq2.gguf",
       {.type = PackedType::kTQ2_0});
  Pack(directory / "tq2.gguf", directory / "t2.gguf");
  Pack(directory / "t2.gguf", directory / "i2s.gguf",
       {.type = PackedType::kI2S});
  EXPECT_EQ(checkpoint::Open(directory / "tq2.gguf").layers[0].q.weight.type,
            StoredType::kTq2_0);
  EXPECT_EQ(checkpoint::Open(directory / "t2.gguf").layers[0].q.weight.type,
            StoredType::kT2);
  EXPECT_EQ(checkpoint::Open(directory / "i2s.gguf").layers[0].q.weight.type,
            StoredType::kI2S);
  ExpectSameTernary(directory / "a.gguf", directory / "tq2.gguf");
  ExpectSameTernary(directory / "a.gguf", directory / "t2.gguf");
  ExpectSameTernary(directory / "a.gguf", directory / "i2s.gguf");
}

TEST(Pack, NormsAndEmbeddingSurviveUnchanged) {
  const TemporaryDirectory directory;
  WriteTinyGguf({.tied = false}, directory / "a.gguf");
  const PackReport report = Pack(directory / "a.gguf", directory / "b.gguf",
                                 {.type = PackedType::kI2S});
  EXPECT_EQ(report.bytes, fs::file_size(directory / "b.gguf"));
  EXPECT_EQ(report.tensors, 3U + 2 * 11);
  const Checkpoint a = checkpoint::Open(directory / "a.gguf");
  const Checkpoint b = checkpoint::Open(directory / "b.gguf");
  EXPECT_EQ(b.embedding.weight.type, StoredType::kBf16);
  EXPECT_EQ(b.embedding.weight.ReadAll(), a.embedding.weight.ReadAll());
  ASSERT_TRUE(b.head.has_value());
  EXPECT_EQ(b.head->weight.ReadAll(), a.head->weight.ReadAll());
  EXPECT_EQ(b.output_norm.ReadAll(), a.output_norm.ReadAll());
  EXPECT_EQ(b.layers[1].ffn_sub_norm->ReadAll(),
            a.layers[1].ffn_sub_norm->ReadAll());
}

TEST(Pack, HyperparametersSurvive) {
  const TemporaryDirectory directory;
  const TinyModel wide_heads = {.heads = 8};  // 8 * 64 is not hidden_size
  WriteTinyGguf(wide_heads, directory / "a.gguf");
  Pack(directory / "a.gguf", directory / "b.gguf", {});
  const ModelConfig a = checkpoint::Open(directory / "a.gguf").config;
  const ModelConfig b = checkpoint::Open(directory / "b.gguf").config;
  EXPECT_EQ(b.name, "tiny");
  EXPECT_EQ(b.hidden_size, a.hidden_size);
  EXPECT_EQ(b.num_layers, a.num_layers);
  EXPECT_EQ(b.ffn_size, a.ffn_size);
  EXPECT_EQ(b.num_heads, a.num_heads);
  EXPECT_EQ(b.num_kv_heads, a.num_kv_heads);
  EXPECT_EQ(b.head_dim, a.head_dim);
  EXPECT_EQ(b.vocab_size, a.vocab_size);
  EXPECT_EQ(b.max_context, a.max_context);
  EXPECT_EQ(b.rope_theta, a.rope_theta);
  EXPECT_EQ(b.norm_eps, a.norm_eps);
  EXPECT_EQ(b.tied_head, a.tied_head);
}

TEST(Pack, TokenizerKeysOfAGgufFileAreCopied) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "a.gguf");
  Pack(directory / "a.gguf", directory / "b.gguf", {});
  const auto from = files::ReadGguf(directory / "a.gguf").metadata;
  const auto to = files::ReadGguf(directory / "b.gguf").metadata;
  std::size_t copied = 0;
  for (const auto& [key, value] : from) {
    if (!key.starts_with("tokenizer.")) continue;
    ASSERT_TRUE(to.contains(key)) << key;
    EXPECT_EQ(to.at(key), value) << key;
    ++copied;
  }
  EXPECT_EQ(copied, 4U);
}

TEST(Pack, FileTypeNamesTheTypeOfTheWeights) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "ternary.gguf");
  WriteTinyGguf({}, directory / "dense.gguf", true);
  const auto file_type = [&](const std::string& name, PackedType type) {
    const fs::path out = directory / "out.gguf";
    Pack(directory / name, out, {.type = type, .overwrite = true});
    return files::ReadGguf(out).Unsigned("general.file_type");
  };
  EXPECT_EQ(file_type("ternary.gguf", PackedType::kI2S), 40U);
  EXPECT_EQ(file_type("ternary.gguf", PackedType::kTQ2_0), 37U);
  EXPECT_EQ(file_type("dense.gguf", PackedType::kI2S), 32U);
  EXPECT_EQ(file_type("ternary.gguf", PackedType::kT2), std::nullopt);
  EXPECT_EQ(file_type("dense.gguf", PackedType::kT2), 32U);
}

// For other programs: without anything of tern's own.
TEST(Pack, PlainFloatsCanStayAPlainFile) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "dense.gguf", true);
  Pack(directory / "dense.gguf", directory / "out.gguf",
       {.type = PackedType::kKeep});
  const files::GgufFile from = files::ReadGguf(directory / "dense.gguf");
  const files::GgufFile out = files::ReadGguf(directory / "out.gguf");
  EXPECT_FALSE(out.metadata.contains("tern.t2.version"));
  EXPECT_EQ(out.alignment, 32U);
  EXPECT_EQ(out.Unsigned("general.file_type"), 32U);
  ASSERT_EQ(out.tensors.size(), from.tensors.size());
  for (const auto& [name, tensor] : from.tensors) {
    const auto& copy = out.tensors.at(name);
    EXPECT_EQ(copy.type, tensor.type) << name;
    EXPECT_EQ(copy.ReadAll(), tensor.ReadAll()) << name;
  }
}

TEST(Pack, ATypeThatWouldHaveNoEffectIsRefusedIfAsked) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "ternary.gguf");
  WriteTinyGguf({}, directory / "dense.gguf", true);
  ExpectError(ErrorCode::kUnsupported,
              {"blk.0.attn_q.weight", "plain floats", "keep"}, [&] {
                Pack(directory / "dense.gguf", directory / "out.gguf",
                     {.type = PackedType::kI2S, .require_ternary = true});
              });
  ExpectError(ErrorCode::kUnsupported, {"blk.0.attn_q.weight", "is ternary"},
              [&] {
                Pack(directory / "ternary.gguf", directory / "out.gguf",
                     {.type = PackedType::kKeep});
              });
  EXPECT_EQ(directory.FileCount(), 2U);
}

TEST(Pack, TheSameInputGivesTheSameBytes) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "a.gguf");
  Pack(directory / "a.gguf", directory / "b.gguf", {});
  Pack(directory / "a.gguf", directory / "c.gguf", {});
  EXPECT_EQ(ReadFile(directory / "b.gguf"), ReadFile(directory / "c.gguf"));
  // And packing a packed file changes nothing.
  Pack(directory / "b.gguf", directory / "d.gguf", {});
  EXPECT_EQ(ReadFile(directory / "b.gguf"), ReadFile(directory / "d.gguf"));
}

TEST(Pack, FloatLayersKeepTheirType) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "a.gguf", true);
  Pack(directory / "a.gguf", directory / "b.gguf", {});
  const Checkpoint a = checkpoint::Open(directory / "a.gguf");
  const Checkpoint b = checkpoint::Open(directory / "b.gguf");
  EXPECT_EQ(b.layers[0].q.weight.type, StoredType::kBf16);
  EXPECT_EQ(b.layers[0].q.weight.ReadAll(), a.layers[0].q.weight.ReadAll());
}

TEST(Pack, TheHeadIsConvertedAsAsked) {
  const TemporaryDirectory directory;
  WriteTinyGguf({.tied = false}, directory / "a.gguf");
  Pack(directory / "a.gguf", directory / "f16.gguf",
       {.head = PackedHead::kF16});
  Pack(directory / "a.gguf", directory / "q8.gguf",
       {.head = PackedHead::kQ8_0});
  const Checkpoint a = checkpoint::Open(directory / "a.gguf");
  const Checkpoint f16 = checkpoint::Open(directory / "f16.gguf");
  const Checkpoint q8 = checkpoint::Open(directory / "q8.gguf");
  const std::vector<float> values = Floats(a.embedding.weight);
  EXPECT_EQ(f16.embedding.weight.type, StoredType::kF16);
  EXPECT_EQ(Floats(f16.embedding.weight),
            values);  // chosen so that f16 holds them
  EXPECT_EQ(Floats(f16.head->weight), values);

  EXPECT_EQ(q8.embedding.weight.type, StoredType::kQ8_0);
  Bytes expected(packing::Q8RowBytes(values.size()));
  ASSERT_FALSE(packing::QuantizeQ8(values, expected).has_value());
  EXPECT_EQ(q8.embedding.weight.ReadAll(), expected);
  EXPECT_EQ(q8.head->weight.ReadAll(), expected);
  // Q8_0 stays as it is if nothing is asked.
  Pack(directory / "q8.gguf", directory / "kept.gguf", {});
  EXPECT_EQ(
      checkpoint::Open(directory / "kept.gguf").embedding.weight.ReadAll(),
      expected);
}

// Also of weights that are only copied.
TEST(Pack, RefusesAnEmbeddingThatIsNotFinite) {
  const TemporaryDirectory directory;
  const fs::path path = directory / "a.gguf";
  WriteTinyGguf({}, path);
  const std::uint64_t offset = checkpoint::Open(path).embedding.weight.offset;
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset + 2 * 1000));
  file.write("\xc0\x7f", 2);  // NaN as bf16
  file.close();
  for (const PackedHead head : {PackedHead::kKeep, PackedHead::kF16}) {
    ExpectError(ErrorCode::kMalformed, {"token_embd.weight", "finite"},
                [&] { Pack(path, directory / "b.gguf", {.head = head}); });
  }
  EXPECT_EQ(directory.FileCount(), 1U);
}

TEST(Pack, MasterWeightsAreTernarised) {
  const TemporaryDirectory directory;
  WriteTinyHuggingFace({}, directory / "model");
  Pack(directory / "model", directory / "b.gguf", {});
  ExpectSameTernary(directory / "model", directory / "b.gguf");
  const Checkpoint b = checkpoint::Open(directory / "b.gguf");
  EXPECT_EQ(b.config.name, "model");
  const LinearSource& q = b.layers[0].q;
  std::vector<float> weights(q.rows * q.cols);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = TinyModel::Value(i);
  }
  packing::TernaryMatrix expected;
  ASSERT_FALSE(
      packing::TernarizeAbsmean(weights, q.rows, q.cols, expected).has_value());
  EXPECT_EQ(checkpoint::ReadLinear(q), expected);
  // Norms become F32, exactly.
  EXPECT_EQ(b.output_norm.type, StoredType::kF32);
  EXPECT_EQ(b.output_norm.ReadAll(), F32Bytes(256));
}

// The tokenizer that is written is the one that text would be encoded by.
TEST(Pack, TheTokenizerBesideTheModelGoesIntoTheFile) {
  const TemporaryDirectory directory;
  const fs::path model = directory / "model";
  WriteTinyHuggingFace({.vocab = 300}, model);
  nlohmann::json tokenizer = tokenizer::testing::SmallTokenizerJson();
  WriteFile(model / "tokenizer.json", tokenizer.dump());
  Pack(model, directory / "a.gguf", {});
  const Tokenizer packed = Tokenizer::Load(directory / "a.gguf");
  EXPECT_EQ(packed.vocab_size(), 300U);
  EXPECT_EQ(packed.Encode("hello words"),
            Tokenizer::Load(model).Encode("hello words"));
  // What the runtime refuses is not packed.
  tokenizer["model"]["merges"].push_back({"h", "e"});
  WriteFile(model / "tokenizer.json", tokenizer.dump());
  ExpectError(ErrorCode::kMalformed, {"tokenizer.json", "model.merges[4]"},
              [&] { Pack(model, directory / "b.gguf", {}); });
  tokenizer["surprise"] = 1;
  WriteFile(model / "tokenizer.json", tokenizer.dump());
  ExpectError(ErrorCode::kUnsupported, {"tokenizer.json", "surprise"},
              [&] { Pack(model, directory / "b.gguf", {}); });
  EXPECT_FALSE(fs::exists(directory / "b.gguf"));
}

TEST(Pack, ProgressRisesToOne) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "a.gguf");
  std::vector<double> fractions;
  Pack(directory / "a.gguf", directory / "b.gguf",
       {.progress = [&](double fraction) { fractions.push_back(fraction); }});
  ASSERT_FALSE(fractions.empty());
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));
  EXPECT_EQ(fractions.back(), 1.0);
}

TEST(Pack, AProgressThatThrowsLeavesNothing) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "a.gguf");
  EXPECT_THROW(Pack(directory / "a.gguf", directory / "b.gguf",
                    {.progress = [](double) { throw 1; }}),
               int);
  EXPECT_EQ(directory.FileCount(), 1U);
}

TEST(Pack, RefusesAScaleThatF16CannotHold) {
  const TemporaryDirectory directory;
  WriteTinyGguf({.scale = 0.3F}, directory / "a.gguf");
  ExpectError(ErrorCode::kUnsupported,
              {"a.gguf", "blk.0.attn_q.weight", "0.3", "f16", "I2_S"}, [&] {
                Pack(directory / "a.gguf", directory / "b.gguf",
                     {.type = PackedType::kTQ2_0});
              });
  EXPECT_EQ(directory.FileCount(), 1U);
  Pack(directory / "a.gguf", directory / "b.gguf", {});
  ExpectSameTernary(directory / "a.gguf", directory / "b.gguf");
}

TEST(Pack, RefusesWidthsThatDoNotFit) {
  const TemporaryDirectory directory;
  WriteTinyGguf({.ffn = 384}, directory / "a.gguf");
  ExpectError(ErrorCode::kUnsupported,
              {"blk.0.ffn_down.weight", "384 columns", "256"}, [&] {
                Pack(directory / "a.gguf", directory / "b.gguf",
                     {.type = PackedType::kTQ2_0});
              });
  Pack(directory / "a.gguf", directory / "b.gguf", {});
  WriteTinyHuggingFace({.ffn = 320}, directory / "model");
  ExpectError(ErrorCode::kUnsupported,
              {"mlp.down_proj.weight", "320 columns", "128", "write T2"}, [&] {
                Pack(directory / "model", directory / "c.gguf",
                     {.type = PackedType::kI2S});
              });
  EXPECT_FALSE(fs::exists(directory / "c.gguf"));
  Pack(directory / "model", directory / "c.gguf");
  ExpectSameTernary(directory / "model", directory / "c.gguf");
}

TEST(Pack, RefusesToReplaceAFileUnasked) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "a.gguf");
  WriteFile(directory / "b.gguf", "precious");
  ExpectError(ErrorCode::kInvalidArgument, {"b.gguf", "exists already"},
              [&] { Pack(directory / "a.gguf", directory / "b.gguf", {}); });
  EXPECT_EQ(ReadFile(directory / "b.gguf"), "precious");
  Pack(directory / "a.gguf", directory / "b.gguf", {.overwrite = true});
  ExpectSameTernary(directory / "a.gguf", directory / "b.gguf");
}

// Every shard, though the first may hold all the matrices.
TEST(Pack, RefusesToReplaceAShardOfItsSource) {
  const TemporaryDirectory directory;
  const fs::path model = directory / "model";
  WriteTinyHuggingFace({}, model);
  SplitOffNorms(model);
  for (const char* name : {"norms.safetensors", "rest.safetensors",
                           "model.safetensors.index.json"}) {
    const std::string bytes = ReadFile(model / name);
    ExpectError(ErrorCode::kInvalidArgument, {name, "is part of the model"},
                [&] { Pack(model, model / name, {.overwrite = true}); });
    EXPECT_EQ(ReadFile(model / name), bytes);
  }
  Pack(model, directory / "a.gguf", {});
}

TEST(Pack, RefusesToReplaceItsSource) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "a.gguf");
  fs::create_symlink(directory / "a.gguf", directory / "link.gguf");
  WriteTinyHuggingFace({}, directory / "model");
  const std::string before = ReadFile(directory / "a.gguf");
  const auto refuse = [&](const fs::path& from, const fs::path& to) {
    ExpectError(ErrorCode::kInvalidArgument, {"is part of the model"},
                [&] { Pack(from, to, {.overwrite = true}); });
  };
  refuse(directory / "a.gguf", directory / "a.gguf");
  refuse(directory / "a.gguf", directory / "link.gguf");
  const fs::path model = directory / "model";
  WriteFile(model / "tokenizer_config.json", "{}");
  WriteFile(model / "generation_config.json", "{}");
  WriteFile(model / "chat_template.jinja", "{}");
  for (const char* name :
       {"model.safetensors", "config.json", "tokenizer_config.json",
        "generation_config.json", "chat_template.jinja"}) {
    SCOPED_TRACE(name);
    const std::string bytes = ReadFile(model / name);
    refuse(model, model / name);
    refuse(model / "model.safetensors", model / name);
    EXPECT_EQ(ReadFile(model / name), bytes);
  }
  WriteFile(model / "tokenizer.json", "{}");
  refuse(model, model / "tokenizer.json");
  EXPECT_EQ(ReadFile(directory / "a.gguf"), before);
}

}  // namespace
}  // namespace tern
