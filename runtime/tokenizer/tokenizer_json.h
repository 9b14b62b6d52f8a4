// The tokenizer of a Hugging Face model: tokenizer.json, and what the files
// beside it say of the tokens that begin and end a text.
#ifndef TERN_RUNTIME_TOKENIZER_TOKENIZER_JSON_H_
#define TERN_RUNTIME_TOKENIZER_TOKENIZER_JSON_H_

#include <filesystem>

#include <tern/tokenizer.h>

#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {

// `path` is the tokenizer.json; tokenizer_config.json, generation_config.json
// and config.json are read from its directory, as far as they are there.
// Throws Error for everything that could change a result and that tern does
// not do, by name.
[[nodiscard]] TokenizerSpec ReadJsonSpec(const std::filesystem::path& path);

// The same, as a Tokenizer.
[[nodiscard]] Tokenizer LoadJsonTokenizer(const std::filesystem::path& path);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_TOKENIZER_JSON_H_
