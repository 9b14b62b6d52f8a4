// The tokenizer that comes with a model.
#ifndef TERN_RUNTIME_LOAD_TOKENIZER_H_
#define TERN_RUNTIME_LOAD_TOKENIZER_H_

#include <cstddef>
#include <filesystem>
#include <optional>

#include <tern/tokenizer.h>

namespace tern {

// Throws Error as Tokenizer::Load, and kMalformed if it has more tokens than
// the model (where that is known).
Tokenizer LoadTokenizer(const std::filesystem::path& model,
                        const std::optional<std::size_t>& vocab_size);

// Throws Error (kMalformed) if the tokenizer has more tokens than the model.
void CheckVocabulary(const std::filesystem::path& model,
                     const Tokenizer& tokenizer, std::size_t vocab_size);

}  // namespace tern

#endif  // TERN_RUNTIME_LOAD_TOKENIZER_H_
