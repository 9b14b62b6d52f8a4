// Tokens that a Hugging Face model has beyond its tokenizer.model.
#ifndef TERN_RUNTIME_TOKENIZER_MODEL_ADDED_TOKENS_H_
#define TERN_RUNTIME_TOKENIZER_MODEL_ADDED_TOKENS_H_

#include <filesystem>

#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {

// Adds them to the tokens of `tokenizer_model`, from the files in its
// directory, each as far as it is there:
//   added_tokens.json      {"name": id, ...}
//   tokenizer_config.json  added_tokens_decoder: {"id": {"content": ...}, ...},
//                          and `legacy`
//   special_tokens_map.json, tokenizer_config.json
//                          which of them are special: bos_token, eos_token,
//                          unk_token, pad_token, additional_special_tokens, ...
// Throws Error for ids that leave a gap or contradict the vocabulary, and for
// flags that change how a token is found.
void ReadAddedTokensBeside(const std::filesystem::path& tokenizer_model,
                           TokenizerSpec& spec);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_MODEL_ADDED_TOKENS_H_
