// What every ModelConfig must satisfy, whichever format it came from.
#ifndef TERN_RUNTIME_CHECKPOINT_CONFIG_LIMITS_H_
#define TERN_RUNTIME_CHECKPOINT_CONFIG_LIMITS_H_

#include <cstddef>
#include <string>

#include <tern/model.h>

namespace tern::checkpoint {

// Sizes that are positive and so bounded that no product of two of them
// overflows, heads that fit together.  Throws Error (kUnsupported) that begins
// with `place`.
void CheckSizes(const ModelConfig& config, const std::string& place);

// The same, and usable epsilons and rotary frequencies.
void CheckConfig(const ModelConfig& config, const std::string& place);

// hidden / heads, for formats that leave the head's width out.  Throws Error if
// it does not divide.
std::size_t DefaultHeadDim(std::size_t hidden, std::size_t heads,
                           const std::string& place);

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_CONFIG_LIMITS_H_
