#include "runtime/tokenizer/gguf_metadata.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <string_view>
#include <utility>

#include "runtime/files/input_file.h"
#include "runtime/files/json.h"
#include "runtime/files/quote.h"
#include "runtime/tokenizer/byte_level.h"
#include "runtime/tokenizer/json_document.h"

namespace tern::tokenizer {
namespace {

namespace fs = std::filesystem;

constexpr const char* kKeepForm = "; keep the model in its Hugging Face form";

[[noreturn]] void Unsupported(const TokenizerSpec& spec, const std::string& key,
                              const std::string& what) {
  Refuse(ErrorCode::kUnsupported, spec.file, key, what + kKeepForm);
}

// True if some text holds both so that they share a byte.
bool CanOverlap(std::string_view a, std::string_view b) {
  const auto begins_inside = [](std::string_view outer,
                                std::string_view inner) {
    for (std::size_t at = 0; at < outer.size(); ++at) {
      const std::size_t shared = std::min(outer.size() - at, inner.size());
      if (outer.substr(at, shared) == inner.substr(0, shared)) return true;
    }
    return false;
  };
  return begins_inside(a, b) || begins_inside(b, a);
}

// GGUF's added tokens are looked for all at once.  Where tokenizer.json has a
// second pass, that gives the same only if no token of the one could share text
// with one of the other.
void CheckPasses(const TokenizerSpec& spec) {
  constexpr std::size_t kMaxWork = std::size_t{1} << 28;  // bytes compared
  std::array<std::vector<std::string_view>, 2> passes;
  std::array<std::size_t, 2> sizes{};
  for (const SpecToken& token : spec.tokens) {
    if (token.kind != TokenKind::kAdded && token.kind != TokenKind::kControl) {
      continue;
    }
    const std::size_t pass = token.after_normalizer ? 1 : 0;
    passes[pass].push_back(token.bytes);
    sizes[pass] += token.bytes.size();
  }
  if (sizes[1] != 0 && sizes[0] > kMaxWork / sizes[1]) {
    Unsupported(spec, "added_tokens",
                "too many are normalized and too many are not, where GGUF "
                "metadata has no such difference");
  }
  for (const std::string_view first : passes[0]) {
    for (const std::string_view second : passes[1]) {
      if (!CanOverlap(first, second)) continue;
      Unsupported(spec, "added_tokens",
                  files::Quote(first) + " comes before " +
                      files::Quote(second) +
                      ", which is normalized, where GGUF metadata has no such "
                      "difference");
    }
  }
}

void CheckImplied(const TokenizerSpec& spec, std::size_t vocab_size) {
  if (spec.ignore_merges != spec.pre_tokenizer->gguf_ignore_merges) {
    Unsupported(spec, "model.ignore_merges",
                "not what GGUF metadata implies for pre-tokenizer " +
                    std::string(spec.pre_tokenizer->name));
  }
  CheckPasses(spec);
  if (spec.tokens.size() > vocab_size) {
    Refuse(ErrorCode::kMalformed, spec.file, spec.tokens_key,
           std::to_string(spec.tokens.size()) + " tokens, but the model has " +
               std::to_string(vocab_size) +
               "; use the tokenizer that was published with the model");
  }
}

// Values of tokenizer.ggml.token_type.
std::int64_t TypeOf(TokenKind kind) {
  switch (kind) {
    case TokenKind::kText:
      return 1;
    case TokenKind::kControl:
      return 3;
    case TokenKind::kAdded:
      return 4;
    case TokenKind::kUnused:
      break;
  }
  return 5;
}

void AppendTokens(const TokenizerSpec& spec, std::size_t vocab_size,
                  files::GgufMetadata& metadata) {
  std::vector<std::string> names;
  std::vector<std::int64_t> types;
  names.reserve(vocab_size);
  types.reserve(vocab_size);
  for (const SpecToken& token : spec.tokens) {
    names.push_back(token.kind == TokenKind::kText
                        ? SpellingOfBytes(token.bytes)
                        : token.bytes);
    types.push_back(TypeOf(token.kind));
  }
  std::set<std::string> taken(names.begin(), names.end());
  for (std::size_t id = names.size(); id < vocab_size; ++id) {
    std::string name = "[PAD" + std::to_string(id) + "]";
    while (!taken.insert(name).second) name += "_";
    names.push_back(std::move(name));
    types.push_back(TypeOf(TokenKind::kUnused));
  }
  metadata.emplace_back("tokenizer.ggml.tokens", std::move(names));
  metadata.emplace_back("tokenizer.ggml.token_type", std::move(types));
}

void AppendMerges(const TokenizerSpec& spec, files::GgufMetadata& metadata) {
  std::vector<std::string> merges;
  merges.reserve(spec.merges.size());
  for (const MergeSpelling& merge : spec.merges) {
    std::string& text = merges.emplace_back(merge.left);
    text.append(" ").append(merge.right);
  }
  metadata.emplace_back("tokenizer.ggml.merges", std::move(merges));
}

// GGUF has three keys for tokens that stop a text: its end, the end of a turn,
// the end of a message.  More need no key if their names tell.
void AppendEnds(const TokenizerSpec& spec, files::GgufMetadata& metadata) {
  constexpr std::array<const char*, 3> kKeys = {"eos", "eot", "eom"};
  for (std::size_t i = 0; i < spec.end_tokens.size(); ++i) {
    const Token token = spec.end_tokens[i];
    if (i < kKeys.size()) {
      metadata.emplace_back(
          "tokenizer.ggml." + std::string(kKeys[i]) + "_token_id",
          static_cast<std::uint64_t>(token));
    } else if (!EndsTextByName(spec, token)) {
      Unsupported(spec, "eos_token_id",
                  "GGUF metadata has no place for more than three end tokens");
    }
  }
}

}  // namespace

std::vector<ChatTemplate> ReadChatTemplates(const fs::path& directory) {
  const fs::path own = directory / "chat_template.jinja";
  if (files::IsThere(own)) {
    return {{.name = "", .text = files::ReadTextFile(own, kMaxConfigBytes)}};
  }
  const fs::path path = directory / "tokenizer_config.json";
  if (!files::IsThere(path)) return {};
  const nlohmann::json document = files::ReadJsonObject(path, kMaxConfigBytes);
  const auto found =
      JsonNode(document, path.string(), "").Find("chat_template");
  if (!found.has_value()) return {};
  if (found->value().is_string()) {
    return {{.name = "", .text = found->String()}};
  }
  found->RequireArray();
  std::vector<ChatTemplate> templates;
  std::set<std::string> names;
  for (std::size_t i = 0; i < found->value().size(); ++i) {
    const JsonNode named = found->At(i);
    const JsonNode name = named.Require("name");
    if (!names.insert(name.String()).second) name.RefuseValue("is there twice");
    templates.push_back(
        {.name = name.String() == "default" ? "" : name.String(),
         .text = named.Require("template").String()});
  }
  return templates;
}

files::GgufMetadata TokenizerMetadata(
    const TokenizerSpec& spec, const std::vector<ChatTemplate>& chat_templates,
    std::size_t vocab_size) {
  CheckImplied(spec, vocab_size);
  files::GgufMetadata metadata = {
      {"tokenizer.ggml.model", std::string("gpt2")},
      {"tokenizer.ggml.pre", std::string(spec.pre_tokenizer->name)}};
  AppendTokens(spec, vocab_size, metadata);
  AppendMerges(spec, metadata);
  if (spec.bos.has_value()) {
    metadata.emplace_back("tokenizer.ggml.bos_token_id",
                          static_cast<std::uint64_t>(*spec.bos));
  }
  AppendEnds(spec, metadata);
  metadata.emplace_back("tokenizer.ggml.add_bos_token", spec.adds_bos);
  for (const ChatTemplate& chat : chat_templates) {
    metadata.emplace_back(
        "tokenizer.chat_template" + (chat.name.empty() ? "" : "." + chat.name),
        chat.text);
  }
  return metadata;
}

}  // namespace tern::tokenizer
