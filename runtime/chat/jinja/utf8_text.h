// What Jinja, which counts in Unicode characters, has to know of UTF-8.  A byte
// that is not part of valid UTF-8 counts as a character of its own, so that no
// text is refused.
#ifndef TERN_RUNTIME_CHAT_JINJA_UTF8_TEXT_H_
#define TERN_RUNTIME_CHAT_JINJA_UTF8_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tern::jinja {

// `code` is a Unicode scalar value.
void AppendUtf8(std::uint32_t code, std::string& out);

// Where each character begins, and at the end text.size().
[[nodiscard]] std::vector<std::size_t> CharacterStarts(std::string_view text);
[[nodiscard]] std::size_t CountCharacters(std::string_view text);

// Bytes of white space, as Python's str.strip() means it, at either end.
[[nodiscard]] std::size_t LeadingSpace(std::string_view text);
[[nodiscard]] std::size_t TrailingSpace(std::string_view text);

}  // namespace tern::jinja

#endif  // TERN_RUNTIME_CHAT_JINJA_UTF8_TEXT_H_
