// config.json for a model in Hugging Face layout.
#ifndef TERN_RUNTIME_CHECKPOINT_HF_CONFIG_WRITER_H_
#define TERN_RUNTIME_CHECKPOINT_HF_CONFIG_WRITER_H_

#include <nlohmann/json.hpp>
#include <string>

#include <tern/model.h>

#include "runtime/checkpoint/hf_quantization.h"

namespace tern::checkpoint {

// kPlain or kPackedMultiply.  `rope_scaling` is what config.json says of
// scaled rotary positions, null if nothing.
nlohmann::json MakeHfConfig(const ModelConfig& model, HfWeights weights,
                            const nlohmann::json& rope_scaling,
                            const std::string& torch_dtype);

// The first difference between what is computed by two configurations, "its
// rotary base" for instance; empty if there is none.  `ternary`: the layers
// are.
std::string FirstDifference(const ModelConfig& a, const ModelConfig& b,
                            bool ternary);

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_HF_CONFIG_WRITER_H_
