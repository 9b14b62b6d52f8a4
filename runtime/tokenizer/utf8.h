// Which bytes are UTF-8 (Unicode 15, table 3-7): no overlong forms, no
// surrogates, nothing above U+10FFFF.
#ifndef TERN_RUNTIME_TOKENIZER_UTF8_H_
#define TERN_RUNTIME_TOKENIZER_UTF8_H_

#include <cstddef>
#include <string_view>

namespace tern::tokenizer {

// Length of the character that `bytes` starts with, 1 to 4, or 0 if it starts
// with no valid character (or is empty).
[[nodiscard]] std::size_t Utf8CharacterSize(std::string_view bytes);

// Number of bytes at the start that are valid UTF-8.
[[nodiscard]] std::size_t ValidUtf8Prefix(std::string_view bytes);

// Number of bytes at the start before the first valid character.
[[nodiscard]] std::size_t InvalidUtf8Prefix(std::string_view bytes);

// Number of bytes at the end, 0 to 3, that begin a character and that further
// bytes can still make valid.
[[nodiscard]] std::size_t UnfinishedUtf8Suffix(std::string_view bytes);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_UTF8_H_
