// Any checkpoint -> a directory in Hugging Face layout: config.json,
// model.safetensors, the tokenizer's files.
//
// Ternary layers that take int8 become quantisation `bitnet`, linear_class
// autobitlinear, quantization_mode offline: uint8 codes and the multiplier as
// weight_scale.  Ternary layers that take their inputs as they are become
// floats -s, 0 and +s, unquantised, because packed weights mean int8 to
// transformers; those of float models stay floats.
//
// transformers casts every float to the model's torch_dtype when it loads.  So
// that is the one of the source or bfloat16 if it holds all of them exactly,
// scales, norms and embedding, and float32 otherwise.  Norms and scales are
// stored in it, matrices as they come.
//
// What is written is read again before it takes its name: a configuration or a
// tokenizer that would not come back the same is refused, by name.
#ifndef TERN_RUNTIME_PACK_HF_H_
#define TERN_RUNTIME_PACK_HF_H_

#include <filesystem>

#include <tern/pack.h>

#include "runtime/checkpoint/checkpoint.h"

namespace tern {

PackReport PackHuggingFace(const checkpoint::Checkpoint& source,
                           const std::filesystem::path& destination,
                           const PackOptions& options);

}  // namespace tern

#endif  // TERN_RUNTIME_PACK_HF_H_
