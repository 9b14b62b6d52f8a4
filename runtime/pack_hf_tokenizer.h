// The tokenizer's files of a model in Hugging Face layout: copies of those of
// the source, or made of its GGUF metadata.
#ifndef TERN_RUNTIME_PACK_HF_TOKENIZER_H_
#define TERN_RUNTIME_PACK_HF_TOKENIZER_H_

#include <filesystem>

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/pack_extras.h"

namespace tern {

// Writes them, and generation_config.json, into `directory`, which holds
// config.json.  What is made is read again and compared, token by token; throws
// Error (kUnsupported) naming what Hugging Face's files cannot say.  Nothing is
// written for a model without a tokenizer.
void WriteHfTokenizer(const checkpoint::Checkpoint& source,
                      const PackExtras& extras,
                      const std::filesystem::path& directory);

}  // namespace tern

#endif  // TERN_RUNTIME_PACK_HF_TOKENIZER_H_
