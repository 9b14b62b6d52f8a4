// What a tokenizer file says, whatever its format: the readers
// (tokenizer_json, tokenizer_gguf) fill it, Tokenizer::Impl is made from it.
#ifndef TERN_RUNTIME_TOKENIZER_TOKENIZER_SPEC_H_
#define TERN_RUNTIME_TOKENIZER_TOKENIZER_SPEC_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tern/error.h>
#include <tern/tokenizer.h>

#include "runtime/tokenizer/dummy_prefix.h"
#include "runtime/tokenizer/split.h"

namespace tern::tokenizer {

enum class TokenKind : std::uint8_t {
  kText,     // made by BPE
  kAdded,    // ordinary text, but found before BPE
  kControl,  // special: found only where the caller asks for it
  kUnused,   // never made from text; decodes to its own name
  kByte,     // SentencePiece: one byte of what has no piece
};

enum class VocabularyKind : std::uint8_t {
  kByteLevel,      // GPT-2: tokens are bytes
  kSentencePiece,  // Llama 2: tokens are characters, or single bytes
};

struct SpecToken {
  std::string bytes;  // what it decodes to, no longer in byte-level spelling
  TokenKind kind = TokenKind::kText;
  // Added tokens that Hugging Face looks for in the normalized text, that is,
  // after the others.
  bool after_normalizer = false;
  float score = 0;  // SentencePiece: of two pieces the higher is made first
};

// The two halves of a merge as the file spells them.
struct MergeSpelling {
  std::string_view left;
  std::string_view right;
};

struct TokenizerSpec {
  VocabularyKind kind = VocabularyKind::kByteLevel;
  std::string file;                   // for messages
  std::string tokens_key;             // where the file lists its tokens
  std::string merges_key;             // and its merges
  std::vector<SpecToken> tokens;      // by id
  std::vector<MergeSpelling> merges;  // by rank
  // What the merges point into, if it is not the caller's.
  std::shared_ptr<const void> document;
  // The merges follow from the scores of the tokens, not from `merges`.
  bool merges_by_score = false;
  const PreTokenizer* pre_tokenizer = nullptr;  // null for SentencePiece
  bool nfc = false;  // normalization form C, before anything else
  DummyPrefix dummy_prefix;
  bool ignore_merges = false;
  std::optional<Token> bos;
  bool adds_bos = false;
  std::optional<Token> eos;      // the one that templates call eos_token
  std::optional<Token> unknown;  // SentencePiece: of no use, as bytes are there
  std::vector<Token> end_tokens;  // as the files name them, each once
  std::string description;
};

// Throws Error `FILE: KEY: MESSAGE`.
[[noreturn]] void Refuse(ErrorCode code, const std::string& file,
                         const std::string& key, const std::string& message);

// Replaces the byte-level spelling in token.bytes by the bytes.  A token with a
// character that spells no byte cannot come from text: it keeps its name and
// becomes kUnused.
void SpellOut(SpecToken& token);

// How the vocabulary spells the bytes of a kText token, and the reverse
// (nullopt if it is no spelling).
[[nodiscard]] std::string SpellingOf(VocabularyKind kind,
                                     std::string_view bytes);
[[nodiscard]] std::optional<std::string> BytesOf(VocabularyKind kind,
                                                 std::string_view spelling);

// The halves of "a b"; throws Error if there is not exactly one space.
[[nodiscard]] MergeSpelling SplitMerge(const TokenizerSpec& spec,
                                       std::size_t rank,
                                       std::string_view merge);

// The kControl token of this text.
[[nodiscard]] std::optional<Token> FindControlToken(const TokenizerSpec& spec,
                                                    std::string_view text);

// Adds the control tokens that end a turn or a text by their well-known names.
// Published files leave some undeclared: microsoft/bitnet-b1.58-2B-4T-gguf
// says nothing of <|eot_id|>, which its turns end with.
void AddEndTokensByName(TokenizerSpec& spec);
// Whether AddEndTokensByName would add this one.
[[nodiscard]] bool EndsTextByName(const TokenizerSpec& spec, Token token);
// Adds one that a file declares, unless it is there.
void AddEndToken(TokenizerSpec& spec, Token token);

// Sets spec.description; `origin` follows the pre-tokenizer's name.
void Describe(TokenizerSpec& spec, std::string_view origin);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_TOKENIZER_SPEC_H_
