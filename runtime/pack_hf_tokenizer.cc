#include "runtime/pack_hf_tokenizer.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

#include <tern/error.h>

#include "runtime/files/gguf.h"
#include "runtime/files/input_file.h"
#include "runtime/files/json.h"
#include "runtime/files/output_file.h"
#include "runtime/tokenizer/gguf_metadata.h"
#include "runtime/tokenizer/hf_files.h"
#include "runtime/tokenizer/tokenizer_gguf.h"
#include "runtime/tokenizer/tokenizer_impl.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using files::GgufFile;

// Larger than any tokenizer's.
constexpr std::uint64_t kMaxBytes = std::uint64_t{256} << 20;

void WriteText(const fs::path& path, const std::string& text) {
  files::OutputFile file(path, false);
  file.Write(std::span(reinterpret_cast<const std::uint8_t*>(text.data()),
                       text.size()));
  file.Commit();
}

void CopyFiles(const fs::path& from, const fs::path& to) {
  constexpr std::array kNames = {"tokenizer.json",
                                 "tokenizer.model",
                                 "tokenizer_config.json",
                                 "special_tokens_map.json",
                                 "added_tokens.json",
                                 "vocab.json",
                                 "merges.txt",
                                 "chat_template.jinja",
                                 "generation_config.json"};
  for (const char* name : kNames) {
    if (files::IsThere(from / name)) {
      WriteText(to / name, files::ReadTextFile(from / name, kMaxBytes));
    }
  }
}

std::vector<tokenizer::ChatTemplate> Templates(const GgufFile& file) {
  const std::string first = "tokenizer.chat_template";
  std::vector<tokenizer::ChatTemplate> templates;
  for (const auto& [key, value] : file.metadata) {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) continue;
    if (key == first) templates.push_back({.name = "", .text = *text});
    if (key.starts_with(first + ".")) {
      templates.push_back(
          {.name = key.substr(first.size() + 1), .text = *text});
    }
  }
  return templates;
}

// For people and programs that sample; the end tokens are the tokenizer's, too.
std::string GenerationConfig(const PackExtras& extras,
                             const tokenizer::TokenizerSpec* spec) {
  nlohmann::json config = extras.generation_config;
  if (config.empty() && spec != nullptr) {
    if (spec->bos) config["bos_token_id"] = *spec->bos;
    if (!spec->end_tokens.empty()) config["eos_token_id"] = spec->end_tokens;
  }
  return config.empty() ? "" : config.dump(2) + "\n";
}

// tokenizer_config.json with what it said before the model was GGUF, as far as
// tern does not say it.
std::string WithExtras(const std::string& text, const GgufFile& file,
                       const tokenizer::TokenizerSpec& spec,
                       const PackExtras& extras) {
  nlohmann::json config = nlohmann::json::parse(text);
  for (const auto& [key, value] : extras.tokenizer_config.items()) {
    if (!config.contains(key)) config[key] = value;
  }
  const auto padding = file.Unsigned("tokenizer.ggml.padding_token_id");
  if (padding && *padding < spec.tokens.size() &&
      !config.contains("pad_token")) {
    config["pad_token"] = spec.tokens[*padding].bytes;
  }
  return files::DumpJson(config, file.path.string(), 2) + "\n";
}

void MakeFiles(const GgufFile& file, const PackExtras& extras,
               const fs::path& to) {
  if (!file.metadata.contains("tokenizer.ggml.model")) {
    const std::string generation = GenerationConfig(extras, nullptr);
    if (!generation.empty()) {
      WriteText(to / "generation_config.json", generation);
    }
    return;
  }
  const tokenizer::TokenizerSpec spec = tokenizer::ReadGgufSpec(file);
  // What contradicts itself must not be written: no one could read it.
  const Tokenizer::Impl check(spec);
  WriteText(to / "generation_config.json", GenerationConfig(extras, &spec));
  for (const auto& [name, text] :
       tokenizer::MakeHfFiles(spec, Templates(file))) {
    WriteText(to / name, name == "tokenizer_config.json"
                             ? WithExtras(text, file, spec, extras)
                             : text);
  }
  if (!extras.special_tokens_map.empty()) {
    WriteText(
        to / "special_tokens_map.json",
        files::DumpJson(extras.special_tokens_map, file.path.string(), 2) +
            "\n");
  }
  const auto back = tokenizer::ReadSpecForGguf(to);
  const std::string difference = tokenizer::FirstDifference(spec, *back);
  if (difference.empty()) return;
  throw Error(ErrorCode::kUnsupported,
              file.path.string() + ": tokenizer: " + difference +
                  ", which the tokenizer files of Hugging Face cannot say as "
                  "tern reads them; keep the model as GGUF");
}

}  // namespace

void WriteHfTokenizer(const Checkpoint& source, const PackExtras& extras,
                      const fs::path& directory) {
  std::error_code ignored;
  if (fs::is_directory(source.path, ignored)) {
    CopyFiles(source.path, directory);
  } else if (files::IsGguf(source.path)) {
    MakeFiles(files::ReadGguf(source.path), extras, directory);
  } else {
    CopyFiles(source.path.parent_path(), directory);
  }
}

}  // namespace tern
