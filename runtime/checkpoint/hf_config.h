// config.json of a Hugging Face model.
#ifndef TERN_RUNTIME_CHECKPOINT_HF_CONFIG_H_
#define TERN_RUNTIME_CHECKPOINT_HF_CONFIG_H_

#include <filesystem>
#include <string_view>

#include <tern/model.h>

#include "runtime/checkpoint/hf_quantization.h"
#include "runtime/files/on_fault.h"

namespace tern::checkpoint {

struct HfConfig {
  ModelConfig model;
  HfWeights weights = HfWeights::kPlain;
  bool is_1bit_llm = false;  // sub-norms with the names of 1bitLLM's class
};

// A member of config.json that tern pack writes, an object, and in it the
// metadata of a GGUF file that config.json has no words for, by key.
inline constexpr const char* kTernMember = "tern";
inline constexpr const char* kKeptGguf = "gguf";
inline constexpr const char* kKeptTypes = "types";

// Whether a member of config.json says what the model is; others are about
// training, generation or Python, or change nothing.
[[nodiscard]] bool IsModelKey(std::string_view key);

// Reads and checks `path`.  Every key must be one that is used here, one that
// says nothing about the result, or one at the value that changes nothing;
// otherwise throws Error (kUnsupported) naming it.  If on_fault returns, all
// keys are told that are not, before what ends the reading is thrown.
HfConfig ReadHfConfig(const std::filesystem::path& path,
                      const files::OnFault& on_fault);

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_HF_CONFIG_H_
