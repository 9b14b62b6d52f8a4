// The tokenizer that lies beside a Hugging Face model, as the metadata that
// GGUF has for it (tokenizer.ggml.*, tokenizer.chat_template).
//
// GGUF has no words for most of what tokenizer.json can say: it names a kind of
// tokenizer ("gpt2", byte-level BPE) and a pre-tokenizer ("llama-bpe"), and the
// rest follows from the names.  So everything in tokenizer.json must be either
// a key of the metadata or just what the names imply; anything else is refused.
#ifndef TERN_RUNTIME_TOKENIZER_METADATA_H_
#define TERN_RUNTIME_TOKENIZER_METADATA_H_

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "runtime/files/gguf_writer.h"

namespace tern {

// The documents, each an object, or null if there is no such file.
// NOLINTNEXTLINE(bugprone-exception-escape): moving a json does not throw.
struct HuggingFaceTokenizer {
  std::filesystem::path directory;           // for messages
  nlohmann::json tokenizer;                  // tokenizer.json, never null
  nlohmann::json tokenizer_config;           // tokenizer_config.json
  nlohmann::json config;                     // config.json
  nlohmann::json generation_config;          // generation_config.json
  std::optional<std::string> chat_template;  // chat_template.jinja
};

// Empty if the directory has no tokenizer at all.  Throws Error for one of
// another kind (tokenizer.model) and for files that are not JSON.
std::optional<HuggingFaceTokenizer> ReadHuggingFaceTokenizer(
    const std::filesystem::path& directory);

// Token types: 3 for special added tokens, 4 for other added ones, 1 for the
// vocabulary of the BPE, 5 (with a name of no meaning) for the ids up to
// vocab_size, the model's, that have no token.  Throws Error naming the file
// and the key: kUnsupported for what GGUF cannot say, kMalformed for what
// contradicts itself.
files::GgufMetadata TokenizerMetadata(const HuggingFaceTokenizer& source,
                                      std::size_t vocab_size);

}  // namespace tern

#endif  // TERN_RUNTIME_TOKENIZER_METADATA_H_
