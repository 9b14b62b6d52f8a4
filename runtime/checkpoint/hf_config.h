// config.json of a Hugging Face model.
#ifndef TERN_RUNTIME_CHECKPOINT_HF_CONFIG_H_
#define TERN_RUNTIME_CHECKPOINT_HF_CONFIG_H_

#include <filesystem>

#include <tern/model.h>

#include "runtime/checkpoint/hf_quantization.h"

namespace tern::checkpoint {

struct HfConfig {
  ModelConfig model;
  HfWeights weights = HfWeights::kPlain;
  bool is_1bit_llm = false;  // sub-norms with the names of 1bitLLM's class
};

// Reads and checks `path`.  Every key must be one that is used here, one that
// says nothing about the result, or one at the value that changes nothing;
// otherwise throws Error (kUnsupported) naming it.
HfConfig ReadHfConfig(const std::filesystem::path& path);

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_HF_CONFIG_H_
