#include "runtime/chat/find_template.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include <tern/error.h>

#include "runtime/chat/builtin_templates.h"
#include "runtime/files/gguf.h"
#include "runtime/files/input_file.h"
#include "runtime/files/json.h"
#include "runtime/files/quote.h"
#include "runtime/tokenizer/gguf_metadata.h"
#include "runtime/tokenizer/json_document.h"

namespace tern::chat {
namespace {

namespace fs = std::filesystem;

// What there is to choose by.
struct ModelFacts {
  std::string place;  // of the model
  bool is_bitnet = false;
  // Llama 3's vocabulary, with the tokens of its headers.
  bool has_llama3_tokens = false;
  std::optional<std::string> own;  // template
  std::string own_place;
  std::vector<std::string> other_names;  // of templates that are not for a chat
  TemplateTokens tokens;
};

bool IsPlaceholder(const std::string& text) {
  return text.find(kPlaceholderMark) != std::string::npos;
}

FoundTemplate BuiltIn(const ModelFacts& facts, const char* text,
                      const std::string& name) {
  FoundTemplate found;
  found.text = text;
  found.place = "built-in chat template of " + name;
  found.description =
      name + " (built in; the file " +
      (facts.own.has_value() ? "has a placeholder" : "has none") + ")";
  found.tokens = facts.tokens;
  if (found.tokens.bos.empty()) found.tokens.bos = "<|begin_of_text|>";
  return found;
}

// 2B4T has Llama 3's vocabulary, too: the architecture tells them apart.
FoundTemplate Choose(const ModelFacts& facts) {
  const bool usable = facts.own.has_value() && !IsPlaceholder(*facts.own);
  if (!usable && facts.is_bitnet &&
      (facts.own.has_value() || facts.has_llama3_tokens)) {
    return BuiltIn(facts, kTemplate2B4T, "2B4T");
  }
  if (!usable && facts.has_llama3_tokens) {
    return BuiltIn(facts, kTemplateLlama3, "Llama 3");
  }
  FoundTemplate found;
  found.tokens = facts.tokens;
  found.place = facts.place;
  found.description = "none";
  if (facts.own.has_value()) {
    found.text = facts.own;
    found.place = facts.own_place;
    found.description = "the file's own";
  } else if (!facts.other_names.empty()) {
    found.description =
        "none for a chat, only " + files::Quote(facts.other_names[0]);
  }
  return found;
}

// A token of the vocabulary by the id that a key names.
std::string TokenName(const files::GgufFile& file, const std::string& key) {
  const auto* tokens = file.Strings("tokenizer.ggml.tokens");
  const auto id = file.Unsigned("tokenizer.ggml." + key);
  if (tokens == nullptr || !id.has_value() || *id >= tokens->size()) return "";
  return (*tokens)[*id];
}

ModelFacts FactsOfGguf(const fs::path& path) {
  const files::GgufFile file = files::ReadGguf(path);
  ModelFacts facts;
  facts.place = path.string();
  const std::string key = "tokenizer.chat_template";
  facts.own_place = path.string() + ": " + key;
  if (const std::string* text = file.String(key)) facts.own = *text;
  for (const auto& [name, value] : file.metadata) {
    if (name.starts_with(key + ".")) {
      facts.other_names.push_back(name.substr(key.size() + 1));
    }
  }
  const std::string* architecture = file.String("general.architecture");
  facts.is_bitnet =
      architecture != nullptr &&
      (*architecture == "bitnet-b1.58" || *architecture == "bitnet-25");
  if (const auto* tokens = file.Strings("tokenizer.ggml.tokens")) {
    facts.has_llama3_tokens = std::find(tokens->begin(), tokens->end(),
                                        "<|start_header_id|>") != tokens->end();
  }
  facts.tokens = {.bos = TokenName(file, "bos_token_id"),
                  .eos = TokenName(file, "eos_token_id")};
  return facts;
}

// A text, or an object with the text under "content".
std::string NamedToken(const tokenizer::JsonNode& config, const char* key) {
  auto node = config.Find(key);
  if (!node.has_value()) return "";
  if (node->value().is_object()) node = node->Require("content");
  return node->String();
}

void ReadTokenizerConfig(const fs::path& path, ModelFacts* facts) {
  if (!files::IsThere(path)) return;
  const files::JsonDocument document =
      files::ReadJsonObject(path, tokenizer::kMaxConfigBytes);
  const tokenizer::JsonNode config(*document, path.string(), "");
  facts->tokens = {.bos = NamedToken(config, "bos_token"),
                   .eos = NamedToken(config, "eos_token")};
  const auto added = config.Find("added_tokens_decoder");
  if (!added.has_value() || !added->value().is_object()) return;
  for (const auto& token : added->value()) {
    if (token.is_object() &&
        token.value("content", nlohmann::json()) == "<|start_header_id|>") {
      facts->has_llama3_tokens = true;
    }
  }
}

ModelFacts FactsOfDirectory(const fs::path& directory) {
  ModelFacts facts;
  facts.place = directory.string();
  ReadTokenizerConfig(directory / "tokenizer_config.json", &facts);
  const bool own_file = files::IsThere(directory / "chat_template.jinja");
  facts.own_place =
      (directory / (own_file ? "chat_template.jinja" : "tokenizer_config.json"))
          .string();
  if (!own_file) facts.own_place += ": chat_template";
  for (auto& known : tokenizer::ReadChatTemplates(directory)) {
    if (known.name.empty()) {
      facts.own = std::move(known.text);
    } else {
      facts.other_names.push_back(std::move(known.name));
    }
  }
  const fs::path config = directory / "config.json";
  if (files::IsThere(config)) {
    const files::JsonDocument document =
        files::ReadJsonObject(config, tokenizer::kMaxConfigBytes);
    facts.is_bitnet =
        document->value("model_type", nlohmann::json()) == "bitnet" &&
        document->value("hidden_act", nlohmann::json()) == "relu2";
  }
  return facts;
}

}  // namespace

FoundTemplate FindTemplate(const fs::path& model) {
  std::error_code ignored;  // opening it says what is wrong
  if (fs::is_directory(model, ignored)) {
    return Choose(FactsOfDirectory(model));
  }
  if (files::IsGguf(model)) return Choose(FactsOfGguf(model));
  return Choose(FactsOfDirectory(model.has_parent_path() ? model.parent_path()
                                                         : fs::path(".")));
}

}  // namespace tern::chat
