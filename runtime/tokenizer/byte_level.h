// The spelling of bytes in byte-level BPE vocabularies (GPT-2, 2019): each of
// the 256 bytes is written as one printable character, so that a token is
// readable text.  Printable Latin-1 bytes are written as themselves, the other
// 68 as U+0100, U+0101, ... in order; so a space is U+0120, "Ġ".
#ifndef TERN_RUNTIME_TOKENIZER_BYTE_LEVEL_H_
#define TERN_RUNTIME_TOKENIZER_BYTE_LEVEL_H_

#include <optional>
#include <string>
#include <string_view>

namespace tern::tokenizer {

// The bytes that `spelling` stands for; nullopt if one of its characters
// stands for no byte.
[[nodiscard]] std::optional<std::string> BytesOfSpelling(
    std::string_view spelling);

// The reverse, for any bytes.
[[nodiscard]] std::string SpellingOfBytes(std::string_view bytes);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_BYTE_LEVEL_H_
