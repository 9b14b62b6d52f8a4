// Rotary positions of a Hugging Face configuration.
#ifndef TERN_RUNTIME_CHECKPOINT_HF_ROPE_H_
#define TERN_RUNTIME_CHECKPOINT_HF_ROPE_H_

#include <optional>

#include <tern/model.h>

#include "runtime/checkpoint/config_reader.h"

namespace tern::checkpoint {

// Reads rope_theta and rope_scaling, or rope_parameters, which newer versions
// of transformers write in their place, into the rope_* members of `model`,
// whose head_dim and max_context are set.  `default_theta` is for model types
// that have one.  Throws Error for a scaling that tern does not know.
void ReadRope(const ConfigReader& config, std::optional<float> default_theta,
              ModelConfig& model);

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_HF_ROPE_H_
