#include "runtime/checkpoint/architectures.h"

#include <algorithm>
#include <array>

namespace tern::checkpoint {
namespace {

// name, activation, sub-norms, head norms, inputs of ternary layers
constexpr std::array kArchitectures = {
    // BitNet b1.58 2B4T, arXiv 2504.12285
    Architecture{"bitnet-b1.58", Activation::kSquaredRelu, true, false,
                 InputType::kInt8},
    // The reproductions of arXiv 2402.17764 by 1bitLLM
    Architecture{"bitnet", Activation::kSilu, true, false, InputType::kInt8},
    // Llama3-8B-1.58, Falcon3-1.58bit, Falcon-E, TriLM
    Architecture{"llama", Activation::kSilu, false, false, InputType::kInt8},
    // Ternary Bonsai
    Architecture{"qwen3", Activation::kSilu, false, true, InputType::kFloat},
};

}  // namespace

const Architecture* FindArchitecture(std::string_view name) {
  const auto* found = std::find_if(
      kArchitectures.begin(), kArchitectures.end(),
      [&](const Architecture& known) { return known.name == name; });
  return found == kArchitectures.end() ? nullptr : found;
}

std::string ArchitectureNames() {
  std::string names;
  for (const Architecture& known : kArchitectures) {
    names += (names.empty() ? "" : ", ") + std::string(known.name);
  }
  return names;
}

ModelConfig ConfigOf(const Architecture& architecture) {
  ModelConfig config;
  config.architecture = architecture.name;
  config.activation = architecture.activation;
  config.sub_norms = architecture.sub_norms;
  config.head_norms = architecture.head_norms;
  config.input_type = architecture.input_type;
  return config;
}

}  // namespace tern::checkpoint
