// config.json of a Hugging Face model.
#ifndef TERN_RUNTIME_CHECKPOINT_HF_CONFIG_H_
#define TERN_RUNTIME_CHECKPOINT_HF_CONFIG_H_

#include <filesystem>

#include <tern/model.h>

namespace tern::checkpoint {

// How the linear layers are stored and what their scale means
// (quantization_config; formats differ only here).
enum class HfWeights {
  kPlain,           // no quantization_config: floats
  kPackedMultiply,  // autobitlinear, offline: uint8 codes, w = t * weight_scale
  kPackedDivide,    // bitlinear, the default: uint8 codes, w = t / weight_scale
  kMaster,          // autobitlinear, online: floats, ternarised when loaded
};

struct HfConfig {
  ModelConfig model;
  HfWeights weights = HfWeights::kPlain;
};

// Reads and checks `path`.  Every key must be one that is used here, one that
// says nothing about the result, or one at the value that changes nothing;
// otherwise throws Error (kUnsupported) naming it.
HfConfig ReadHfConfig(const std::filesystem::path& path);

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_HF_CONFIG_H_
