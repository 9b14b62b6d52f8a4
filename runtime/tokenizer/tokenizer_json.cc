#include "runtime/tokenizer/tokenizer_json.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/files/json.h"
#include "runtime/files/quote.h"
#include "runtime/tokenizer/json_document.h"
#include "runtime/tokenizer/json_special_tokens.h"
#include "runtime/tokenizer/tokenizer_impl.h"
#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {
namespace {

using nlohmann::json;

// Llama 3's file has 9 MB, the largest published ones about 35.
constexpr std::uint64_t kMaxTokenizerBytes = std::uint64_t{256} << 20;
// Its longest array is the list of merges: 280,147 of Llama 3.
constexpr files::JsonLimits kTokenizerLimits = {
    .depth = 32, .array_length = std::size_t{1} << 22};

// Refuses `name` unless it is absent, null or equal to `harmless`.
void RequireUnset(const JsonNode& node, const char* name,
                  const json& harmless) {
  const auto member = node.Find(name);
  if (member.has_value() && member->value() != harmless) {
    member->RefuseValue("is not known to tern; it needs " + harmless.dump() +
                        " or null here");
  }
}

void CheckType(const JsonNode& node, const char* wanted) {
  const JsonNode type = node.Require("type");
  if (type.String() == wanted) return;
  type.RefuseValue("is not known to tern; it needs '" + std::string(wanted) +
                   "' here");
}

// {"type": "Sequence", "pretokenizers": [Split by a known expression,
// ByteLevel without one]}.
const PreTokenizer* ReadPreTokenizer(const JsonNode& root) {
  const auto node = root.Find("pre_tokenizer");
  if (!node.has_value()) {
    Refuse(ErrorCode::kUnsupported, root.file(), "pre_tokenizer",
           "missing; tern needs a Split and a ByteLevel pre-tokenizer");
  }
  CheckType(*node, "Sequence");
  node->AllowOnly({"type", "pretokenizers"});
  const JsonNode parts = node->Require("pretokenizers");
  parts.RequireArray();
  if (parts.value().size() != 2) {
    parts.RefuseValue(
        "is not known to tern; it needs a Split and a ByteLevel pre-tokenizer");
  }
  const JsonNode split = parts.At(0);
  CheckType(split, "Split");
  split.AllowOnly({"type", "pattern", "behavior", "invert"});
  if (split.Require("behavior").String() != "Isolated") {
    split.Require("behavior").RefuseValue("is not known; tern needs Isolated");
  }
  RequireUnset(split, "invert", false);
  const JsonNode pattern = split.Require("pattern");
  pattern.AllowOnly({"Regex"});
  const JsonNode regex = pattern.Require("Regex");
  const PreTokenizer* kind = FindPreTokenizerByRegex(regex.String(), false, true);
  if (kind == nullptr) {
    regex.RefuseValue(
        "is not an expression that tern knows; it knows "
        "llama-bpe's");
  }
  const JsonNode byte_level = parts.At(1);
  CheckType(byte_level, "ByteLevel");
  // trim_offsets moves only the offsets into the text, which tern has not.
  byte_level.AllowOnly(
      {"type", "add_prefix_space", "trim_offsets", "use_regex"});
  if (byte_level.Require("add_prefix_space").Bool()) {
    byte_level.Require("add_prefix_space").RefuseValue("is not known to tern");
  }
  if (byte_level.Require("use_regex").Bool()) {
    byte_level.Require("use_regex").RefuseValue("is not known to tern");
  }
  return kind;
}

void ReadDecoder(const JsonNode& root) {
  const auto node = root.Find("decoder");
  if (!node.has_value()) {
    Refuse(ErrorCode::kUnsupported, root.file(), "decoder",
           "missing; tern needs ByteLevel here");
  }
  CheckType(*node, "ByteLevel");
  // Its flags concern only the pre-tokenizer of the same name.
  node->AllowOnly({"type", "add_prefix_space", "trim_offsets", "use_regex"});
}

void CheckModel(const JsonNode& model) {
  CheckType(model, "BPE");
  model.AllowOnly({"type", "dropout", "unk_token", "continuing_subword_prefix",
                   "end_of_word_suffix", "fuse_unk", "byte_fallback",
                   "ignore_merges", "vocab", "merges"});
  RequireUnset(model, "dropout", 0.0);
  RequireUnset(model, "unk_token", nullptr);
  RequireUnset(model, "continuing_subword_prefix", "");
  RequireUnset(model, "end_of_word_suffix", "");
  RequireUnset(model, "fuse_unk", false);
  RequireUnset(model, "byte_fallback", false);
}

// The tokens by id while they are collected.
class TokenList {
 public:
  TokenList(TokenizerSpec& spec, std::size_t limit)
      : tokens_(spec.tokens), taken_(limit) {
    tokens_.resize(limit);
  }
  [[nodiscard]] bool IsTaken(Token id) const {
    return taken_[static_cast<std::size_t>(id)];
  }
  void Set(Token id, SpecToken token) {
    taken_[static_cast<std::size_t>(id)] = true;
    tokens_[static_cast<std::size_t>(id)] = std::move(token);
  }
  // Ids must run from 0 without a gap: a gap is a token lost, or two of one
  // name.
  void Finish(const JsonNode& root) {
    while (!taken_.empty() && !taken_.back()) taken_.pop_back();
    tokens_.resize(taken_.size());
    for (std::size_t id = 0; id < taken_.size(); ++id) {
      if (taken_[id]) continue;
      Refuse(ErrorCode::kMalformed, root.file(), "model.vocab",
             "no token has the id " + std::to_string(id) +
                 ", though there are higher ones; use the file as it was "
                 "published");
    }
  }

 private:
  std::vector<SpecToken>& tokens_;
  std::vector<bool> taken_;
};

void ReadVocabulary(const JsonNode& vocab, std::size_t limit,
                    TokenList& tokens) {
  for (const auto& [name, value] : vocab.value().items()) {
    const JsonNode entry(value, vocab.file(),
                         vocab.key() + "." + files::Quote(name));
    const Token id = entry.Id(limit);
    if (tokens.IsTaken(id)) {
      Refuse(ErrorCode::kMalformed, vocab.file(), entry.key(),
             "id " + std::to_string(id) +
                 " belongs to another token too; use the file as it was "
                 "published");
    }
    SpecToken token{.bytes = name};
    SpellOut(token);
    tokens.Set(id, std::move(token));
  }
}

void ReadAddedToken(const JsonNode& node, const JsonNode& vocab,
                    std::size_t limit, TokenList& tokens) {
  node.AllowOnly({"id", "content", "single_word", "lstrip", "rstrip",
                  "normalized", "special"});
  for (const char* flag : {"single_word", "lstrip", "rstrip"}) {
    RequireUnset(node, flag, false);
  }
  const Token id = node.Require("id").Id(limit);
  const std::string& content = node.Require("content").String();
  const auto known = vocab.value().find(content);
  const bool is_known = known != vocab.value().end() && *known == id;
  const bool is_new = known == vocab.value().end() && !tokens.IsTaken(id);
  if (content.empty() || (!is_known && !is_new)) {
    Refuse(ErrorCode::kMalformed, node.file(), node.key(),
           "id " + std::to_string(id) + " for " + files::Quote(content) +
               " contradicts the vocabulary; use the file as it was published");
  }
  const auto normalized = node.Find("normalized");
  const bool special = node.Require("special").Bool();
  tokens.Set(
      id, {.bytes = content,
           .kind = special ? TokenKind::kControl : TokenKind::kAdded,
           .after_normalizer = normalized.has_value() && normalized->Bool()});
}

void ReadTokens(const JsonNode& root, const JsonNode& model,
                TokenizerSpec& spec) {
  const JsonNode vocab = model.Require("vocab");
  vocab.RequireObject();
  const auto added = root.Find("added_tokens");
  if (added.has_value()) added->RequireArray();
  const std::size_t added_count = added.has_value() ? added->value().size() : 0;
  // Ids are dense, so none can be higher than this; so a single absurd id
  // reserves no memory.
  const std::size_t limit = vocab.value().size() + added_count;
  TokenList tokens(spec, limit);
  ReadVocabulary(vocab, limit, tokens);
  for (std::size_t i = 0; i < added_count; ++i) {
    ReadAddedToken(added->At(i), vocab, limit, tokens);
  }
  tokens.Finish(root);
}

void ReadMerges(const JsonNode& merges, TokenizerSpec& spec) {
  merges.RequireArray();
  spec.merges.reserve(merges.value().size());
  for (std::size_t rank = 0; rank < merges.value().size(); ++rank) {
    const json& merge = merges.value()[rank];
    if (const auto* text = merge.get_ptr<const std::string*>()) {
      spec.merges.push_back(SplitMerge(spec, rank, *text));
      continue;
    }
    const bool is_pair = merge.is_array() && merge.size() == 2 &&
                         merge[0].is_string() && merge[1].is_string();
    if (!is_pair) {
      Refuse(ErrorCode::kMalformed, spec.file, merges.At(rank).key(),
             "not two tokens; use the file as it was published");
    }
    spec.merges.push_back({.left = merge[0].get_ref<const std::string&>(),
                           .right = merge[1].get_ref<const std::string&>()});
  }
}

}  // namespace

TokenizerSpec ReadJsonSpec(const std::filesystem::path& path) {
  const auto document = std::make_shared<const json>(
      files::ReadJsonObject(path, kMaxTokenizerBytes, kTokenizerLimits));
  const JsonNode root(*document, path.string(), "");
  // truncation and padding cut and fill batches of a caller who asks for it;
  // they do not belong to the text's ids.
  root.AllowOnly({"version", "truncation", "padding", "added_tokens",
                  "normalizer", "pre_tokenizer", "post_processor", "decoder",
                  "model"});
  RequireUnset(root, "version", "1.0");
  RequireUnset(root, "normalizer", nullptr);
  const JsonNode model = root.Require("model");
  CheckModel(model);

  TokenizerSpec spec;
  spec.file = path.string();
  spec.document = document;
  spec.tokens_key = "model.vocab";
  spec.merges_key = "model.merges";
  spec.pre_tokenizer = ReadPreTokenizer(root);
  ReadDecoder(root);
  const auto ignore_merges = model.Find("ignore_merges");
  spec.ignore_merges = ignore_merges.has_value() && ignore_merges->Bool();
  ReadTokens(root, model, spec);
  ReadMerges(model.Require("merges"), spec);
  ReadPostProcessor(root, spec);
  ReadFilesBeside(path, spec);
  AddEndTokensByName(spec);
  Describe(spec, "");
  return spec;
}

Tokenizer LoadJsonTokenizer(const std::filesystem::path& path) {
  return Tokenizer(std::make_unique<const Tokenizer::Impl>(ReadJsonSpec(path)));
}

}  // namespace tern::tokenizer
