// The metadata of a GGUF file as a configuration.
#ifndef TERN_RUNTIME_CHECKPOINT_GGUF_CONFIG_H_
#define TERN_RUNTIME_CHECKPOINT_GGUF_CONFIG_H_

#include <tern/model.h>

#include "runtime/files/gguf.h"

namespace tern::checkpoint {

// Keys of tern's own, for what GGUF has no words for: "int8" or "none", what
// ternary layers take; the epsilon of the norms before projections, whose
// presence says that there are such.
inline constexpr const char* kInputTypeKey = "tern.activations";
inline constexpr const char* kProjectionEpsKey = "tern.projection_norm_epsilon";
// ModelConfig::rope_frequencies, exactly; the tensor rope_freqs.weight beside
// it says the same, rounded.
inline constexpr const char* kRopeFrequenciesKey = "tern.rope_frequencies";

// Every key must be one that is used here, one that says nothing about the
// result, or one at the value that changes nothing; otherwise throws Error
// (kUnsupported) naming it.  The tensor rope_freqs.weight is not looked at.
ModelConfig ReadGgufConfig(const files::GgufFile& file);

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_GGUF_CONFIG_H_
