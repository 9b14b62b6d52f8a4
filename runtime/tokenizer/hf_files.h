// A TokenizerSpec as the files that Hugging Face's libraries read, for packing:
// tokenizer.json for byte-level vocabularies; for SentencePiece's
// tokenizer.model, because tokenizer.json has a list of merges where the model
// has scores, and says less by it (README.md, "SentencePiece merges by score").
// Beside either tokenizer_config.json with the special tokens and the chat
// templates.
//
// Ids at the end that stand for nothing, [PAD123] of a padded vocabulary, are
// left out: the model says how many there are.
#ifndef TERN_RUNTIME_TOKENIZER_HF_FILES_H_
#define TERN_RUNTIME_TOKENIZER_HF_FILES_H_

#include <string>
#include <utility>
#include <vector>

#include "runtime/tokenizer/gguf_metadata.h"
#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {

// Names and texts of the files.  They may say less than `spec`: read them again
// and compare.  Throws Error (kUnsupported) for text that is no UTF-8, which
// JSON cannot hold.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> MakeHfFiles(
    const TokenizerSpec& spec, const std::vector<ChatTemplate>& chat_templates);

// What would encode or decode some text otherwise, or end it elsewhere: "token
// 17", "the merges".  Empty if nothing would.
[[nodiscard]] std::string FirstDifference(const TokenizerSpec& wanted,
                                          const TokenizerSpec& got);

// The bytes of tokenizer.model.  Part of MakeHfFiles; `size` tokens.
[[nodiscard]] std::string MakeSentencePieceModel(const TokenizerSpec& spec,
                                                 std::size_t size);

// Tokens without those at the end that stand for nothing.
[[nodiscard]] std::size_t SizeWithoutPadding(const TokenizerSpec& spec);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_HF_FILES_H_
