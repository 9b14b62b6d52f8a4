#include "runtime/tokenizer/tokenizer_spec.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "runtime/files/quote.h"
#include "runtime/tokenizer/byte_level.h"
#include "runtime/tokenizer/sentence_piece.h"

namespace tern::tokenizer {
namespace {

constexpr std::array<std::string_view, 5> kEndNames = {
    "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|im_end|>",
    "<|endoftext|>"};

}  // namespace

void Refuse(ErrorCode code, const std::string& file, const std::string& key,
            const std::string& message) {
  throw Error(code, file + ": " + key + ": " + message);
}

void SpellOut(SpecToken& token) {
  if (auto bytes = BytesOfSpelling(token.bytes)) {
    token.bytes = *std::move(bytes);
  } else {
    token.kind = TokenKind::kUnused;
  }
}

std::string SpellingOf(VocabularyKind kind, std::string_view bytes) {
  return kind == VocabularyKind::kByteLevel ? SpellingOfBytes(bytes)
                                            : EscapeSpaces(bytes);
}

std::optional<std::string> BytesOf(VocabularyKind kind,
                                   std::string_view spelling) {
  if (kind == VocabularyKind::kByteLevel) return BytesOfSpelling(spelling);
  return UnescapeSpaces(spelling);
}

MergeSpelling SplitMerge(const TokenizerSpec& spec, std::size_t rank,
                         std::string_view merge) {
  const std::size_t space = merge.find(' ');
  if (space == std::string_view::npos ||
      merge.find(' ', space + 1) != std::string_view::npos) {
    Refuse(ErrorCode::kMalformed, spec.file,
           spec.merges_key + "[" + std::to_string(rank) + "]",
           files::Quote(merge) +
               " is not two tokens with a space between; convert the model "
               "again");
  }
  return {.left = merge.substr(0, space), .right = merge.substr(space + 1)};
}

std::optional<Token> FindControlToken(const TokenizerSpec& spec,
                                      std::string_view text) {
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    const SpecToken& token = spec.tokens[id];
    if (token.kind == TokenKind::kControl && token.bytes == text) {
      return static_cast<Token>(id);
    }
  }
  return std::nullopt;
}

void AddEndTokensByName(TokenizerSpec& spec) {
  for (const std::string_view name : kEndNames) {
    if (const auto token = FindControlToken(spec, name)) {
      AddEndToken(spec, *token);
    }
  }
}

bool EndsTextByName(const TokenizerSpec& spec, Token token) {
  const SpecToken& known = spec.tokens[static_cast<std::size_t>(token)];
  return known.kind == TokenKind::kControl &&
         std::find(kEndNames.begin(), kEndNames.end(), known.bytes) !=
             kEndNames.end();
}

void AddEndToken(TokenizerSpec& spec, Token token) {
  std::vector<Token>& ends = spec.end_tokens;
  if (std::find(ends.begin(), ends.end(), token) == ends.end()) {
    ends.push_back(token);
  }
}

void Describe(TokenizerSpec& spec, std::string_view origin) {
  if (spec.pre_tokenizer != nullptr) {
    spec.description = "byte-level BPE, pre-tokenizer ";
    spec.description.append(spec.pre_tokenizer->name);
  } else {
    spec.description = "SentencePiece BPE";
  }
  spec.description.append(origin);
  spec.description +=
      "; " + std::to_string(spec.tokens.size()) + " tokens, " +
      (spec.merges_by_score ? std::string("merges by score")
                            : std::to_string(spec.merges.size()) + " merges") +
      "; from " + spec.file;
}

}  // namespace tern::tokenizer
