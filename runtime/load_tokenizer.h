// The tokenizer that comes with a model.
#ifndef TERN_RUNTIME_LOAD_TOKENIZER_H_
#define TERN_RUNTIME_LOAD_TOKENIZER_H_

#include <cstddef>
#include <filesystem>
#include <optional>

#include <tern/tokenizer.h>

#include "runtime/files/gguf.h"

namespace tern {

// Throws Error as Tokenizer::Load, and kMalformed if it has more tokens than
// the model (where that is known).
Tokenizer LoadTokenizer(const std::filesystem::path& model,
                        const std::optional<std::size_t>& vocab_size);

// Whether there is anything of a tokenizer: then a kNotFound of LoadTokenizer
// means that a part of it is missing, and not that the model has none and is to
// be run on token ids.  Throws Error if a GGUF file cannot be read.
bool HasTokenizer(const std::filesystem::path& model);
bool HasTokenizer(const files::GgufFile& file);

// Throws Error (kMalformed) if the tokenizer has more tokens than the model.
void CheckVocabulary(const std::filesystem::path& model,
                     const Tokenizer& tokenizer, std::size_t vocab_size);

}  // namespace tern

#endif  // TERN_RUNTIME_LOAD_TOKENIZER_H_
