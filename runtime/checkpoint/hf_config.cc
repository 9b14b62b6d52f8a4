#include "runtime/checkpoint/hf_config.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/checkpoint/architectures.h"
#include "runtime/checkpoint/config_limits.h"
#include "runtime/checkpoint/config_reader.h"
#include "runtime/checkpoint/hf_names.h"
#include "runtime/checkpoint/hf_rope.h"
#include "runtime/files/json.h"
#include "runtime/files/quote.h"

namespace tern::checkpoint {
namespace {

using files::Quote;
using nlohmann::json;

// Real ones have about 1 KB.
constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{1} << 20;

// Keys that are read or checked.
constexpr std::array<std::string_view, 22> kUsedKeys = {
    "model_type",
    "architectures",
    "hidden_act",
    "hidden_size",
    "num_hidden_layers",
    "intermediate_size",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
    "max_position_embeddings",
    "rope_theta",
    "rope_parameters",
    "rope_scaling",
    "weight_bits",
    "input_bits",
    "rms_norm_eps",
    "tie_word_embeddings",
    "quantization_config",
    "layer_types",
    "sliding_window",
    kTernMember,
};

// Keys about training, generation, the tokenizer or the Python classes: none
// enters the forward pass of one sequence.
constexpr std::array<std::string_view, 45> kSilentKeys = {
    "_attn_implementation_autoset",
    "_name_or_path",
    "attention_dropout",
    "attn_implementation",
    "auto_map",
    "begin_suppress_tokens",
    "bos_token_id",
    "diversity_penalty",
    "do_sample",
    "dtype",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "eos_token_id",
    "id2label",
    "initializer_range",
    "label2id",
    "length_penalty",
    "max_length",
    "max_window_layers",
    "min_length",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "pad_token_id",
    "pretraining_tp",
    "problem_type",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "temperature",
    "tf_legacy_loss",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "typical_p",
    "use_bfloat16",
    "use_cache",
};

// Keys that change the graph, unless they say this.
struct NeutralValue {
  const char* key;
  json value;
};
const std::vector<NeutralValue>& NeutralValues() {
  static const std::vector<NeutralValue> values = {
      {"attention_bias", false},      {"mlp_bias", false},
      {"use_sliding_window", false},  {"partial_rotary_factor", 1},
      {"is_encoder_decoder", false},  {"is_decoder", false},
      {"add_cross_attention", false}, {"pruned_heads", json::object()},
      {"chunk_size_feed_forward", 0}, {"tie_encoder_decoder", false},
      {"residual_multiplier", 1},     {"embedding_multiplier", 1},
      {"logits_scaling", 1},          {"logit_scale", 1},
      {"activation", "swiglu"},  // what SiLU makes of a gate
  };
  return values;
}

bool IsNeutralKey(std::string_view key) {
  return std::any_of(
      NeutralValues().begin(), NeutralValues().end(),
      [&](const NeutralValue& neutral) { return key == neutral.key; });
}

template <std::size_t n>
bool Contains(const std::array<std::string_view, n>& keys,
              std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

// The one that the configuration names.
const HfArchitecture& ReadArchitecture(const ConfigReader& config) {
  const std::string type = config.String("model_type");
  std::vector<HfArchitecture> of_type;
  std::copy_if(kHfArchitectures.begin(), kHfArchitectures.end(),
               std::back_inserter(of_type),
               [&](const auto& known) { return known.model_type == type; });
  if (of_type.empty()) {
    config.Refuse("model_type",
                  Quote(type) + " is not supported, only bitnet, llama, qwen3");
  }
  const std::string activation = config.String("hidden_act");
  std::string activations;
  for (const HfArchitecture& known : kHfArchitectures) {
    const bool is_it =
        config.Has("architectures")
            ? IsListOf(config.Get("architectures"), 1, known.model_class)
            : known.model_class == of_type.back().model_class;
    if (known.model_type != type || !is_it) continue;
    if (known.activation == activation) return known;
    activations +=
        (activations.empty() ? "" : " and ") + Quote(known.activation);
  }
  if (activations.empty()) {
    config.Refuse("architectures",
                  "is " + ConfigReader::Shown(config.Get("architectures")) +
                      ", which is not supported for " + Quote(type));
  }
  config.Refuse("hidden_act",
                Quote(activation) + " is not supported, only " + activations);
}

// The class of 1bitLLM's models quantises by two keys, which no other has.
bool Is1BitLlm(const ConfigReader& config, const HfArchitecture& known) {
  const bool is_1bit_llm = known.model_class == std::string_view(k1BitLlm);
  for (const auto& [key, bits] :
       {std::pair{"weight_bits", 1}, std::pair{"input_bits", 8}}) {
    if (config.Has(key) != is_1bit_llm) {
      config.Refuse(key, is_1bit_llm ? "is missing" : "is unknown here");
    }
    config.Expect(key, bits);
  }
  return is_1bit_llm;
}

void CheckLayerTypes(const ConfigReader& config) {
  // A window is named but off in configurations derived from other models.
  if (config.Has("sliding_window") && !(config.Has("use_sliding_window") &&
                                        !config.Bool("use_sliding_window"))) {
    config.Refuse("sliding_window", "attention windows are not supported");
  }
  if (config.Has("layer_types")) {
    if (!IsListOf(config.Get("layer_types"), config.Size("num_hidden_layers"),
                  "full_attention")) {
      config.Refuse("layer_types",
                    "is not 'full_attention' once for each layer");
    }
  }
}

// What tern pack keeps under its member.
void CheckKept(const ConfigReader& config) {
  if (!config.Has(kTernMember)) return;
  const ConfigReader kept = config.Object(kTernMember);
  for (const auto& [key, value] : kept.object().items()) {
    if (key != kKeptGguf && key != kKeptTypes) kept.Refuse(key, "is not known");
  }
}

void CheckKeys(const ConfigReader& config, const files::OnFault& on_fault) {
  files::Reporting(on_fault, [&] { CheckKept(config); });
  for (const NeutralValue& neutral : NeutralValues()) {
    files::Reporting(on_fault,
                     [&] { config.Expect(neutral.key, neutral.value); });
  }
  for (const auto& [key, value] : config.object().items()) {
    if (value.is_null() || IsNeutralKey(key) || Contains(kUsedKeys, key) ||
        Contains(kSilentKeys, key)) {
      continue;
    }
    files::Reporting(on_fault, [&, &name = key] {
      config.Refuse(name, "is not supported, and might change the result");
    });
  }
}

void ReadSizes(const ConfigReader& config, bool is_llama, ModelConfig& model) {
  model.hidden_size = config.Size("hidden_size");
  model.num_layers = config.Size("num_hidden_layers");
  model.ffn_size = config.Size("intermediate_size");
  model.num_heads = config.Size("num_attention_heads");
  model.num_kv_heads = is_llama && !config.Has("num_key_value_heads")
                           ? model.num_heads
                           : config.Size("num_key_value_heads");
  // Qwen3Config has a default of its own, which no published model relies on.
  model.head_dim =
      config.Has("head_dim") || model.head_norms
          ? config.Size("head_dim")
          : DefaultHeadDim(model.hidden_size, model.num_heads, config.place());
  model.vocab_size = config.Size("vocab_size");
  model.max_context = config.Size("max_position_embeddings");
  CheckSizes(model, config.place());
}

ModelConfig ReadModel(const ConfigReader& config, const HfArchitecture& known,
                      const HfQuantization& quantization) {
  ModelConfig model = ConfigOf(*FindArchitecture(known.architecture));
  // LlamaConfig leaves out what has its default.
  const bool is_llama = known.model_type == std::string_view("llama");
  if (config.Has("_name_or_path")) {
    model.name = config.String("_name_or_path");
  }
  ReadSizes(config, is_llama, model);
  ReadRope(config, is_llama ? std::optional(10000.0F) : std::nullopt, model);
  model.norm_eps = config.Float("rms_norm_eps");
  model.tied_head = (!is_llama || config.Has("tie_word_embeddings")) &&
                    config.Bool("tie_word_embeddings");
  model.projection_norms = quantization.projection_norms;
  model.projection_norm_eps = quantization.projection_norm_eps;
  // transformers quantises activations where it quantises weights.
  model.input_type = quantization.weights == HfWeights::kPlain
                         ? InputType::kFloat
                         : InputType::kInt8;
  CheckConfig(model, config.place());
  return model;
}

// All of it but the keys that nothing reads.
HfConfig ReadSettings(const ConfigReader& config) {
  const HfArchitecture& known = ReadArchitecture(config);
  HfQuantization quantization = ReadQuantization(config);
  const bool is_1bit_llm = Is1BitLlm(config, known);
  if (is_1bit_llm) {
    if (quantization.weights != HfWeights::kPlain) {
      config.Refuse("quantization_config", "contradicts weight_bits");
    }
    quantization.weights = HfWeights::kMaster;
  }
  const ModelConfig model = ReadModel(config, known, quantization);
  // After ReadModel, which has bounded the number of layers.
  CheckLayerTypes(config);
  return {.model = model,
          .weights = quantization.weights,
          .is_1bit_llm = is_1bit_llm};
}

}  // namespace

bool IsModelKey(std::string_view key) { return Contains(kUsedKeys, key); }

HfConfig ReadHfConfig(const std::filesystem::path& path,
                      const files::OnFault& on_fault) {
  const files::JsonDocument object =
      files::ReadJsonObject(path, kMaxConfigBytes);
  const ConfigReader config(*object, path.string());
  try {
    HfConfig result = ReadSettings(config);
    CheckKeys(config, on_fault);
    return result;
  } catch (const Error& fault) {
    on_fault(fault);
    CheckKeys(config, on_fault);
    throw;
  }
}

}  // namespace tern::checkpoint
