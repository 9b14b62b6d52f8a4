#include "runtime/checkpoint/hf_config.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include <tern/error.h>

#include "runtime/checkpoint/config_limits.h"
#include "runtime/files/json.h"
#include "runtime/files/quote.h"

namespace tern::checkpoint {
namespace {

using files::Quote;
using nlohmann::json;

// Real ones have about 1 KB.
constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{1} << 20;

// Keys that ReadModel, ReadRopeTheta and ReadWeights use or check.
constexpr std::array<std::string_view, 18> kUsedKeys = {
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
    "rms_norm_eps",
    "tie_word_embeddings",
    "quantization_config",
    "layer_types",
    "sliding_window",
};

// Keys about training, generation, the tokenizer or the Python classes: none
// enters the forward pass of one sequence.
constexpr std::array<std::string_view, 38> kSilentKeys = {
    "_name_or_path",
    "_attn_implementation_autoset",
    "attention_dropout",
    "attn_implementation",
    "auto_map",
    "begin_suppress_tokens",
    "bos_token_id",
    "do_sample",
    "dtype",
    "early_stopping",
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
    "pad_token_id",
    "pretraining_tp",
    "problem_type",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "temperature",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers_version",
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

// A JSON object and where it comes from; null counts as absent.
class Reader {
 public:
  Reader(const json& object, std::string place)
      : object_(object), place_(std::move(place)) {}

  [[nodiscard]] bool Has(const char* key) const {
    const auto found = object_.find(key);
    return found != object_.end() && !found->is_null();
  }
  [[nodiscard]] std::size_t Size(const char* key) const {
    const json& value = Get(key);
    if (!value.is_number_unsigned()) {
      BadType(key, "a size");
    }
    return value.get<std::size_t>();
  }
  [[nodiscard]] float Float(const char* key) const {
    const json& value = Get(key);
    if (!value.is_number()) {
      BadType(key, "a number");
    }
    return static_cast<float>(value.get<double>());
  }
  [[nodiscard]] bool Bool(const char* key) const {
    const json& value = Get(key);
    if (!value.is_boolean()) {
      BadType(key, "true or false");
    }
    return value.get<bool>();
  }
  [[nodiscard]] std::string String(const char* key) const {
    const json& value = Get(key);
    if (!value.is_string()) {
      BadType(key, "a string");
    }
    return value.get<std::string>();
  }
  [[nodiscard]] const json& Get(const char* key) const {
    if (!Has(key)) {
      throw Error(ErrorCode::kNotFound,
                  place_ + ": key " + Quote(key) +
                      " is missing; take it from the original model");
    }
    return object_.at(key);
  }
  // An object inside this one.
  [[nodiscard]] Reader Object(const char* key) const {
    const json& value = Get(key);
    if (!value.is_object()) {
      BadType(key, "an object");
    }
    return {value, place_ + ": " + key};
  }
  // Throws Error unless key is absent or one of the values.
  void Expect(const char* key, const json& value) const {
    if (Has(key) && Get(key) != value) {
      Refuse(key, "is " + Shown(Get(key)) + ", but only " + Shown(value) +
                      " is supported");
    }
  }
  [[noreturn]] void Refuse(const std::string& key,
                           const std::string& what) const {
    throw Error(ErrorCode::kUnsupported,
                place_ + ": key " + Quote(key) + ": " + what +
                    "; tern runs nothing that it does not understand");
  }
  static std::string Shown(const json& value) {
    return Quote(value.dump(-1, ' ', true, json::error_handler_t::replace));
  }

  [[nodiscard]] const json& object() const { return object_; }
  [[nodiscard]] const std::string& place() const { return place_; }

 private:
  [[noreturn]] void BadType(const char* key, const char* wanted) const {
    throw Error(ErrorCode::kMalformed, place_ + ": key " + Quote(key) +
                                           ": is not " + wanted +
                                           "; take it from the original model");
  }

  const json& object_;
  std::string place_;
};

void CheckArchitecture(const Reader& config) {
  const std::string type = config.String("model_type");
  if (type != "bitnet") {
    config.Refuse("model_type",
                  Quote(type) +
                      " is not supported, only 'bitnet' "
                      "(BitNetForCausalLM, as BitNet b1.58 2B4T)");
  }
  config.Expect("architectures", json::array({"BitNetForCausalLM"}));
  const std::string activation = config.String("hidden_act");
  if (activation != "relu2") {
    config.Refuse("hidden_act",
                  Quote(activation) + " is not supported, only 'relu2'");
  }
}

void CheckKeys(const Reader& config) {
  for (const NeutralValue& neutral : NeutralValues()) {
    config.Expect(neutral.key, neutral.value);
  }
  // A window is named but off in configurations derived from other models.
  if (config.Has("sliding_window") && !(config.Has("use_sliding_window") &&
                                        !config.Bool("use_sliding_window"))) {
    config.Refuse("sliding_window", "attention windows are not supported");
  }
  if (config.Has("layer_types")) {
    const json wanted =
        json::array_t(config.Size("num_hidden_layers"), json("full_attention"));
    if (config.Get("layer_types") != wanted) {
      config.Refuse("layer_types",
                    "is not 'full_attention' once for each layer");
    }
  }
  for (const auto& [key, value] : config.object().items()) {
    if (!value.is_null() && !IsNeutralKey(key) && !Contains(kUsedKeys, key) &&
        !Contains(kSilentKeys, key)) {
      config.Refuse(key, "is not supported, and might change the result");
    }
  }
}

// Newer versions of transformers write rope_parameters, older ones rope_theta.
float ReadRopeTheta(const Reader& config) {
  if (!config.Has("rope_parameters")) {
    return config.Float("rope_theta");
  }
  const Reader rope = config.Object("rope_parameters");
  rope.Expect("rope_type", "default");
  for (const auto& [key, value] : rope.object().items()) {
    if (key != "rope_type" && key != "rope_theta" && !value.is_null()) {
      rope.Refuse(key, "scaled rotary positions are not supported");
    }
  }
  const float theta = rope.Float("rope_theta");
  if (config.Has("rope_theta") && config.Float("rope_theta") != theta) {
    config.Refuse("rope_theta", "is not that of rope_parameters");
  }
  return theta;
}

ModelConfig ReadModel(const Reader& config) {
  ModelConfig model;
  model.architecture = "bitnet-b1.58";
  model.activation = Activation::kSquaredRelu;
  if (config.Has("_name_or_path")) {
    model.name = config.String("_name_or_path");
  }
  model.hidden_size = config.Size("hidden_size");
  model.num_layers = config.Size("num_hidden_layers");
  model.ffn_size = config.Size("intermediate_size");
  model.num_heads = config.Size("num_attention_heads");
  model.num_kv_heads = config.Size("num_key_value_heads");
  model.head_dim =
      config.Has("head_dim")
          ? config.Size("head_dim")
          : DefaultHeadDim(model.hidden_size, model.num_heads, config.place());
  model.vocab_size = config.Size("vocab_size");
  model.max_context = config.Size("max_position_embeddings");
  model.rope_theta = ReadRopeTheta(config);
  model.norm_eps = config.Float("rms_norm_eps");
  model.tied_head = config.Bool("tie_word_embeddings");
  CheckConfig(model, config.place());
  return model;
}

void CheckQuantizationKeys(const Reader& quantization) {
  quantization.Expect("quant_method", "bitnet");
  if (!quantization.Has("quant_method")) {
    quantization.Refuse("quant_method", "is missing");
  }
  // An RMSNorm of its own before each projection's quantiser (Falcon-E).
  quantization.Expect("use_rms_norm", false);
  quantization.Expect("modules_to_not_convert", json::array({"lm_head"}));
  for (const auto& [key, value] : quantization.object().items()) {
    if (key != "quant_method" && key != "use_rms_norm" &&
        key != "rms_norm_eps" && key != "modules_to_not_convert" &&
        key != "linear_class" && key != "quantization_mode" &&
        !value.is_null()) {
      quantization.Refuse(key, "is not supported, and might change the result");
    }
  }
}

HfWeights ReadWeights(const Reader& config) {
  if (!config.Has("quantization_config")) {
    return HfWeights::kPlain;
  }
  const Reader quantization = config.Object("quantization_config");
  CheckQuantizationKeys(quantization);
  // The defaults are those of transformers' BitNetQuantConfig.
  const std::string linear_class = quantization.Has("linear_class")
                                       ? quantization.String("linear_class")
                                       : "bitlinear";
  const std::string mode = quantization.Has("quantization_mode")
                               ? quantization.String("quantization_mode")
                               : "offline";
  if (linear_class != "bitlinear" && linear_class != "autobitlinear") {
    quantization.Refuse("linear_class", Quote(linear_class) + " is unknown");
  }
  if (mode != "offline" && mode != "online") {
    quantization.Refuse("quantization_mode", Quote(mode) + " is unknown");
  }
  if (linear_class == "bitlinear") {
    quantization.Expect("quantization_mode", "offline");
    return HfWeights::kPackedDivide;
  }
  return mode == "offline" ? HfWeights::kPackedMultiply : HfWeights::kMaster;
}

}  // namespace

HfConfig ReadHfConfig(const std::filesystem::path& path) {
  const json object = files::ReadJsonObject(path, kMaxConfigBytes);
  const Reader config(object, path.string());
  CheckArchitecture(config);
  const HfWeights weights = ReadWeights(config);
  const ModelConfig model = ReadModel(config);
  // After ReadModel, which has bounded the number of layers.
  CheckKeys(config);
  return {.model = model, .weights = weights};
}

}  // namespace tern::checkpoint
