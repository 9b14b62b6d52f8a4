// A tokenizer that was read from Hugging Face files, as the metadata that GGUF
// has for it (tokenizer.ggml.*, tokenizer.chat_template).
//
// GGUF has no words for most of what tokenizer.json can say: it names a kind of
// tokenizer ("gpt2", byte-level BPE; "llama", SentencePiece BPE) and a
// pre-tokenizer ("llama-bpe"), and the rest follows from the names.  The
// metadata is made from the TokenizerSpec that text is encoded by, so it can
// say nothing else than what tern runs; what the names would not imply is
// refused.
#ifndef TERN_RUNTIME_TOKENIZER_GGUF_METADATA_H_
#define TERN_RUNTIME_TOKENIZER_GGUF_METADATA_H_

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "runtime/files/gguf_writer.h"
#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {

struct ChatTemplate {
  std::string name;  // empty: the one for a chat
  std::string text;
};

// Of the model in `directory`: chat_template.jinja, or chat_template of
// tokenizer_config.json, one text or a list of named ones.  Empty if there is
// none.
[[nodiscard]] std::vector<ChatTemplate> ReadChatTemplates(
    const std::filesystem::path& directory);

// The tokenizer of the model in `directory` in the form that GGUF can say:
// tokenizer.json, or tokenizer.model where there is no other or where both are
// SentencePiece's, because a merge list has lost the scores.  nullopt if there
// is neither.
[[nodiscard]] std::optional<TokenizerSpec> ReadSpecForGguf(
    const std::filesystem::path& directory);

// Token types: 1 for what BPE makes, 2 for SentencePiece's unknown token, 3 for
// control tokens, 4 for other added ones, 5 for the ids up to vocab_size, the
// model's, that no text becomes, 6 for SentencePiece's bytes.
// Throws Error naming the file: kUnsupported for what GGUF cannot say,
// kMalformed if there are more than vocab_size tokens.
[[nodiscard]] files::GgufMetadata TokenizerMetadata(
    const TokenizerSpec& spec, const std::vector<ChatTemplate>& chat_templates,
    std::size_t vocab_size);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_GGUF_METADATA_H_
