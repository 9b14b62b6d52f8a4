// Which pre-tokenizer a GGUF file of a byte-level vocabulary means.
#ifndef TERN_RUNTIME_TOKENIZER_GGUF_PRE_TOKENIZER_H_
#define TERN_RUNTIME_TOKENIZER_GGUF_PRE_TOKENIZER_H_

#include <string>

#include "runtime/files/gguf.h"
#include "runtime/tokenizer/split.h"

namespace tern::tokenizer {

struct FoundPreTokenizer {
  const PreTokenizer* kind;
  std::string origin;  // for the description; empty if the file names it
};

// By tokenizer.ggml.pre.  Where that is missing, or "default" (of converters
// that do not know the tokenizer), by the architecture or by the vocabulary's
// size and its special tokens, as far as these leave no doubt:
//
//   bitnet-b1.58, bitnet-25                            llama-bpe
//   128256 tokens, bos 128000                          llama-bpe
//   131072 tokens, bos 11 if any, eos 11               falcon3
//   151643 to 151936 tokens, bos 151643 if any,
//   eos 151643 or 151645                               qwen2
//   50257 tokens, bos and eos 50256                    gpt-2
//   50254 to 50432 tokens, bos and eos 0               gpt-neox
//
// Throws Error (kUnsupported) otherwise: a wrong expression costs a third of a
// model's perplexity and shows in no other way.
[[nodiscard]] FoundPreTokenizer FindGgufPreTokenizer(
    const files::GgufFile& file);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_GGUF_PRE_TOKENIZER_H_
