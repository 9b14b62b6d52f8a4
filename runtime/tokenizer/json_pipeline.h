// What tokenizer.json does with a text before and after BPE: its normalizer,
// pre_tokenizer and decoder.
#ifndef TERN_RUNTIME_TOKENIZER_JSON_PIPELINE_H_
#define TERN_RUNTIME_TOKENIZER_JSON_PIPELINE_H_

#include "runtime/tokenizer/json_document.h"
#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {

// Sets spec.pre_tokenizer, spec.nfc and spec.dummy_prefix for the
// tokenizer.json `root`; spec.kind and spec.ignore_merges are known.  Throws
// Error for what is not one of these:
//
//   byte-level      normalizer      none, NFC
//                   pre_tokenizer   ByteLevel with its own expression, or a
//                                   Split by a known one and ByteLevel without
//                   decoder         ByteLevel
//   SentencePiece   normalizer and  Prepend and Replace, and none; or
//                   pre_tokenizer   Replace alone, and none; or
//                                   none, and Metaspace that does not split
//                   decoder         Replace, ByteFallback, Fuse, and Strip if
//                                   there is a prefix
void ReadPipeline(const JsonNode& root, TokenizerSpec& spec);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_JSON_PIPELINE_H_
