// Writes the seeds of the targets that need whole files to get anywhere:
//
//   make_fuzz_corpus tests/fuzz/corpus
//
// Everything is made from the tests' own tiny models; the same program gives
// the same bytes.
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include <tern/pack.h>

#include "tests/runtime/files/tiny_model.h"
#include "tests/runtime/tokenizer/fixtures.h"
#include "tests/runtime/tokenizer/sentence_piece_fixtures.h"
#include "tests/support/synthetic_model.h"
#include "tests/support/temporary_directory.h"

namespace tern::fuzz {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HfForm;
using testing::SyntheticShape;

constexpr std::uint32_t kQ8_0 = 8;

void Put(const fs::path& file, const std::string& bytes) {
  fs::create_directories(file.parent_path());
  WriteFile(file, bytes);
}

// As PutFiles of files.h reads them.
std::string Bundle(
    const std::vector<std::pair<std::string, std::string>>& files) {
  std::string bytes;
  for (const auto& [name, text] : files) {
    bytes += (bytes.empty() ? "=== " : "\n=== ") + name + "\n" + text;
  }
  return bytes;
}
std::string BundleOf(const fs::path& directory) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    files.emplace_back(entry.path().filename(), ReadFile(entry.path()));
  }
  std::sort(files.begin(), files.end());
  return Bundle(files);
}

// One layer of a few KB.
SyntheticShape Shape(const std::string& architecture) {
  SyntheticShape shape;
  shape.architecture = architecture;
  shape.hidden = 64;
  shape.ffn = 64;
  shape.layers = 1;
  shape.heads = 4;
  shape.kv_heads = 2;
  shape.head_dim = 16;
  shape.vocab = 8;
  return shape;
}

// A metadata value as its bytes: arrays of what tokenizers have.
test::GgufTyped Typed(const files::GgufValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return test::Text(*text);
  }
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    return test::Texts(*texts);
  }
  if (const auto* number = std::get_if<std::uint64_t>(&value)) {
    return test::U32(static_cast<std::uint32_t>(*number));
  }
  std::string bytes;
  if (const auto* types = std::get_if<std::vector<std::int64_t>>(&value)) {
    bytes = test::Bytes(std::uint32_t{5}) +
            test::Bytes(std::uint64_t{types->size()});
    for (const auto type : *types) {
      bytes += test::Bytes(static_cast<std::int32_t>(type));
    }
    return {9, bytes};
  }
  const auto& scores = std::get<std::vector<double>>(value);
  bytes =
      test::Bytes(std::uint32_t{6}) + test::Bytes(std::uint64_t{scores.size()});
  for (const double score : scores) {
    bytes += test::Bytes(static_cast<float>(score));
  }
  return {9, bytes};
}

std::vector<test::GgufKey> Keys(const files::GgufFile& file) {
  std::vector<test::GgufKey> keys;
  for (const auto& [name, value] : file.metadata) {
    keys.push_back({name, Typed(value)});
  }
  return keys;
}

void PutGguf(const fs::path& folder) {
  test::GgufParts tiny = test::TinyGguf();
  Put(folder / "i2_s", Serialize(tiny));
  tiny.Tensor("token_embd.weight").type = kQ8_0;
  tiny.Tensor("token_embd.weight").data = std::string(16 * 34, '\x02');
  Put(folder / "q8_0_embedding", Serialize(tiny));
  const auto put = [&](const std::string& name, const SyntheticShape& shape,
                       const testing::GgufForm& form, unsigned seed) {
    const auto model = testing::RandomModel(shape, seed);
    Put(folder / name, Serialize(GgufOf(shape, model, form)));
  };
  namespace type = testing::gguf;
  put("bitnet", Shape("bitnet"), {}, 1);
  put("qwen3", Shape("qwen3"), {.linear_type = type::kQ2_0}, 2);
  put("iq2_bn", Shape("bitnet-b1.58"), {.linear_type = type::kIq2Bn}, 3);
  put("iq1_bn", Shape("llama"), {.linear_type = type::kIq1Bn}, 4);
  put("scales", Shape("llama"),
      {.linear_type = type::kI2S, .scale_tensors = true}, 5);
  SyntheticShape floats = Shape("llama");
  floats.hidden = 32;
  floats.heads = 2;
  floats.ffn = 32;
  floats.tied = true;
  put("unpacked", floats, {.linear_type = type::kF16}, 6);
  const TemporaryDirectory directory;
  (void)Pack(folder / "bitnet", directory / "t2", {.type = PackedType::kT2});
  Put(folder / "t2", ReadFile(directory / "t2"));
}

void PutHuggingFace(const fs::path& folder) {
  using Linears = HfForm::Linears;
  const auto put = [&](const std::string& name, SyntheticShape shape,
                       Linears linears, std::size_t shards) {
    const auto model = testing::RandomModel(shape, 7);
    const TemporaryDirectory directory;
    WriteHuggingFace(HuggingFaceOf(shape, model, {.linears = linears}),
                     directory.path(), shards);
    if (shards == 1) {
      WriteFile(directory / "tokenizer_config.json",
                R"({"chat_template": "{{ messages[0].content }}"})");
    }
    Put(folder / name, BundleOf(directory.path()));
    Put(folder / ".." / "hf_config" / name,
        ReadFile(directory / "config.json"));
    if (shards == 1) {
      Put(folder / ".." / "safetensors" / name,
          ReadFile(directory / "model.safetensors"));
    }
  };
  put("packed", Shape("bitnet-b1.58"), Linears::kPackedMultiply, 1);
  put("shards", Shape("bitnet-b1.58"), Linears::kPackedMultiply, 2);
  SyntheticShape divided = Shape("llama");
  divided.reciprocal_scales = true;
  put("divided", divided, Linears::kPackedDivide, 1);
  SyntheticShape masters = Shape("bitnet-b1.58");
  masters.hidden = 32;
  masters.heads = 2;
  masters.ffn = 32;
  masters.masters = true;
  put("masters", masters, Linears::kMaster, 1);
  SyntheticShape falcon = Shape("llama");
  falcon.projection_norms = true;
  put("projection_norms", falcon, Linears::kPackedMultiply, 1);
  SyntheticShape floats = Shape("llama");
  floats.hidden = 32;
  floats.heads = 2;
  floats.ffn = 32;
  floats.int8_input = false;
  put("unpacked", floats, Linears::kUnpacked, 1);
}

// One of each kind of what the target takes, from the seeds of the others.
void PutVerify(const fs::path& folder) {
  for (const char* seed :
       {"gguf/t2", "gguf/i2_s", "gguf/unpacked", "hugging_face/packed",
        "hugging_face/shards", "safetensors/masters",
        "tokenizer_gguf/byte_level"}) {
    std::string name = seed;
    std::replace(name.begin(), name.end(), '/', '-');
    Put(folder / "verify" / name, ReadFile(folder / seed));
  }
}

// Configurations of more kinds than there are models above.
void PutConfigs(const fs::path& folder) {
  json llama = json::parse(ReadFile(folder / "divided"));
  Put(folder / "tiny", test::TinyConfig().dump(1));
  llama["rope_scaling"] = {{"rope_type", "llama3"},
                           {"factor", 8.0},
                           {"low_freq_factor", 1.0},
                           {"high_freq_factor", 4.0},
                           {"original_max_position_embeddings", 64}};
  Put(folder / "llama3", llama.dump(1));
  llama["rope_scaling"] = {{"rope_type", "yarn"},
                           {"factor", 4.0},
                           {"beta_fast", 32},
                           {"original_max_position_embeddings", 64}};
  Put(folder / "yarn", llama.dump(1));
  llama["rope_scaling"] = {{"type", "linear"}, {"factor", 2.0}};
  Put(folder / "linear", llama.dump(1));
  llama.erase("quantization_config");
  llama.erase("rope_scaling");
  llama["model_type"] = "qwen3";
  llama["architectures"] = {"Qwen3ForCausalLM"};
  llama["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 1e6}};
  Put(folder / "qwen3", llama.dump(1));
}

void PutTokenizers(const fs::path& folder) {
  namespace fixtures = tokenizer::testing;
  const json config = {
      {"bos_token", "<s>"},
      {"eos_token", {{"content", "</s>"}, {"__type", "AddedToken"}}},
      {"add_bos_token", true},
      {"legacy", false},
      {"chat_template", "{{ bos_token }}{{ messages[0].content }}"}};
  const json generation = {{"bos_token_id", 1}, {"eos_token_id", {2, 5}}};
  const auto pieces = fixtures::SmallPieces();
  Put(folder / "tokenizer_json/byte_level",
      Bundle({{"tokenizer.json", fixtures::SmallTokenizerJson().dump()},
              {"generation_config.json", generation.dump()}}));
  Put(folder / "tokenizer_json/sentence_piece",
      Bundle({{"tokenizer.json", fixtures::PiecesJson(pieces).dump()},
              {"tokenizer_config.json", config.dump()}}));
  Put(folder / "tokenizer_model/small",
      Bundle({{"tokenizer.model", fixtures::PiecesModel(pieces)},
              {"tokenizer_config.json", config.dump()},
              {"added_tokens.json", R"({"<extra>": 276})"}}));
  test::GgufParts gguf;
  gguf.keys = Keys(fixtures::SmallGguf());
  gguf.keys.push_back({"tokenizer.chat_template",
                       test::Text("{{ bos_token }}{{ messages[0].content }}")});
  Put(folder / "tokenizer_gguf/byte_level", Serialize(gguf));
  gguf.keys = Keys(fixtures::PiecesGguf(pieces));
  Put(folder / "tokenizer_gguf/sentence_piece", Serialize(gguf));
}

// The templates of tests/golden, and its expressions a few to a file.
void PutTemplates(const fs::path& folder) {
  const fs::path golden = fs::path(TERN_SOURCE_DIR) / "tests/golden/chat";
  for (const auto& entry : fs::directory_iterator(golden / "templates")) {
    Put(folder / entry.path().stem(), ReadFile(entry.path()));
  }
  constexpr std::size_t kBytes = 600;
  std::istringstream lines(ReadFile(golden / "expressions.txt"));
  std::string text;
  std::size_t count = 0;
  const auto flush = [&] {
    Put(folder / ("expressions-" + std::to_string(count++)), text);
    text.clear();
  };
  for (std::string line; std::getline(lines, line);) {
    if (line != "%%") {
      text += line + "\n";
    } else if (text.size() > kBytes) {
      flush();
    }
  }
  flush();
}

// In front of the bytes that become codes or numbers stand the choices that the
// target takes from its input, in its order.
void PutChoices(const fs::path& folder) {
  const auto u8 = [](unsigned value) {
    return std::string(1, static_cast<char>(value));
  };
  const auto u16 = [](unsigned value) {
    return test::Bytes(static_cast<std::uint16_t>(value));
  };
  std::string codes;  // bytes of codes 0 to 2, all different
  for (unsigned i = 0; i < 81; ++i) {
    codes += static_cast<char>(i % 3 | i / 3 % 3 << 2 | i / 9 % 3 << 4 |
                               i / 27 << 6);
  }
  for (unsigned layout = 0; layout < 13; ++layout) {
    // 3 rows of 256 columns, bytes repeated up to the size that needs.
    const std::string shape = u8(layout) + u8(1) + u16(8) + u8(3) + u8(1);
    Put(folder / "packing" / ("zeros-" + std::to_string(layout)),
        shape + std::string(64, '\0'));
    Put(folder / "packing" / ("codes-" + std::to_string(layout)),
        shape + codes);
  }
  // rows, columns, tokens, four bounds, kinds of weights and activations.
  const auto product = [&](unsigned rows, unsigned cols, unsigned tokens,
                           unsigned kind) {
    return u16(rows - 1) + u16(cols - 1) + u16(tokens - 1) + u16(0) + u16(6) +
           u16(0) + u16(200) + u16(kind) + u16(kind) + codes;
  };
  for (unsigned kind = 0; kind < 4; ++kind) {
    Put(folder / "ternary_kernels" / ("kind-" + std::to_string(kind)),
        product(65 + 64 * kind, 260 + 37 * kind, 1 + 9 * kind, kind));
  }
  for (unsigned type = 0; type < 5; ++type) {
    Put(folder / "float_kernels" / ("dense-" + std::to_string(type)),
        u8(0) + u16(type) + u16(69) + u16(9) + u16(4 * type) + codes);
    Put(folder / "float_kernels" / ("attention-" + std::to_string(type)),
        u8(3) + u16(type) + u16(7 + type) + u16(type) + u16(type) +
            u16(130 * type) + codes);
  }
  Put(folder / "float_kernels/int8_rows",
      u8(1) + u16(66) + u16(96) + u16(1) + codes);
  Put(folder / "float_kernels/screen", u8(2) + u16(66) + u16(96) + codes);
  Put(folder / "float_kernels/elementwise",
      u8(4) + u16(77) + codes + test::Bytes(3e38F) + test::Bytes(65520.0F) +
          test::Bytes(1e-40F));
  Put(folder / "sampling/sampler", u8(0) + u8(0) + codes + codes + codes);
  Put(folder / "sampling/stops", u8(1) + codes);
  for (const char* number : {"1", "-0.5e-3", "18446744073709551615", "nan"}) {
    Put(folder / "sampling" / (std::string("number-") + number),
        u8(2) + number);
  }
}

void PutTexts(const fs::path& folder) {
  const std::vector<std::string> texts = {
      "Hello hello, he said: 12345 apples, don't   worry!\r\n\n  he'll",
      "<|begin_of_text|>hi<|eot_id|> <think>aaaa a</think> <s> </s><0x41>",
      "gr\u00FC\u00DFe e\u0301\u0327 \uAC00 \u1100\u1161 \u2581\u2581 "
      "\u180E\u3000x",
      "\xC3\xA9\xC3 \xED\xA0\x80 \xF4\x90\x80\x80 \xFF\xC0\x80 \xE2\x82"};
  for (unsigned subject = 0; subject < 7; ++subject) {
    for (unsigned i = 0; i < texts.size(); ++i) {
      std::string input;
      input += static_cast<char>(subject);
      input += static_cast<char>(i * 2);
      Put(folder / (std::to_string(subject) + "-" + std::to_string(i)),
          input + texts[i]);
    }
  }
}

}  // namespace
}  // namespace tern::fuzz

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::filesystem::path folder = argv[1];
  tern::fuzz::PutGguf(folder / "gguf");
  tern::fuzz::PutHuggingFace(folder / "hugging_face");
  tern::fuzz::PutConfigs(folder / "hf_config");
  tern::fuzz::PutTokenizers(folder);
  tern::fuzz::PutTemplates(folder / "jinja");
  tern::fuzz::PutChoices(folder);
  tern::fuzz::PutTexts(folder / "text");
  tern::fuzz::PutVerify(folder);
  return 0;
}
