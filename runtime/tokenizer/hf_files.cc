#include "runtime/tokenizer/hf_files.h"

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "runtime/files/quote.h"
#include "runtime/tokenizer/sentence_piece.h"

namespace tern::tokenizer {
namespace {

using nlohmann::json;

bool IsAdded(const SpecToken& token) {
  return token.kind == TokenKind::kAdded || token.kind == TokenKind::kControl;
}

std::string NameOf(const TokenizerSpec& spec, std::size_t id) {
  const SpecToken& token = spec.tokens[id];
  return token.kind == TokenKind::kText ? SpellingOf(spec.kind, token.bytes)
                                        : token.bytes;
}

json AddedToken(const TokenizerSpec& spec, std::size_t id) {
  const SpecToken& token = spec.tokens[id];
  return {{"content", token.bytes},
          {"single_word", false},
          {"lstrip", false},
          {"rstrip", false},
          {"normalized", token.after_normalizer},
          {"special", token.kind == TokenKind::kControl}};
}

// Written by hand, to be in the order of ids: as an object of the library it
// would be in that of names.  Added tokens that come after all others are left
// to the list of added tokens, as published files have it; those in between
// need an id of the vocabulary to be there for transformers.
std::string Vocabulary(const TokenizerSpec& spec, std::size_t size) {
  while (size > 0 && IsAdded(spec.tokens[size - 1])) --size;
  std::set<std::string> names;
  std::string text = "{";
  for (std::size_t id = 0; id < size; ++id) {
    std::string name = NameOf(spec, id);
    text += (id == 0 ? "" : ",") + json(name).dump() + ":" + std::to_string(id);
    if (!names.insert(name).second) {
      Refuse(ErrorCode::kUnsupported, spec.file, spec.tokens_key,
             files::Quote(name) +
                 " is there twice, where tokenizer.json has a name once; keep "
                 "the model as GGUF");
    }
  }
  return text + "}";
}

std::string Merges(const TokenizerSpec& spec) {
  std::string text = "[";
  for (const MergeSpelling& merge : spec.merges) {
    text += (text.size() == 1 ? "[" : ",[") + json(merge.left).dump() + "," +
            json(merge.right).dump() + "]";
  }
  return text + "]";
}

json ByteLevel(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

json PreTokenizerOf(const TokenizerSpec& spec) {
  const std::string_view regex = spec.pre_tokenizer->huggingface_regex;
  if (regex == ByteLevelRegex()) return ByteLevel(true);
  const json split = {{"type", "Split"},
                      {"pattern", {{"Regex", regex}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  return {{"type", "Sequence"},
          {"pretokenizers", json::array({split, ByteLevel(false)})}};
}

json PostProcessor(const TokenizerSpec& spec) {
  if (!spec.adds_bos) return ByteLevel(false);
  const auto id = static_cast<std::size_t>(*spec.bos);
  const std::string& name = spec.tokens[id].bytes;
  const auto special = [&](int type) {
    return json{{"SpecialToken", {{"id", name}, {"type_id", type}}}};
  };
  const auto text = [](const char* which, int type) {
    return json{{"Sequence", {{"id", which}, {"type_id", type}}}};
  };
  return {{"type", "TemplateProcessing"},
          {"single", json::array({special(0), text("A", 0)})},
          {"pair",
           json::array({special(0), text("A", 0), special(1), text("B", 1)})},
          {"special_tokens",
           {{name, {{"id", name}, {"ids", {id}}, {"tokens", {name}}}}}}};
}

std::string TokenizerJson(const TokenizerSpec& spec, std::size_t size) {
  json added = json::array();
  for (std::size_t id = 0; id < size; ++id) {
    if (!IsAdded(spec.tokens[id])) continue;
    added.push_back(AddedToken(spec, id));
    added.back()["id"] = id;
  }
  const json normalizer = spec.nfc ? json{{"type", "NFC"}} : json(nullptr);
  return R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":)" +
         added.dump() + R"(,"normalizer":)" + normalizer.dump() +
         R"(,"pre_tokenizer":)" + PreTokenizerOf(spec).dump() +
         R"(,"post_processor":)" + PostProcessor(spec).dump() +
         R"(,"decoder":)" + ByteLevel(true).dump() +
         R"(,"model":{"type":"BPE","dropout":null,"unk_token":null,)"
         R"("continuing_subword_prefix":null,"end_of_word_suffix":null,)"
         R"("fuse_unk":false,"byte_fallback":false,"ignore_merges":)" +
         json(spec.ignore_merges).dump() + R"(,"vocab":)" +
         Vocabulary(spec, size) + R"(,"merges":)" + Merges(spec) + "}}\n";
}

json TemplatesJson(const std::vector<ChatTemplate>& chat_templates) {
  if (chat_templates.size() == 1 && chat_templates[0].name.empty()) {
    return chat_templates[0].text;
  }
  json list = json::array();
  for (const ChatTemplate& chat : chat_templates) {
    list.push_back({{"name", chat.name.empty() ? "default" : chat.name},
                    {"template", chat.text}});
  }
  return list;
}

json TokenizerConfig(const TokenizerSpec& spec, std::size_t size,
                     const std::vector<ChatTemplate>& chat_templates) {
  json config = {{"add_bos_token", spec.adds_bos},
                 {"clean_up_tokenization_spaces", false}};
  const auto name = [&](const char* key, std::optional<Token> token) {
    if (token) {
      config[key] = spec.tokens[static_cast<std::size_t>(*token)].bytes;
    }
  };
  name("bos_token", spec.bos);
  name("eos_token", spec.eos);
  if (!chat_templates.empty()) {
    config["chat_template"] = TemplatesJson(chat_templates);
  }
  if (spec.kind == VocabularyKind::kByteLevel) {
    config["tokenizer_class"] = "PreTrainedTokenizerFast";
    return config;
  }
  config["tokenizer_class"] = "LlamaTokenizer";
  config["add_eos_token"] = false;
  config["legacy"] = !spec.dummy_prefix.first_only;
  name("unk_token", spec.unknown);
  for (std::size_t id = 0; id < size; ++id) {
    if (IsAdded(spec.tokens[id])) {
      config["added_tokens_decoder"][std::to_string(id)] = AddedToken(spec, id);
    }
  }
  return config;
}

bool SameToken(const SpecToken& a, const SpecToken& b) {
  return a.bytes == b.bytes && a.kind == b.kind &&
         a.after_normalizer == b.after_normalizer;
}

bool SameMerge(const MergeSpelling& a, const MergeSpelling& b) {
  return a.left == b.left && a.right == b.right;
}

}  // namespace

std::size_t SizeWithoutPadding(const TokenizerSpec& spec) {
  std::size_t size = spec.tokens.size();
  while (size > 0 && spec.tokens[size - 1].kind == TokenKind::kUnused &&
         spec.tokens[size - 1].bytes.starts_with("[PAD")) {
    --size;
  }
  return size;
}

std::vector<std::pair<std::string, std::string>> MakeHfFiles(
    const TokenizerSpec& spec,
    const std::vector<ChatTemplate>& chat_templates) try {
  const std::size_t size = SizeWithoutPadding(spec);
  const bool has_bytes = spec.kind == VocabularyKind::kByteLevel;
  return {{has_bytes ? "tokenizer.json" : "tokenizer.model",
           has_bytes ? TokenizerJson(spec, size)
                     : MakeSentencePieceModel(spec, size)},
          {"tokenizer_config.json",
           TokenizerConfig(spec, size, chat_templates).dump(2) + "\n"}};
} catch (const json::exception&) {
  Refuse(ErrorCode::kUnsupported, spec.file, spec.tokens_key,
         "a token, a merge or a chat template is no UTF-8, which JSON cannot "
         "hold; keep the model as GGUF");
}

std::string FirstDifference(const TokenizerSpec& wanted,
                            const TokenizerSpec& got) {
  const std::size_t size = SizeWithoutPadding(wanted);
  if (got.kind != wanted.kind) return "its kind";
  if (SizeWithoutPadding(got) != size) return "its number of tokens";
  for (std::size_t id = 0; id < size; ++id) {
    const SpecToken& token = wanted.tokens[id];
    const bool same_score = !wanted.merges_by_score ||
                            token.kind != TokenKind::kText ||
                            token.score == got.tokens[id].score;
    if (!SameToken(token, got.tokens[id]) || !same_score) {
      return "token " + std::to_string(id) + ", " + files::Quote(token.bytes);
    }
  }
  if (wanted.merges_by_score != got.merges_by_score ||
      !std::equal(wanted.merges.begin(), wanted.merges.end(),
                  got.merges.begin(), got.merges.end(), SameMerge)) {
    return "its merges";
  }
  const auto regex = [](const TokenizerSpec& spec) {
    return spec.pre_tokenizer == nullptr
               ? std::string_view()
               : spec.pre_tokenizer->huggingface_regex;
  };
  if (regex(wanted) != regex(got)) return "its pre-tokenizer";
  if (wanted.nfc != got.nfc) return "its normalization";
  if (wanted.ignore_merges != got.ignore_merges) return "ignore_merges";
  if (!(wanted.dummy_prefix == got.dummy_prefix)) return "its dummy prefix";
  if (wanted.bos != got.bos || wanted.adds_bos != got.adds_bos) {
    return "its beginning-of-text token";
  }
  if (wanted.eos != got.eos ||
      std::set(wanted.end_tokens.begin(), wanted.end_tokens.end()) !=
          std::set(got.end_tokens.begin(), got.end_tokens.end())) {
    return "its end tokens";
  }
  return "";
}

}  // namespace tern::tokenizer
