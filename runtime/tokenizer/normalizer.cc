#include "runtime/tokenizer/normalizer.h"

#include "runtime/tokenizer/nfc.h"
#include "runtime/tokenizer/sentence_piece.h"

namespace tern::tokenizer {

std::optional<std::string> Normalizer::Apply(std::string_view text,
                                             bool is_first) const {
  if (text.empty()) return std::nullopt;
  if (nfc_) return ToNfc(text);
  if (!is_sentence_piece_) return std::nullopt;
  const bool begins_with_space =
      text.starts_with(' ') || text.starts_with(kEscapedSpace);
  const bool prefix = dummy_prefix_.added &&
                      (is_first || !dummy_prefix_.first_only) &&
                      !(dummy_prefix_.unless_space && begins_with_space);
  // A text's own U+2581 is a space to SentencePiece.
  const bool has_escapes = text.find(kEscapedSpace) != std::string_view::npos;
  if (!prefix && !has_escapes) return std::nullopt;
  std::string result = prefix ? " " : "";
  return result += has_escapes ? UnescapeSpaces(text) : std::string(text);
}

}  // namespace tern::tokenizer
