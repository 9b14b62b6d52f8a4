// Hugging Face directories, what is kept beside the model, rounding, and a kill
// in the middle.
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/pack.h>

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

// Without what the tokenizer's reader would refuse of TinyMetadata.
void WriteTinyWithoutTokenizer(const fs::path& path, const TinyModel& model,
                               const files::GgufMetadata& keys = {}) {
  const TemporaryDirectory directory;
  WriteTinyGguf(model, directory / "a.gguf");
  const files::GgufFile file = files::ReadGguf(directory / "a.gguf");
  files::GgufMetadata metadata;
  for (const auto& entry : file.metadata) {
    if (!entry.first.starts_with("tokenizer.")) metadata.push_back(entry);
  }
  metadata.insert(metadata.end(), keys.begin(), keys.end());
  std::vector<files::GgufTensor> tensors;
  for (const auto& [name, tensor] : file.tensors) {
    tensors.push_back({name, tensor.type, tensor.shape});
  }
  files::GgufWriter writer(path, false, metadata, tensors);
  for (const auto& [name, tensor] : file.tensors) {
    writer.Write(tensor.ReadAll());
  }
  writer.Finish();
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

TEST(PackExtras, RefusesWhatJsonCannotHold) {
  const TemporaryDirectory directory;
  WriteTinyWithoutTokenizer(directory / "a.gguf", {},
                            {{"general.author", std::string("\xff")}});
  ExpectError(ErrorCode::kUnsupported, {"a.gguf", "general.author", "UTF-8"},
              [&] { Pack(directory / "a.gguf", directory / "hf", kToHf); });
  EXPECT_EQ(directory.FileCount(), 1U);
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
  ExpectError(ErrorCode::kUnsupported, {"attn_q", "f16"}, [&] {
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
  for (const int pieces : {0, 3, 11}) {
    kill_after(pieces, directory / "b.gguf", PackedType::kI2S);
    EXPECT_EQ(ReadFile(directory / "b.gguf"), "old");
    kill_after(pieces, directory / "hf", PackedType::kHuggingFace);
    EXPECT_EQ(ReadFile(directory / "hf/config.json"), "old");
  }
  // One left over, because each of the killed removed that of the one before.
  EXPECT_EQ(directory.FileCount(), 5U);
  Pack(directory / "a.gguf", directory / "b.gguf", {.overwrite = true});
  EXPECT_EQ(directory.FileCount(), 4U);
}

}  // namespace
}  // namespace tern
