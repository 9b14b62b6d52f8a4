// The metadata of a GGUF file as a configuration.
#ifndef TERN_RUNTIME_CHECKPOINT_GGUF_CONFIG_H_
#define TERN_RUNTIME_CHECKPOINT_GGUF_CONFIG_H_

#include <string_view>

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

// ModelConfig::rope_magnitude, if it is not 1 and no rope.scaling says so.
inline constexpr const char* kRopeMagnitudeKey = "tern.rope_magnitude";
// What the model's config.json and generation_config.json said beyond that, as
// JSON (runtime/pack_extras.h); read for packing alone.
inline constexpr const char* kHuggingFaceKey = "tern.huggingface";

// Whether ReadGgufConfig uses the key with this name below the architecture's;
// others have the one value that changes nothing.
[[nodiscard]] bool IsConfigKey(std::string_view name);

// Every key must be one that is used here, one that says nothing about the
// result, or one at the value that changes nothing; otherwise throws Error
// (kUnsupported) naming it.  The tensor rope_freqs.weight is not looked at.
// If on_fault returns, all of these are told before any that ends it is thrown.
ModelConfig ReadGgufConfig(const files::GgufFile& file,
                           const files::OnFault& on_fault);

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_GGUF_CONFIG_H_
