// Unicode's normalization form C (UAX #15): "e" and a combining acute accent
// become one character.  The tokenizers of Qwen and GPT-NeoX begin with it.
#ifndef TERN_RUNTIME_TOKENIZER_NFC_H_
#define TERN_RUNTIME_TOKENIZER_NFC_H_

#include <optional>
#include <string>
#include <string_view>

namespace tern::tokenizer {

// `text` in form C; bytes that are not UTF-8 stay as they are, and nothing is
// composed across them.  nullopt if it is in that form already.  Time is linear
// in the text's size, up to a logarithm.
[[nodiscard]] std::optional<std::string> ToNfc(std::string_view text);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_NFC_H_
