// Which model a cache of keys and values belongs to.
#ifndef TERN_RUNTIME_FINGERPRINT_H_
#define TERN_RUNTIME_FINGERPRINT_H_

#include <cstdint>

#include <tern/model.h>

#include "runtime/weights.h"

namespace tern {

// Of all that keys and values are computed from: the embedding, the layers and
// what the configuration says about them; not the head, nor names.  Never 0.
// Reads all weights once.
std::uint64_t Fingerprint(const ModelConfig& config, const Weights& weights);

}  // namespace tern

#endif  // TERN_RUNTIME_FINGERPRINT_H_
