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
#include "runtime/tokenizer/json_pipeline.h"
#include "runtime/tokenizer/json_special_tokens.h"
#include "runtime/tokenizer/sentence_piece.h"
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

// Sets spec.kind.
void CheckModel(const JsonNode& model, TokenizerSpec& spec) {
  RequireType(model, "BPE");
  model.AllowOnly({"type", "dropout", "unk_token", "continuing_subword_prefix",
                   "end_of_word_suffix", "fuse_unk", "byte_fallback",
                   "ignore_merges", "vocab", "merges"});
  RequireUnset(model, "dropout", 0.0);
  RequireUnset(model, "continuing_subword_prefix", "");
  RequireUnset(model, "end_of_word_suffix", "");
  const auto ignore_merges = model.Find("ignore_merges");
  spec.ignore_merges = ignore_merges.has_value() && ignore_merges->Bool();
  const auto byte_fallback = model.Find("byte_fallback");
  if (byte_fallback.has_value() && byte_fallback->Bool()) {
    // All bytes have tokens, so the unknown one is never made, fused or not.
    spec.kind = VocabularyKind::kSentencePiece;
    RequireUnset(model, "ignore_merges", false);
    return;
  }
  RequireUnset(model, "unk_token", nullptr);
  RequireUnset(model, "fuse_unk", false);
}

SpecToken TokenOfName(VocabularyKind kind, const std::string& name) {
  if (kind == VocabularyKind::kByteLevel) {
    SpecToken token{.bytes = name};
    SpellOut(token);
    return token;
  }
  const auto byte = ByteOfName(name);
  if (!byte.has_value()) return TextPiece(name);
  return {.bytes = std::string(1, *byte), .kind = TokenKind::kByte};
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
                    VocabularyKind kind, TokenList& tokens) {
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
    tokens.Set(id, TokenOfName(kind, name));
  }
}

// `is_normalized`: heed the flag of that name.
void ReadAddedToken(const JsonNode& node, const JsonNode& vocab,
                    std::size_t limit, bool is_normalized, TokenList& tokens) {
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
  tokens.Set(id, {.bytes = content,
                  .kind = special ? TokenKind::kControl : TokenKind::kAdded,
                  .after_normalizer = is_normalized && normalized.has_value() &&
                                      normalized->Bool()});
}

// The unknown token is not text, whether it is among the added ones or not.
void ReadUnknownToken(const JsonNode& model, const JsonNode& vocab,
                      TokenizerSpec& spec) {
  const auto name = model.Find("unk_token");
  if (!name.has_value()) return;
  const auto known = vocab.value().find(name->String());
  if (known == vocab.value().end()) {
    name->RefuseValue("is not a token of the vocabulary");
  }
  spec.unknown = known->get<Token>();
  spec.tokens[static_cast<std::size_t>(*spec.unknown)] = {
      .bytes = name->String(), .kind = TokenKind::kControl};
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
  ReadVocabulary(vocab, limit, spec.kind, tokens);
  // Llama 2's normalizer would put its prefix before the names too, so that
  // "<s>" were found after a space only: transformers sets the flag aside.
  const bool is_normalized = spec.kind == VocabularyKind::kByteLevel;
  for (std::size_t i = 0; i < added_count; ++i) {
    ReadAddedToken(added->At(i), vocab, limit, is_normalized, tokens);
  }
  tokens.Finish(root);
  ReadUnknownToken(model, vocab, spec);
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
  const auto document = std::make_shared<const files::JsonDocument>(
      files::ReadJsonObject(path, kMaxTokenizerBytes, kTokenizerLimits));
  const JsonNode root(**document, path.string(), "");
  // truncation and padding cut and fill batches of a caller who asks for it;
  // they do not belong to the text's ids.
  root.AllowOnly({"version", "truncation", "padding", "added_tokens",
                  "normalizer", "pre_tokenizer", "post_processor", "decoder",
                  "model"});
  RequireUnset(root, "version", "1.0");
  const JsonNode model = root.Require("model");

  TokenizerSpec spec;
  spec.file = path.string();
  spec.document = document;
  spec.tokens_key = "model.vocab";
  spec.merges_key = "model.merges";
  CheckModel(model, spec);
  ReadPipeline(root, spec);
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
