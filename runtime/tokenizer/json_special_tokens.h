// Which tokens begin and end a text, in the Hugging Face form: the
// post-processor of tokenizer.json and three files beside it.
#ifndef TERN_RUNTIME_TOKENIZER_JSON_SPECIAL_TOKENS_H_
#define TERN_RUNTIME_TOKENIZER_JSON_SPECIAL_TOKENS_H_

#include <filesystem>

#include "runtime/tokenizer/json_document.h"
#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {

// Sets spec.bos and spec.adds_bos if the post-processor of the tokenizer.json
// `root` puts one token before the text.  Another template is an Error
// (kUnsupported).  spec.tokens must be complete.
void ReadPostProcessor(const JsonNode& root, TokenizerSpec& spec);

// Adds what the files in the directory of `tokenizer_json` say, each as far as
// it is there:
//   bos         bos_token of tokenizer_config.json, if no template names one
//   eos         eos_token of tokenizer_config.json
//   adds_bos    add_bos_token of tokenizer_config.json
//   end_tokens  eos_token of tokenizer_config.json, and eos_token_id of
//               generation_config.json and config.json
void ReadFilesBeside(const std::filesystem::path& tokenizer_json,
                     TokenizerSpec& spec);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_JSON_SPECIAL_TOKENS_H_
