// Hugging Face directories, what is kept beside the model, rounding, and a kill
// in the middle.
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/pack.h>
#include <tern/verify.h>

#include "packing/half.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/files/gguf.h"
#include "runtime/files/gguf_writer.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_model.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using files::GgufValue;
using files::StoredType;
using nlohmann::json;

const PackOptions kToHf = {.type = PackedType::kHuggingFace};

json ReadJson(const fs::path& path) { return json::parse(ReadFile(path)); }

// The file without some of its keys and with others, which replace its own.
void Rewrite(const files::GgufFile& file, const fs::path& path,
             const std::string& without, files::GgufMetadata metadata,
             const files::GgufNumberTypes& types = {}) {
  for (const auto& entry : file.metadata) {
    const bool is_there =
        std::any_of(metadata.begin(), metadata.end(),
                    [&](const auto& own) { return own.first == entry.first; });
    if (!is_there && !entry.first.starts_with(without)) {
      metadata.push_back(entry);
    }
  }
  std::vector<files::GgufTensor> tensors;
  for (const auto& [name, tensor] : file.tensors) {
    tensors.push_back({name, tensor.type, tensor.shape});
  }
  files::GgufWriter writer(path, true, metadata, tensors,
                           files::GgufForm::kPlain, types);
  for (const auto& [name, tensor] : file.tensors) {
    writer.Write(tensor.ReadAll());
  }
  writer.Finish();
}

// With other keys beside its own.
void WriteTinyWithoutTokenizer(const fs::path& path, TinyModel model,
                               const files::GgufMetadata& keys = {},
                               const files::GgufNumberTypes& types = {}) {
  const TemporaryDirectory directory;
  model.half_tokenizer = false;
  WriteTinyGguf(model, directory / "a.gguf");
  Rewrite(files::ReadGguf(directory / "a.gguf"), path, "nothing", keys, types);
}

const files::GgufMetadata& Extras() {
  static const files::GgufMetadata extras = {
      {"general.author", std::string("somebody")},
      {"general.license", std::string("mit")},
      {"general.tags", std::vector<std::string>{"text", "ternary"}},
      {"general.base_model.count", std::uint64_t{1}},
      {"general.sampling.temp", 0.6},
      {"general.finished", true},
      {"quantize.imatrix.entries_count", std::uint64_t{7}},
      {"bitnet-b1.58.attention.causal", true}};
  return extras;
}

void ExpectExtras(const fs::path& path) {
  const auto metadata = files::ReadGguf(path).metadata;
  for (const auto& [key, value] : Extras()) {
    ASSERT_TRUE(metadata.contains(key)) << key;
    EXPECT_EQ(metadata.at(key), value) << key;
  }
}

TEST(PackExtras, KeysThatConcernNoResultAreKeptThroughEveryFormat) {
  const TemporaryDirectory directory;
  WriteTinyWithoutTokenizer(directory / "a.gguf", {}, Extras());
  Pack(directory / "a.gguf", directory / "b.gguf",
       {.type = PackedType::kTQ2_0});
  ExpectExtras(directory / "b.gguf");
  Pack(directory / "b.gguf", directory / "hf", kToHf);
  Pack(directory / "hf", directory / "c.gguf", {});
  ExpectExtras(directory / "c.gguf");
  Pack(directory / "hf", directory / "hf2", kToHf);
  Pack(directory / "hf2", directory / "d.gguf", {});
  ExpectExtras(directory / "d.gguf");
}

TEST(PackExtras, MembersOfConfigJsonAreKeptThroughGguf) {
  const TemporaryDirectory directory;
  const fs::path model = directory / "model";
  WriteTinyHuggingFace({}, model);
  json config = ReadJson(model / "config.json");
  config["initializer_range"] = 0.02;
  config["torch_dtype"] = "float32";
  config["attention_bias"] = false;
  config["bos_token_id"] = 5;
  config["auto_map"] = {{"AutoConfig", "gone.py"}};
  WriteFile(model / "config.json", config.dump());
  const json generation = {{"temperature", 0.7}, {"eos_token_id", {3, 4}}};
  WriteFile(model / "generation_config.json", generation.dump());
  Pack(model, directory / "a.gguf", {});
  Pack(directory / "a.gguf", directory / "back", kToHf);
  const json back = ReadJson(directory / "back/config.json");
  for (const char* key : {"initializer_range", "torch_dtype", "attention_bias",
                          "bos_token_id", "rms_norm_eps", "rope_theta"}) {
    EXPECT_EQ(back.at(key), config.at(key)) << key;
  }
  EXPECT_FALSE(back.contains("auto_map"));
  EXPECT_EQ(ReadJson(directory / "back/generation_config.json"), generation);
}

// The types of numbers, too, which their values do not tell.
TEST(PackExtras, NumbersKeepTheirTypesThroughEveryFormat) {
  const TemporaryDirectory directory;
  const files::GgufMetadata keys = {
      {"general.a", std::uint64_t{7}},
      {"general.b", std::vector<std::uint8_t>{1, 2, 255}},
      {"general.c", 0.5},
      {"general.d", std::int64_t{3}},
      {"general.e", std::vector<std::uint64_t>{1, 2}},
      {"general.f", 0.1},
      {"general.g", std::vector<std::int8_t>{-1, 2}},
      {"general.h", std::vector<double>{1, 0.1, -0.0}},
      {"general.i", std::vector<std::uint16_t>{65535}}};
  const files::GgufNumberTypes types = {
      {"general.a", files::kUint8},   {"general.b", files::kUint8},
      {"general.c", files::kFloat64}, {"general.d", files::kInt32},
      {"general.e", files::kUint64},  {"general.f", files::kFloat64},
      {"general.g", files::kInt8},    {"general.h", files::kFloat64},
      {"general.i", files::kUint16}};
  WriteTinyWithoutTokenizer(directory / "a.gguf", {}, keys, types);
  Pack(directory / "a.gguf", directory / "b.gguf", {});
  Pack(directory / "b.gguf", directory / "hf", kToHf);
  Pack(directory / "hf", directory / "hf2", kToHf);
  Pack(directory / "hf2", directory / "c.gguf", {});
  for (const char* name : {"a.gguf", "b.gguf", "c.gguf"}) {
    SCOPED_TRACE(name);
    const files::GgufFile file = files::ReadGguf(directory / name);
    for (const auto& [key, type] : types) {
      EXPECT_EQ(file.number_types.at(key), type) << key;
    }
    EXPECT_EQ(file.metadata.at("general.b"), keys[1].second);
    EXPECT_EQ(file.metadata.at("general.f"), GgufValue(0.1));
    EXPECT_EQ(file.metadata.at("general.h"), keys[7].second);
  }
}

const fs::path kGoldenGguf =
    fs::path(TERN_SOURCE_DIR) / "tests/golden/zb-bitnet-256.i2_s.gguf";

TEST(PackExtras, WhatTokenizerFilesSayIsKeptThroughGguf) {
  const TemporaryDirectory directory;
  Pack(kGoldenGguf, directory / "hf", kToHf);
  json config = ReadJson(directory / "hf/tokenizer_config.json");
  const json more = {{"pad_token", {{"content", "<|unk|>"}}},
                     {"padding_side", "left"},
                     {"model_max_length", 4096},
                     {"model_input_names", {"input_ids"}},
                     {"additional_special_tokens", {"<|unk|>"}}};
  config.update(more);
  WriteFile(directory / "hf/tokenizer_config.json", config.dump());
  const json map = {{"pad_token", "<|unk|>"}, {"eos_token", "<|eos|>"}};
  WriteFile(directory / "hf/special_tokens_map.json", map.dump());
  Pack(directory / "hf", directory / "a.gguf");
  EXPECT_EQ(files::ReadGguf(directory / "a.gguf")
                .Unsigned("tokenizer.ggml.padding_token_id"),
            0U);
  Pack(directory / "a.gguf", directory / "back", kToHf);
  EXPECT_EQ(ReadJson(directory / "back/tokenizer_config.json"), config);
  EXPECT_EQ(ReadJson(directory / "back/special_tokens_map.json"), map);
}

TEST(PackExtras, TokenizerKeysComeBackFromHuggingFaceAsTheyWere) {
  const TemporaryDirectory directory;
  const files::GgufFile golden = files::ReadGguf(kGoldenGguf);
  Rewrite(golden, directory / "a.gguf", "nothing",
          {{"tokenizer.ggml.eom_token_id", std::uint64_t{0}},
           {"tokenizer.ggml.padding_token_id", std::uint64_t{0}},
           {"tokenizer.ggml.add_eos_token", false},
           {"tokenizer.ggml.add_sep_token", false},
           {"tokenizer.ggml.add_space_prefix", false},
           {"tokenizer.ggml.remove_extra_whitespaces", false}});
  Pack(directory / "a.gguf", directory / "hf", kToHf);
  EXPECT_EQ(ReadJson(directory / "hf/tokenizer_config.json").at("pad_token"),
            "<|unk|>");
  Pack(directory / "hf", directory / "b.gguf");
  const auto tokenizer_of = [&](const char* name) {
    std::map<std::string, GgufValue> keys;
    for (const auto& [key, value] :
         files::ReadGguf(directory / name).metadata) {
      if (key.starts_with("tokenizer.")) keys.emplace(key, value);
    }
    return keys;
  };
  const auto before = tokenizer_of("a.gguf");
  const auto after = tokenizer_of("b.gguf");
  for (const auto& [key, value] : before) {
    ASSERT_TRUE(after.contains(key)) << key;
    EXPECT_EQ(after.at(key), value) << key;
  }
  EXPECT_EQ(after.size(), before.size());
  // Only what has no effect is believed.
  json config = ReadJson(directory / "hf/config.json");
  config["tern"]["gguf"]["tokenizer.ggml.add_eos_token"] = true;
  WriteFile(directory / "hf/config.json", config.dump());
  ExpectError(ErrorCode::kUnsupported, {"add_eos_token", "is not false"},
              [&] { Pack(directory / "hf", directory / "c.gguf"); });
}

TEST(PackExtras, WhatAGgufFileDoesNotSayIsNotSaidForIt) {
  const TemporaryDirectory directory;
  Rewrite(files::ReadGguf(kGoldenGguf), directory / "a.gguf", "general.name",
          {});
  Pack(directory / "a.gguf", directory / "b.gguf");
  EXPECT_FALSE(
      files::ReadGguf(directory / "b.gguf").metadata.contains("general.name"));
}

TEST(PackExtras, AnArrayTooLongForConfigJsonIsRefused) {
  const TemporaryDirectory directory;
  WriteTinyWithoutTokenizer(
      directory / "a.gguf", {},
      {{"general.blob", std::vector<std::uint8_t>(70'000, 1)}});
  ExpectError(ErrorCode::kUnsupported, {"general.blob", "70000 elements"},
              [&] { Pack(directory / "a.gguf", directory / "hf", kToHf); });
}

TEST(PackExtras, RefusesWhatJsonCannotHold) {
  const TemporaryDirectory directory;
  WriteTinyWithoutTokenizer(directory / "a.gguf", {},
                            {{"general.author", std::string("\xff")}});
  ExpectError(ErrorCode::kUnsupported, {"a.gguf", "general.author", "UTF-8"},
              [&] { Pack(directory / "a.gguf", directory / "hf", kToHf); });
  EXPECT_EQ(directory.FileCount(), 1U);
}

// It is kept as it is; what tern makes of it must not end in a surprise.
TEST(PackExtras, ScalingThatIsNoNumberIsNoScalingOfGguf) {
  const TemporaryDirectory directory;
  WriteTinyHuggingFace({}, directory / "model");
  json config = ReadJson(directory / "model/config.json");
  config["rope_scaling"] = {{"rope_type", "yarn"}, {"factor", 4.0}};
  WriteFile(directory / "model/config.json", config.dump());
  Pack(directory / "model", directory / "a.gguf", {.type = PackedType::kI2S});
  const files::GgufFile file = files::ReadGguf(directory / "a.gguf");
  for (const json& strange :
       {json({{"rope_type", "yarn"}, {"factor", "4"}}),
        json({{"rope_type", "yarn"},
              {"factor", 4.0},
              {"original_max_position_embeddings", 1e300}}),
        json({{"rope_type", "yarn"},
              {"factor", 4.0},
              {"original_max_position_embeddings", -1.5}})}) {
    const json kept = {{"rope_scaling", strange}};
    Rewrite(file, directory / "b.gguf", "general.alignment",
            {{"tern.huggingface", kept.dump()}});
    Pack(directory / "b.gguf", directory / "c.gguf", {.overwrite = true});
    EXPECT_EQ(checkpoint::Open(directory / "c.gguf").config.rope_frequencies,
              checkpoint::Open(directory / "a.gguf").config.rope_frequencies);
  }
}

TEST(PackExtras, RefusesAForeignTernMember) {
  const TemporaryDirectory directory;
  const fs::path model = directory / "model";
  WriteTinyHuggingFace({}, model);
  json config = ReadJson(model / "config.json");
  config["tern"] = {{"gguf", {{"bitnet-b1.58.rope.freq_base", 3.0}}}};
  WriteFile(model / "config.json", config.dump());
  ExpectError(ErrorCode::kUnsupported, {"tern", "rope.freq_base"},
              [&] { Pack(model, directory / "a.gguf", {}); });
  config["tern"] = {{"surprise", 1}};
  WriteFile(model / "config.json", config.dump());
  ExpectError(ErrorCode::kUnsupported, {"tern", "surprise"},
              [&] { Pack(model, directory / "a.gguf", {}); });
}

// --- the form that transformers reads ---

TEST(PackHuggingFace, SaysMultiplyAndTheTypeThatHoldsEveryFloat) {
  const TemporaryDirectory directory;
  const auto dtypes = [&](float scale) {
    const fs::path a = directory / "a.gguf";
    fs::remove_all(a);
    fs::remove_all(directory / "hf");
    WriteTinyWithoutTokenizer(a, {.scale = scale});
    Pack(a, directory / "hf", kToHf);
    const json config = ReadJson(directory / "hf/config.json");
    const json& quantization = config.at("quantization_config");
    EXPECT_EQ(quantization.at("quant_method"), "bitnet");
    EXPECT_EQ(quantization.at("linear_class"), "autobitlinear");
    EXPECT_EQ(quantization.at("quantization_mode"), "offline");
    const auto model = checkpoint::Open(directory / "hf");
    return std::pair(config.at("torch_dtype").get<std::string>(),
                     model.layers[0].q.scale->type_name);
  };
  EXPECT_EQ(dtypes(0.5F),
            std::pair(std::string("bfloat16"), std::string("BF16")));
  EXPECT_EQ(dtypes(0.3F),
            std::pair(std::string("float32"), std::string("F32")));
}

TEST(PackHuggingFace, RefusesATypeThatOnlyGgufHas) {
  const TemporaryDirectory directory;
  WriteTinyWithoutTokenizer(directory / "a.gguf", {});
  Pack(directory / "a.gguf", directory / "q8.gguf",
       {.head = PackedHead::kQ8_0});
  ExpectError(ErrorCode::kUnsupported, {"token_embd", "Q8_0", "F16"},
              [&] { Pack(directory / "q8.gguf", directory / "hf", kToHf); });
  ExpectError(ErrorCode::kUnsupported, {"token_embd", "Q8_0", "F16"}, [&] {
    Pack(directory / "a.gguf", directory / "hf",
         {.type = PackedType::kHuggingFace, .head = PackedHead::kQ8_0});
  });
  EXPECT_EQ(directory.FileCount(), 2U);
  Pack(directory / "q8.gguf", directory / "hf",
       {.type = PackedType::kHuggingFace, .head = PackedHead::kF16});
  EXPECT_EQ(checkpoint::Open(directory / "hf").embedding.weight.type,
            StoredType::kF16);
}

// A matrix of zeros is none of the holes that a broken download has.
TEST(PackZeros, AMatrixOfZerosGoesThroughEveryPackedFormat) {
  const TemporaryDirectory directory;
  WriteTinyWithoutTokenizer(directory / "a.gguf", {});
  const auto q = checkpoint::Open(directory / "a.gguf").layers[0].q.weight;
  std::string bytes = ReadFile(directory / "a.gguf");
  bytes.replace(q.offset, q.bytes,
                std::string(q.bytes - 32, '\x55') + std::string(32, '\0'));
  WriteFile(directory / "a.gguf", bytes);
  const auto matrix_of = [&](const fs::path& path) {
    EXPECT_TRUE(Verify(path).faults.empty()) << path;
    return checkpoint::ReadLinear(checkpoint::Open(path).layers[0].q);
  };
  const auto expected = matrix_of(directory / "a.gguf");
  EXPECT_EQ(expected.scales, std::vector<float>{0});
  for (const PackedType type :
       {PackedType::kT2, PackedType::kI2S, PackedType::kTQ1_0,
        PackedType::kTQ2_0, PackedType::kQ2_0, PackedType::kHuggingFace}) {
    const fs::path packed =
        directory / ("b" + std::to_string(static_cast<int>(type)));
    Pack(directory / "a.gguf", packed, {.type = type});
    EXPECT_EQ(matrix_of(packed), expected) << static_cast<int>(type);
  }
  // But the bytes of a hole are.
  bytes.replace(q.offset, q.bytes - 32, std::string(q.bytes - 32, '\0'));
  bytes[q.offset + q.bytes - 29] = '\x3f';  // scale 0.5
  WriteFile(directory / "a.gguf", bytes);
  ExpectError(ErrorCode::kMalformed, {"blk.0.attn_q.weight", "hole"}, [&] {
    checkpoint::ReadLinear(checkpoint::Open(directory / "a.gguf").layers[0].q);
  });
}

// Read back, it would pass for the other one of the two rules.
TEST(PackHuggingFace, RefusesAScaleThatItsReadersRefuse) {
  const TemporaryDirectory directory;
  WriteTinyWithoutTokenizer(directory / "a.gguf", {.scale = 20});
  ExpectError(ErrorCode::kUnsupported,
              {"a.gguf: tensor 'blk.0.attn_q.weight'", "scale 20 is above 10"},
              [&] { Pack(directory / "a.gguf", directory / "hf", kToHf); });
  EXPECT_EQ(directory.FileCount(), 1U);
  WriteTinyWithoutTokenizer(directory / "b.gguf", {.scale = 10});
  Pack(directory / "b.gguf", directory / "hf", kToHf);
  EXPECT_TRUE(Verify(directory / "hf").faults.empty());
}

TEST(PackHuggingFace, ANameThatJsonCannotHoldIsAnError) {
  const TemporaryDirectory directory;
  const std::string latin1 = "gr\xfc\xdf";
  WriteTinyWithoutTokenizer(directory / "a.gguf", {},
                            {{"general.name", latin1}});
  ExpectError(ErrorCode::kUnsupported, {"a.gguf", "no UTF-8"},
              [&] { Pack(directory / "a.gguf", directory / "hf", kToHf); });
  EXPECT_EQ(directory.FileCount(), 1U);
  // A directory's name is nothing that the model says.
  WriteTinyHuggingFace({}, directory / latin1);
  Pack(directory / latin1, directory / "hf", kToHf);
  Pack(directory / latin1, directory / "b.gguf");
  EXPECT_FALSE(
      files::ReadGguf(directory / "b.gguf").metadata.contains("general.name"));
  Pack(directory / "hf", directory / "c.gguf");
  EXPECT_EQ(files::ReadGguf(directory / "c.gguf").metadata.at("general.name"),
            GgufValue(std::string("hf")));
}

// What an error is about is gone when the reader of it looks.
TEST(PackHuggingFace, ErrorsNameTheDestination) {
  const TemporaryDirectory directory;
  WriteTinyWithoutTokenizer(directory / "a.gguf", {});
  ::rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  ::rlimit small = limit;
  small.rlim_cur = 20'000;
  ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  ExpectError(ErrorCode::kIo, {(directory / "hf/model.safetensors: ").string()},
              [&] { Pack(directory / "a.gguf", directory / "hf", kToHf); });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST(PackHuggingFace, ReplacesNeitherItsSourceNorAStrangersDirectory) {
  const TemporaryDirectory directory;
  const fs::path model = directory / "model";
  WriteTinyHuggingFace({}, model);
  const PackOptions force = {.type = PackedType::kHuggingFace,
                             .overwrite = true};
  ExpectError(ErrorCode::kInvalidArgument, {"is part of the model"},
              [&] { Pack(model, model, force); });
  ExpectError(ErrorCode::kInvalidArgument, {"is part of the model"},
              [&] { Pack(model / "model.safetensors", model, force); });
  Pack(model, directory / "hf", kToHf);
  ExpectError(ErrorCode::kInvalidArgument, {"exists already"},
              [&] { Pack(model, directory / "hf", kToHf); });
  Pack(model, directory / "hf", force);
  WriteFile(directory / "hf/notes.odt", "");
  ExpectError(ErrorCode::kInvalidArgument, {"notes.odt", "lost"},
              [&] { Pack(model, directory / "hf", force); });
}

// --- rounding ---

TEST(PackRounding, ScalesAreRoundedOnlyIfAsked) {
  const TemporaryDirectory directory;
  WriteTinyGguf({.scale = 0.3F}, directory / "a.gguf");
  const PackReport report =
      Pack(directory / "a.gguf", directory / "b.gguf",
           {.type = PackedType::kTQ2_0, .round_scales = true});
  EXPECT_EQ(report.rounded, 2U * 7);
  const auto a = checkpoint::Open(directory / "a.gguf");
  const auto b = checkpoint::Open(directory / "b.gguf");
  auto expected = checkpoint::ReadLinear(a.layers[1].down);
  expected.scales = {packing::F16ToF32(packing::F32ToF16(0.3F))};
  EXPECT_EQ(checkpoint::ReadLinear(b.layers[1].down), expected);
  // What fits is left alone, and I2_S holds every float32.
  WriteTinyGguf({}, directory / "c.gguf");
  EXPECT_EQ(Pack(directory / "c.gguf", directory / "d.gguf",
                 {.type = PackedType::kTQ1_0, .round_scales = true})
                .rounded,
            0U);
  EXPECT_EQ(
      Pack(directory / "a.gguf", directory / "e.gguf", {.round_scales = true})
          .rounded,
      0U);
}

TEST(PackRounding, NothingIsRoundedToZero) {
  const TemporaryDirectory directory;
  WriteTinyGguf({.scale = 1e-9F}, directory / "a.gguf");
  ExpectError(ErrorCode::kUnsupported, {"attn_q", "scale 1e-09", "f16"}, [&] {
    Pack(directory / "a.gguf", directory / "b.gguf",
         {.type = PackedType::kTQ2_0, .round_scales = true});
  });
}

// --- a kill ---

// Whenever it comes: after so many pieces of the data.
TEST(PackKilled, LeavesWhatWasThereAndTheNextPackCleansUp) {
  const TemporaryDirectory directory;
  WriteTinyGguf({}, directory / "a.gguf");
  WriteTinyHuggingFace({}, directory / "hf-source");
  WriteFile(directory / "b.gguf", "old");
  fs::create_directory(directory / "hf");
  WriteFile(directory / "hf/config.json", "old");
  WriteFile(directory / "hf/model.safetensors", "old");
  const auto kill_after = [&](int pieces, const fs::path& to, PackedType type) {
    const ::pid_t child = ::fork();
    if (child == 0) {
      Pack(directory / "hf-source", to,
           {.type = type, .overwrite = true, .progress = [&](double) {
              if (pieces-- == 0) ::raise(SIGKILL);
            }});
      ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
  };
  for (int pieces = 0; pieces < 15; ++pieces) {  // a head and 14 matrices
    kill_after(pieces, directory / "b.gguf", PackedType::kI2S);
    EXPECT_EQ(ReadFile(directory / "b.gguf"), "old");
    kill_after(pieces, directory / "hf", PackedType::kHuggingFace);
    EXPECT_EQ(ReadFile(directory / "hf/config.json"), "old");
    EXPECT_EQ(ReadFile(directory / "hf/model.safetensors"), "old");
  }
  // One left over, because each of the killed removed that of the one before.
  EXPECT_EQ(directory.FileCount(), 5U);
  Pack(directory / "a.gguf", directory / "b.gguf", {.overwrite = true});
  EXPECT_EQ(directory.FileCount(), 4U);
}

}  // namespace
}  // namespace tern
