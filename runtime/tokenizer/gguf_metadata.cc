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
#include "runtime/tokenizer/dummy_prefix.h"
#include "runtime/tokenizer/json_document.h"
#include "runtime/tokenizer/merge_scores.h"
#include "runtime/tokenizer/sentence_piece.h"
#include "runtime/tokenizer/tokenizer_json.h"
#include "runtime/tokenizer/tokenizer_model.h"

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

// Normalization form C makes one character of two.  A token that is looked for
// after it would have to be found in what it makes; spaces take no part in it.
void CheckNormalizedTokens(const TokenizerSpec& spec) {
  for (const SpecToken& token : spec.tokens) {
    if (!token.after_normalizer || !spec.nfc ||
        token.bytes.find_first_not_of(" \t\r\n") == std::string::npos) {
      continue;
    }
    Unsupported(spec, "added_tokens",
                files::Quote(token.bytes) +
                    " is looked for in normalized text, where GGUF metadata "
                    "has no such difference");
  }
}

void CheckImplied(const TokenizerSpec& spec, std::size_t vocab_size) {
  const PreTokenizer* pre = spec.pre_tokenizer;
  if (pre != nullptr && spec.ignore_merges != pre->gguf_ignore_merges) {
    Unsupported(spec, "model.ignore_merges",
                "not what GGUF metadata implies for pre-tokenizer " +
                    std::string(pre->name));
  }
  if (pre != nullptr && spec.nfc != pre->nfc) {
    Unsupported(spec, "normalizer",
                "not what GGUF metadata implies for pre-tokenizer " +
                    std::string(pre->name));
  }
  CheckNormalizedTokens(spec);
  CheckPasses(spec);
  if (spec.tokens.size() > vocab_size) {
    Refuse(ErrorCode::kMalformed, spec.file, spec.tokens_key,
           std::to_string(spec.tokens.size()) + " tokens, but the model has " +
               std::to_string(vocab_size) +
               "; use the tokenizer that was published with the model");
  }
}

PieceType TypeOf(TokenKind kind) {
  switch (kind) {
    case TokenKind::kText:
      return PieceType::kNormal;
    case TokenKind::kControl:
      return PieceType::kControl;
    case TokenKind::kAdded:
      return PieceType::kUserDefined;
    case TokenKind::kByte:
      return PieceType::kByte;
    case TokenKind::kUnused:
      break;
  }
  return PieceType::kUnused;
}

std::string NameOf(VocabularyKind kind, const SpecToken& token) {
  if (token.kind == TokenKind::kText) return SpellingOf(kind, token.bytes);
  if (token.kind == TokenKind::kByte) {
    return NameOfByte(static_cast<unsigned char>(token.bytes[0]));
  }
  return token.bytes;
}

void AppendTokens(const TokenizerSpec& spec, std::size_t vocab_size,
                  files::GgufMetadata& metadata) {
  std::vector<std::string> names;
  std::vector<std::int64_t> types;
  names.reserve(vocab_size);
  types.reserve(vocab_size);
  for (const SpecToken& token : spec.tokens) {
    names.push_back(NameOf(spec.kind, token));
    types.push_back(static_cast<std::int64_t>(TypeOf(token.kind)));
  }
  if (spec.unknown.has_value()) {
    types[static_cast<std::size_t>(*spec.unknown)] =
        static_cast<std::int64_t>(PieceType::kUnknown);
  }
  std::set<std::string> taken(names.begin(), names.end());
  for (std::size_t id = names.size(); id < vocab_size; ++id) {
    std::string name = "[PAD" + std::to_string(id) + "]";
    while (!taken.insert(name).second) name += "_";
    names.push_back(std::move(name));
    types.push_back(static_cast<std::int64_t>(PieceType::kUnused));
  }
  metadata.emplace_back("tokenizer.ggml.tokens", std::move(names));
  metadata.emplace_back("tokenizer.ggml.token_type", std::move(types));
}

void AppendScores(const TokenizerSpec& spec, std::size_t vocab_size,
                  files::GgufMetadata& metadata) {
  std::vector<double> scores;
  if (spec.merges_by_score) {
    for (const SpecToken& token : spec.tokens) {
      scores.push_back(static_cast<double>(token.score));
    }
  } else {
    scores = ScoresOfMerges(spec);
  }
  scores.resize(vocab_size);
  metadata.emplace_back("tokenizer.ggml.scores", std::move(scores));
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
  std::vector<Token> ends = spec.end_tokens;
  if (spec.eos.has_value()) {  // first, whichever file names it first
    std::erase(ends, *spec.eos);
    ends.insert(ends.begin(), *spec.eos);
  }
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const Token token = ends[i];
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

// The keys that say which kind of tokenizer it is.
files::GgufMetadata KindOf(const TokenizerSpec& spec) {
  if (spec.pre_tokenizer != nullptr) {
    return {
        {"tokenizer.ggml.model", std::string("gpt2")},
        {"tokenizer.ggml.pre", std::string(spec.pre_tokenizer->gguf_names[0])}};
  }
  files::GgufMetadata metadata = {
      {"tokenizer.ggml.model", std::string("llama")},
      {"tokenizer.ggml.pre", std::string("default")},
      {"tokenizer.ggml.add_space_prefix", spec.dummy_prefix.added}};
  if (const auto form = NameOf(spec.dummy_prefix)) {
    metadata.emplace_back(kDummyPrefix, std::string(*form));
  }
  if (spec.unknown.has_value()) {
    metadata.emplace_back("tokenizer.ggml.unknown_token_id",
                          static_cast<std::uint64_t>(*spec.unknown));
  }
  return metadata;
}

}  // namespace

std::vector<ChatTemplate> ReadChatTemplates(const fs::path& directory) {
  const fs::path own = directory / "chat_template.jinja";
  if (files::IsThere(own)) {
    return {{.name = "", .text = files::ReadTextFile(own, kMaxConfigBytes)}};
  }
  const fs::path path = directory / "tokenizer_config.json";
  if (!files::IsThere(path)) return {};
  const files::JsonDocument document =
      files::ReadJsonObject(path, kMaxConfigBytes);
  const auto found =
      JsonNode(*document, path.string(), "").Find("chat_template");
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

std::optional<TokenizerSpec> ReadSpecForGguf(const fs::path& directory) {
  const fs::path json = directory / "tokenizer.json";
  const fs::path model = directory / "tokenizer.model";
  std::optional<TokenizerSpec> spec;
  if (files::IsThere(json)) spec = ReadJsonSpec(json);
  const bool wants_scores =
      !spec.has_value() || spec->kind == VocabularyKind::kSentencePiece;
  if (wants_scores && files::IsThere(model)) spec = ReadModelSpec(model);
  return spec;
}

files::GgufMetadata TokenizerMetadata(
    const TokenizerSpec& spec, const std::vector<ChatTemplate>& chat_templates,
    std::size_t vocab_size) {
  CheckImplied(spec, vocab_size);
  files::GgufMetadata metadata = KindOf(spec);
  AppendTokens(spec, vocab_size, metadata);
  if (spec.kind == VocabularyKind::kByteLevel) {
    AppendMerges(spec, metadata);
  } else {
    AppendScores(spec, vocab_size, metadata);
  }
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
