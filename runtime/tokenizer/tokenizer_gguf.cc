#include "runtime/tokenizer/tokenizer_gguf.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/files/quote.h"
#include "runtime/tokenizer/dummy_prefix.h"
#include "runtime/tokenizer/gguf_pre_tokenizer.h"
#include "runtime/tokenizer/sentence_piece.h"
#include "runtime/tokenizer/tokenizer_impl.h"
#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {
namespace {

constexpr const char* kModel = "tokenizer.ggml.model";
constexpr const char* kPre = "tokenizer.ggml.pre";
constexpr const char* kTokens = "tokenizer.ggml.tokens";
constexpr const char* kTokenType = "tokenizer.ggml.token_type";
constexpr const char* kMerges = "tokenizer.ggml.merges";
constexpr const char* kAddBos = "tokenizer.ggml.add_bos_token";
constexpr const char* kScores = "tokenizer.ggml.scores";
constexpr const char* kSpacePrefix = "tokenizer.ggml.add_space_prefix";
constexpr const char* kAddEos = "tokenizer.ggml.add_eos_token";

VocabularyKind ReadKind(const files::GgufFile& file, const std::string& name) {
  const std::string* model = file.String(kModel);
  if (model == nullptr) {
    Refuse(ErrorCode::kNotFound, name, kModel,
           "missing, so the file has no tokenizer; use a complete GGUF file");
  }
  if (*model == "gpt2") return VocabularyKind::kByteLevel;
  if (*model == "llama") return VocabularyKind::kSentencePiece;
  Refuse(ErrorCode::kUnsupported, name, kModel,
         files::Quote(*model) +
             " is not known; tern reads 'gpt2' (byte-level BPE) and 'llama' "
             "(SentencePiece BPE)");
}

// Keys that are read here, or that cannot change the ids of a text: BPE of
// bytes uses no scores and SentencePiece no merges, and of the special tokens
// only those that begin and end a text matter.
constexpr std::array<std::string_view, 21> kKnownKeys = {
    kModel,
    kPre,
    kTokens,
    kTokenType,
    kMerges,
    kAddBos,
    "tokenizer.ggml.bos_token_id",
    "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.eot_token_id",
    "tokenizer.ggml.eom_token_id",
    kScores,
    "tokenizer.ggml.padding_token_id",
    "tokenizer.ggml.unknown_token_id",
    "tokenizer.ggml.seperator_token_id",  // as the format spells it
    "tokenizer.ggml.cls_token_id",
    "tokenizer.ggml.mask_token_id",
    "tokenizer.ggml.prefix_token_id",  // of fill-in-the-middle, once
    "tokenizer.ggml.suffix_token_id",
    "tokenizer.ggml.middle_token_id",
    "tokenizer.chat_template",
    "tokenizer.chat_templates",  // names of tokenizer.chat_template.*
};
// Each false, or absent; the first is read for SentencePiece.
constexpr std::array<std::string_view, 4> kFalseKeys = {
    kSpacePrefix,
    "tokenizer.ggml.remove_extra_whitespaces",
    "tokenizer.ggml.add_sep_token",
    kAddEos,
};

template <std::size_t kSize>
bool Contains(const std::array<std::string_view, kSize>& keys,
              std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

void CheckKeys(const files::GgufFile& file, const TokenizerSpec& spec) {
  const std::string& name = spec.file;
  for (const auto& [key, value] : file.metadata) {
    if (!key.starts_with("tokenizer.") || Contains(kKnownKeys, key) ||
        key.starts_with("tokenizer.chat_template.") ||
        key.starts_with("tokenizer.ggml.fim_")) {
      continue;
    }
    if (spec.kind == VocabularyKind::kSentencePiece &&
        (key == kSpacePrefix || key == kDummyPrefix)) {
      continue;
    }
    if (!Contains(kFalseKeys, key)) {
      Refuse(ErrorCode::kUnsupported, name, files::Quote(key),
             "not known to tern, and could change the ids of a text; convert "
             "the model again as a plain BPE tokenizer");
    }
    if (file.Bool(key) != false) {
      Refuse(ErrorCode::kUnsupported, name, key,
             "true, which tern does not do; convert the model again without "
             "it");
    }
  }
}

// Values of tokenizer.ggml.token_type.
std::optional<TokenKind> KindOfType(std::int64_t type) {
  switch (type) {
    case 1:
      return TokenKind::kText;
    case 3:
      return TokenKind::kControl;
    case 4:
      return TokenKind::kAdded;
    case 5:
      return TokenKind::kUnused;
    default:  // 2 unknown, 6 byte: of SentencePiece vocabularies
      return std::nullopt;
  }
}

std::vector<std::int64_t> TokenTypes(const files::GgufFile& file,
                                     const std::string& name) {
  const auto found = file.metadata.find(kTokenType);
  if (found == file.metadata.end()) {
    Refuse(ErrorCode::kNotFound, name, kTokenType,
           "missing, so control tokens cannot be told from text; convert the "
           "model again");
  }
  std::optional<std::vector<std::int64_t>> types;
  const auto take = [&]<class T>() {
    if (const auto* values = std::get_if<std::vector<T>>(&found->second)) {
      types.emplace(values->begin(), values->end());
    }
  };
  take.operator()<std::int64_t>();
  take.operator()<std::uint64_t>();
  take.operator()<std::int8_t>();
  take.operator()<std::uint8_t>();
  take.operator()<std::int16_t>();
  take.operator()<std::uint16_t>();
  if (types) return *std::move(types);
  Refuse(ErrorCode::kMalformed, name, kTokenType,
         "not an array of integers; convert the model again");
}

const std::vector<std::string>& RequireStrings(const files::GgufFile& file,
                                               const std::string& name,
                                               const char* key) {
  const std::vector<std::string>* strings = file.Strings(key);
  if (strings == nullptr) {
    Refuse(ErrorCode::kNotFound, name, key,
           "missing; use a complete GGUF file");
  }
  return *strings;
}

const std::vector<double>& RequireScores(const files::GgufFile& file,
                                         const std::string& name,
                                         std::size_t tokens) {
  const auto found = file.metadata.find(kScores);
  const std::vector<double>* scores =
      found == file.metadata.end()
          ? nullptr
          : std::get_if<std::vector<double>>(&found->second);
  if (scores == nullptr || scores->size() != tokens) {
    Refuse(ErrorCode::kMalformed, name, kScores,
           "not a score for each of the " + std::to_string(tokens) +
               " tokens; convert the model again");
  }
  return *scores;
}

void ReadPieces(const files::GgufFile& file,
                const std::vector<std::string>& names,
                const std::vector<std::int64_t>& types, TokenizerSpec& spec) {
  const std::vector<double>& scores =
      RequireScores(file, spec.file, names.size());
  for (std::size_t id = 0; id < names.size(); ++id) {
    AppendPiece(spec, names[id], static_cast<float>(scores[id]), types[id],
                std::string(kTokenType) + "[" + std::to_string(id) + "]");
  }
}

void ReadTokens(const files::GgufFile& file, TokenizerSpec& spec) {
  const auto& names = RequireStrings(file, spec.file, kTokens);
  const std::vector<std::int64_t> types = TokenTypes(file, spec.file);
  if (types.size() != names.size()) {
    Refuse(ErrorCode::kMalformed, spec.file, kTokenType,
           std::to_string(types.size()) + " types for " +
               std::to_string(names.size()) +
               " tokens; convert the model "
               "again");
  }
  spec.tokens.reserve(names.size());
  if (spec.kind == VocabularyKind::kSentencePiece) {
    return ReadPieces(file, names, types, spec);
  }
  for (std::size_t id = 0; id < names.size(); ++id) {
    const auto kind = KindOfType(types[id]);
    if (!kind.has_value()) {
      Refuse(ErrorCode::kUnsupported, spec.file,
             std::string(kTokenType) + "[" + std::to_string(id) + "]",
             "type " + std::to_string(types[id]) +
                 " is not known in a byte-level vocabulary; tern knows 1 "
                 "(normal), 3 (control), 4 (user-defined), 5 (unused)");
    }
    SpecToken token{.bytes = names[id], .kind = *kind};
    if (token.kind == TokenKind::kText) SpellOut(token);
    spec.tokens.push_back(std::move(token));
  }
}

void ReadMerges(const files::GgufFile& file, TokenizerSpec& spec) {
  const auto& merges = RequireStrings(file, spec.file, kMerges);
  spec.merges.reserve(merges.size());
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    spec.merges.push_back(SplitMerge(spec, rank, merges[rank]));
  }
}

std::optional<Token> TokenId(const files::GgufFile& file,
                             const TokenizerSpec& spec, const char* which) {
  const std::string key = "tokenizer.ggml." + std::string(which) + "_token_id";
  const std::optional<std::uint64_t> id = file.Unsigned(key);
  if (!id.has_value()) return std::nullopt;
  if (*id >= spec.tokens.size()) {
    Refuse(ErrorCode::kMalformed, spec.file, key,
           std::to_string(*id) + " is not below the vocabulary's size " +
               std::to_string(spec.tokens.size()) +
               "; convert the model again");
  }
  return static_cast<Token>(*id);
}

void ReadSpecialTokens(const files::GgufFile& file, bool adds_bos,
                       TokenizerSpec& spec) {
  spec.bos = TokenId(file, spec, "bos");
  if (!spec.bos.has_value()) {
    spec.bos = FindControlToken(spec, "<|begin_of_text|>");
  }
  const std::optional<bool> add_bos = file.Bool(kAddBos);
  if (add_bos.value_or(false) && !spec.bos.has_value()) {
    Refuse(ErrorCode::kMalformed, spec.file, kAddBos,
           "true, but there is no tokenizer.ggml.bos_token_id; convert the "
           "model again");
  }
  spec.adds_bos = add_bos.value_or(adds_bos) && spec.bos.has_value();
  spec.eos = TokenId(file, spec, "eos");
  for (const char* which : {"eos", "eot", "eom"}) {
    if (const auto token = TokenId(file, spec, which)) {
      AddEndToken(spec, *token);
    }
  }
  AddEndTokensByName(spec);
}

void ReadSentencePieceKeys(const files::GgufFile& file, TokenizerSpec& spec) {
  const std::string* pre = file.String(kPre);
  if (pre != nullptr && *pre != "default" && *pre != "llama-spm") {
    Refuse(ErrorCode::kUnsupported, spec.file, kPre,
           files::Quote(*pre) +
               " is not known for SentencePiece; convert the model again");
  }
  spec.merges_by_score = true;
  spec.merges_key = kScores;
  spec.dummy_prefix.added = file.Bool(kSpacePrefix).value_or(true);
  const std::string* form = file.String(kDummyPrefix);
  if (form == nullptr) return;
  const auto prefix = DummyPrefixByName(*form);
  if (!prefix.has_value() || !spec.dummy_prefix.added) {
    Refuse(ErrorCode::kUnsupported, spec.file, kDummyPrefix,
           files::Quote(*form) + " is not known to tern, or contradicts " +
               kSpacePrefix + "; pack the model again");
  }
  spec.dummy_prefix = *prefix;
}

}  // namespace

TokenizerSpec ReadGgufSpec(const files::GgufFile& file) {
  TokenizerSpec spec;
  spec.file = file.path.string();
  spec.tokens_key = kTokens;
  spec.kind = ReadKind(file, spec.file);
  CheckKeys(file, spec);
  std::string origin;
  bool adds_bos = true;
  if (spec.kind == VocabularyKind::kSentencePiece) {
    ReadSentencePieceKeys(file, spec);
  } else {
    FoundPreTokenizer pre = FindGgufPreTokenizer(file);
    spec.merges_key = kMerges;
    spec.pre_tokenizer = pre.kind;
    spec.ignore_merges = pre.kind->gguf_ignore_merges;
    spec.nfc = pre.kind->nfc;
    adds_bos = pre.kind->gguf_adds_bos;
    origin = std::move(pre.origin);
  }
  ReadTokens(file, spec);
  if (!spec.merges_by_score) ReadMerges(file, spec);
  ReadSpecialTokens(file, adds_bos, spec);
  Describe(spec, origin);
  return spec;
}

Tokenizer MakeGgufTokenizer(const files::GgufFile& file) {
  return Tokenizer(std::make_unique<const Tokenizer::Impl>(ReadGgufSpec(file)));
}

}  // namespace tern::tokenizer
