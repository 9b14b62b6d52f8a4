// What a model's files say beyond what tern runs: who made it, its licence, how
// it was trained, how to sample from it.  None of it enters a result, and none
// of it is lost when the format changes:
//
//   from GGUF   every key that tern pack does not write itself: general.*
//               (but architecture, name, file_type, quantization_version,
//               alignment), quantize.*, keys of the architecture that change
//               nothing, keys of the tokenizer that the tokenizer's reader
//               passes over, and which of its keys names which end token.  Of
//               numbers also their types.  Not split.*, which is about the old
//               file.
//   from HF     members of config.json that say nothing about the result,
//               generation_config.json, special_tokens_map.json, and members of
//               tokenizer_config.json but chat_template and
//               added_tokens_decoder, which the tokenizer has.  Not auto_map:
//               the Python files that it names do not come along.
//
// GGUF keeps the first as they are and the second as the string
// `tern.huggingface`, JSON.  Hugging Face keeps the second as they are and the
// first as config.json's member `tern`, where other programs pass them over:
// `gguf` has the keys, `types` the types of those numbers that would come back
// in another one.
//
// The scaling of rotary positions comes along in the words of its origin,
// because frequencies alone (all that tern runs) do not tell them.
#ifndef TERN_RUNTIME_PACK_EXTRAS_H_
#define TERN_RUNTIME_PACK_EXTRAS_H_

#include <nlohmann/json.hpp>

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/files/gguf.h"
#include "runtime/files/gguf_writer.h"

namespace tern {

struct PackExtras {
  files::GgufMetadata gguf;
  files::GgufNumberTypes types;  // of `gguf`
  nlohmann::json config = nlohmann::json::object();
  nlohmann::json generation_config = nlohmann::json::object();
  nlohmann::json tokenizer_config = nlohmann::json::object();
  nlohmann::json special_tokens_map = nlohmann::json::object();
  // rope_scaling of config.json, without a base; null if nothing is scaled, or
  // nobody knows how.
  nlohmann::json rope_scaling;
};

PackExtras ReadExtras(const checkpoint::Checkpoint& source);

// The extras that GGUF has no keys for, as the value of tern.huggingface; empty
// if there are none.
std::string ExtrasForGguf(const PackExtras& extras);

// extras.gguf as config.json's member `tern`; null if there is nothing.  Throws
// Error (kUnsupported), beginning with `place`, for text that is no UTF-8 and
// numbers that are not finite, which JSON cannot hold, and for arrays that are
// too long for config.json.
nlohmann::json ExtrasForConfig(const PackExtras& extras,
                               const std::string& place);

// Keys of the tokenizer that name the tokens which end a text; only all of them
// together enter a result.
bool IsEndTokenKey(std::string_view key);

}  // namespace tern

#endif  // TERN_RUNTIME_PACK_EXTRAS_H_
