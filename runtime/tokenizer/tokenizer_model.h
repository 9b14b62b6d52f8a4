// SentencePiece's own file, tokenizer.model, and what the Hugging Face files
// beside it add to it.
#ifndef TERN_RUNTIME_TOKENIZER_TOKENIZER_MODEL_H_
#define TERN_RUNTIME_TOKENIZER_TOKENIZER_MODEL_H_

#include <filesystem>

#include <tern/tokenizer.h>

#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {

// Of the trainer's and the normalizer's settings those that change a result
// must be as Llama 2 has them: BPE with byte fallback, no normalization, spaces
// escaped, none removed; a dummy prefix or none.  BOS is added and the text's
// end is not, unless tokenizer_config.json says otherwise.  Tokens beyond the
// file's come from added_tokens.json and from added_tokens_decoder of
// tokenizer_config.json.  Its `legacy` says where the dummy prefix stands:
// before all text between special tokens, or if false only before the first.
// Throws Error for everything that is unknown, by name.
[[nodiscard]] TokenizerSpec ReadModelSpec(const std::filesystem::path& path);

// The same, as a Tokenizer.
[[nodiscard]] Tokenizer LoadModelTokenizer(const std::filesystem::path& path);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_TOKENIZER_MODEL_H_
