// How SentencePiece vocabularies (Kudo and Richardson, 2018) spell tokens: a
// space is U+2581, and a byte that no piece covers is <0xXX>.
#ifndef TERN_RUNTIME_TOKENIZER_SENTENCE_PIECE_H_
#define TERN_RUNTIME_TOKENIZER_SENTENCE_PIECE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {

inline constexpr std::string_view kEscapedSpace = "\xE2\x96\x81";  // U+2581

// Every space as U+2581, and the reverse.
[[nodiscard]] std::string EscapeSpaces(std::string_view text);
[[nodiscard]] std::string UnescapeSpaces(std::string_view text);

// "<0x0A>" of 10, and the reverse.
[[nodiscard]] std::string NameOfByte(unsigned byte);
[[nodiscard]] std::optional<char> ByteOfName(std::string_view name);

// The token that merges make of text, by its name in the vocabulary.  A name
// with a space can be none, as no space is left in a text: kUnused.
[[nodiscard]] SpecToken TextPiece(std::string_view name);

// Types of pieces, in tokenizer.model as in tokenizer.ggml.token_type.
enum class PieceType : std::uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

// Appends the next token of `spec`.  `key` is the place of its type.  Throws
// Error for a type that is none of these, for a byte whose name is no <0xXX>,
// for an empty piece, and for a
// user-defined one with U+2581.
void AppendPiece(TokenizerSpec& spec, std::string_view name, float score,
                 std::int64_t type, const std::string& key);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_SENTENCE_PIECE_H_
