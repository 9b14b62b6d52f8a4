#include "runtime/tokenizer/json_special_tokens.h"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "runtime/files/input_file.h"
#include "runtime/files/json.h"
#include "runtime/files/quote.h"

namespace tern::tokenizer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The id of the special token that a template's element names.
Token TemplateToken(const JsonNode& processor, const JsonNode& element,
                    const TokenizerSpec& spec) {
  const std::string& name = element.Require("id").String();
  const JsonNode ids =
      processor.Require("special_tokens").Require(name).Require("ids");
  ids.RequireArray();
  if (ids.value().size() != 1) ids.RefuseValue("is not one token");
  const Token id = ids.At(0).Id(spec.tokens.size());
  if (spec.tokens[static_cast<std::size_t>(id)].bytes != name) {
    Refuse(ErrorCode::kMalformed, ids.file(), ids.key(),
           "id " + std::to_string(id) + " is not " + files::Quote(name) +
               " in the vocabulary; use the file as it was published");
  }
  return id;
}

// "single" is the template for one text: [A], or [one special token, A].
void ReadTemplate(const JsonNode& processor, TokenizerSpec& spec) {
  processor.AllowOnly({"type", "single", "pair", "special_tokens"});
  const JsonNode single = processor.Require("single");
  single.RequireArray();
  const std::size_t size = single.value().size();
  const files::JsonDocument text = files::ParseJsonObject(
      R"({"Sequence": {"id": "A", "type_id": 0}})", "the text's place");
  const bool ends_with_text =
      (size == 1 || size == 2) && single.value().back() == *text;
  const bool begins_with_token =
      size == 1 || (size == 2 && single.value()[0].contains("SpecialToken"));
  if (!ends_with_text || !begins_with_token) {
    single.RefuseValue(
        "is not known to tern; it needs the text alone, or one token and the "
        "text");
  }
  if (size == 1) return;
  spec.bos =
      TemplateToken(processor, single.At(0).Require("SpecialToken"), spec);
  spec.adds_bos = true;
}

void ReadProcessor(const JsonNode& node, TokenizerSpec& spec) {
  const JsonNode type = node.Require("type");
  if (type.String() == "TemplateProcessing") return ReadTemplate(node, spec);
  // Of a finished list of ids, ByteLevel changes the offsets only.
  if (type.String() == "ByteLevel") return;
  type.RefuseValue(
      "is not known to tern; it knows TemplateProcessing and ByteLevel here");
}

// A token of tokenizer_config.json: its text, or an object that holds it.
std::optional<Token> NamedToken(const JsonNode& config, const char* key,
                                const TokenizerSpec& spec) {
  auto node = config.Find(key);
  if (!node.has_value()) return std::nullopt;
  if (node->value().is_object()) node = node->Require("content");
  const auto token = FindControlToken(spec, node->String());
  if (!token.has_value()) {
    Refuse(ErrorCode::kMalformed, node->file(), node->key(),
           files::Quote(node->String()) +
               " is not a special token of tokenizer.json; use the files as "
               "they were published");
  }
  return token;
}

void ReadTokenizerConfig(const JsonNode& config, TokenizerSpec& spec) {
  // Llama's slow tokenizer has a setting of this name too, and other files say
  // what it does.
  if (spec.kind == VocabularyKind::kByteLevel) {
    RequireUnset(config, "add_prefix_space", false);
  }
  const auto bos = NamedToken(config, "bos_token", spec);
  if (!spec.bos.has_value()) spec.bos = bos;
  if (const auto eos = NamedToken(config, "eos_token", spec)) {
    AddEndToken(spec, *eos);
    spec.eos = eos;
  }
  if (const auto add_bos = config.Find("add_bos_token")) {
    spec.adds_bos = add_bos->Bool();
    if (spec.adds_bos && !spec.bos.has_value()) {
      add_bos->RefuseValue(
          "asks for a token before the text, but there is no "
          "bos_token");
    }
  }
  const auto add_eos = config.Find("add_eos_token");
  if (add_eos.has_value() && add_eos->Bool()) {
    add_eos->RefuseValue("is not known: tern adds no token after a text");
  }
}

// eos_token_id: absent, null, an id, or a list of them.
void ReadEndIds(const JsonNode& config, TokenizerSpec& spec) {
  const auto node = config.Find("eos_token_id");
  if (!node.has_value()) return;
  if (!node->value().is_array()) {
    AddEndToken(spec, node->Id(spec.tokens.size()));
    return;
  }
  for (std::size_t i = 0; i < node->value().size(); ++i) {
    AddEndToken(spec, node->At(i).Id(spec.tokens.size()));
  }
}

}  // namespace

void ReadPostProcessor(const JsonNode& root, TokenizerSpec& spec) {
  const auto node = root.Find("post_processor");
  if (!node.has_value()) return;
  if (node->Require("type").String() != "Sequence") {
    return ReadProcessor(*node, spec);
  }
  node->AllowOnly({"type", "processors"});
  const JsonNode processors = node->Require("processors");
  processors.RequireArray();
  bool has_template = false;
  for (std::size_t i = 0; i < processors.value().size(); ++i) {
    const JsonNode processor = processors.At(i);
    const JsonNode type = processor.Require("type");
    if (type.String() == "TemplateProcessing" &&
        std::exchange(has_template, true)) {
      type.RefuseValue("is there twice");
    }
    ReadProcessor(processor, spec);
  }
}

void ReadFilesBeside(const fs::path& tokenizer_json, TokenizerSpec& spec) {
  const auto read = [&](const char* name, const auto& use) {
    const fs::path path = fs::path(tokenizer_json).replace_filename(name);
    if (!files::IsThere(path)) return;
    const files::JsonDocument document =
        files::ReadJsonObject(path, kMaxConfigBytes);
    use(JsonNode(*document, path.string(), ""), spec);
  };
  // In this order, so that a model's first end token is its own.
  read("config.json", ReadEndIds);
  read("generation_config.json", ReadEndIds);
  read("tokenizer_config.json", ReadTokenizerConfig);
}

}  // namespace tern::tokenizer
