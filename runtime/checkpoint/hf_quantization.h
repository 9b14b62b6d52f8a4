// How the linear layers of a Hugging Face model are stored: the
// quantization_config of its configuration.
#ifndef TERN_RUNTIME_CHECKPOINT_HF_QUANTIZATION_H_
#define TERN_RUNTIME_CHECKPOINT_HF_QUANTIZATION_H_

#include "runtime/checkpoint/config_reader.h"

namespace tern::checkpoint {

// What the tensors of a linear layer are, and what their scale means.
enum class HfWeights {
  kPlain,           // no quantization_config: floats
  kPackedMultiply,  // autobitlinear, offline: uint8 codes, w = t * weight_scale
  kPackedDivide,    // bitlinear, the default: uint8 codes, w = t / weight_scale
  kMaster,          // autobitlinear, online: floats, ternarised when loaded
};

struct HfQuantization {
  HfWeights weights = HfWeights::kPlain;
  // An RMSNorm of its own before each projection's quantiser (Falcon-E).
  bool projection_norms = false;
  float projection_norm_eps = 0;
};

// Throws Error (kUnsupported) for another method or a key that is not known.
HfQuantization ReadQuantization(const ConfigReader& config);

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_HF_QUANTIZATION_H_
