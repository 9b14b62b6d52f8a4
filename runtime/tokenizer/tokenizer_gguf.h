// The tokenizer in the metadata of a GGUF file: tokenizer.ggml.*.
#ifndef TERN_RUNTIME_TOKENIZER_TOKENIZER_GGUF_H_
#define TERN_RUNTIME_TOKENIZER_TOKENIZER_GGUF_H_

#include <tern/tokenizer.h>

#include "runtime/files/gguf.h"
#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {

// Throws Error for a tokenizer that tern does not know, and for keys that are
// missing, of the wrong type or in contradiction.
[[nodiscard]] TokenizerSpec ReadGgufSpec(const files::GgufFile& file);

// The same, as a Tokenizer.
[[nodiscard]] Tokenizer MakeGgufTokenizer(const files::GgufFile& file);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_TOKENIZER_GGUF_H_
