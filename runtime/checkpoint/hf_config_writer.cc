#include "runtime/checkpoint/hf_config_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "runtime/checkpoint/hf_names.h"

namespace tern::checkpoint {
namespace {

using nlohmann::json;

// A double that shows as the float's shortest digits: 1e-05, not
// 9.999999747378752e-06.
double Shortest(float value) {
  std::array<char, 32> text{};
  const char* const end =
      std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double shortest = 0;
  std::from_chars(text.data(), end, shortest);
  return shortest;
}

const HfArchitecture& ArchitectureOf(const ModelConfig& model) {
  return *std::find_if(kHfArchitectures.begin(), kHfArchitectures.end(),
                       [&](const HfArchitecture& known) {
                         return known.architecture == model.architecture;
                       });
}

}  // namespace

json MakeHfConfig(const ModelConfig& model, HfWeights weights,
                  const json& rope_scaling, const std::string& torch_dtype) {
  const HfArchitecture& known = ArchitectureOf(model);
  json config = {{"architectures", {known.model_class}},
                 {"model_type", known.model_type},
                 {"hidden_act", known.activation},
                 {"hidden_size", model.hidden_size},
                 {"intermediate_size", model.ffn_size},
                 {"num_hidden_layers", model.num_layers},
                 {"num_attention_heads", model.num_heads},
                 {"num_key_value_heads", model.num_kv_heads},
                 {"head_dim", model.head_dim},
                 {"vocab_size", model.vocab_size},
                 {"max_position_embeddings", model.max_context},
                 {"rms_norm_eps", Shortest(model.norm_eps)},
                 {"rope_theta", Shortest(model.rope_theta)},
                 {"tie_word_embeddings", model.tied_head},
                 {"torch_dtype", torch_dtype}};
  if (!model.name.empty()) config["_name_or_path"] = model.name;
  if (!rope_scaling.is_null()) config["rope_scaling"] = rope_scaling;
  if (weights == HfWeights::kPlain) return config;
  json quantization = {{"quant_method", "bitnet"},
                       {"linear_class", "autobitlinear"},
                       {"quantization_mode", "offline"},
                       {"modules_to_not_convert", {"lm_head"}}};
  if (model.projection_norms) {
    quantization["use_rms_norm"] = true;
    quantization["rms_norm_eps"] = Shortest(model.projection_norm_eps);
  }
  config["quantization_config"] = std::move(quantization);
  return config;
}

std::string FirstDifference(const ModelConfig& a, const ModelConfig& b,
                            bool ternary) {
  const auto differ = [&](auto member) { return a.*member != b.*member; };
  if (differ(&ModelConfig::architecture)) return "its architecture";
  if (differ(&ModelConfig::activation)) return "its activation";
  if (ternary && differ(&ModelConfig::input_type)) {
    return "what its ternary layers take";
  }
  if (differ(&ModelConfig::sub_norms) || differ(&ModelConfig::head_norms)) {
    return "its norms";
  }
  if (differ(&ModelConfig::projection_norms) ||
      differ(&ModelConfig::projection_norm_eps)) {
    return "the norms before its projections";
  }
  for (const auto size :
       {&ModelConfig::hidden_size, &ModelConfig::num_layers,
        &ModelConfig::ffn_size, &ModelConfig::num_heads,
        &ModelConfig::num_kv_heads, &ModelConfig::head_dim,
        &ModelConfig::vocab_size, &ModelConfig::max_context}) {
    if (differ(size)) return "one of its sizes";
  }
  if (differ(&ModelConfig::rope_theta)) return "its rotary base";
  if (differ(&ModelConfig::rope_frequencies) ||
      differ(&ModelConfig::rope_magnitude)) {
    return "how its rotary positions are scaled";
  }
  if (differ(&ModelConfig::norm_eps)) return "the epsilon of its norms";
  if (differ(&ModelConfig::tied_head)) return "whether its head is tied";
  return "";
}

}  // namespace tern::checkpoint
