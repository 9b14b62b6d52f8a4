#include "runtime/checkpoint/hf_rope.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

#include "runtime/rope.h"

namespace tern::checkpoint {
namespace {

using files::Quote;

float Positive(const ConfigReader& rope, const char* key) {
  const float value = rope.Float(key);
  if (!(value > 0)) {
    rope.Refuse(key, std::to_string(value) + " is not a positive number");
  }
  return value;
}

float PositiveOr(const ConfigReader& rope, const char* key, float otherwise) {
  return rope.Has(key) ? Positive(rope, key) : otherwise;
}

// Beside these the type, the base, and that all of a head is rotated.
void AllowOnly(const ConfigReader& rope,
               std::initializer_list<std::string_view> keys) {
  rope.Expect("partial_rotary_factor", 1);
  for (const auto& [key, value] : rope.object().items()) {
    const bool named = key == "rope_type" || key == "type" ||
                       key == "rope_theta" || key == "partial_rotary_factor" ||
                       std::find(keys.begin(), keys.end(), key) != keys.end();
    if (!named && !value.is_null()) {
      rope.Refuse(key, "is not supported, and might change the result");
    }
  }
}

std::string RopeType(const ConfigReader& rope) {
  const bool is_new = rope.Has("rope_type");
  std::string type = is_new || rope.Has("type")
                         ? rope.String(is_new ? "rope_type" : "type")
                         : "default";
  if (is_new && rope.Has("type") && rope.String("type") != type) {
    rope.Refuse("type", "is not rope_type");
  }
  return type;
}

void ReadLlama3(const ConfigReader& rope, ModelConfig& model) {
  AllowOnly(rope, {"factor", "low_freq_factor", "high_freq_factor",
                   "original_max_position_embeddings"});
  Llama3Rope scaling;
  scaling.factor = Positive(rope, "factor");
  scaling.low_freq_factor = Positive(rope, "low_freq_factor");
  scaling.high_freq_factor = Positive(rope, "high_freq_factor");
  scaling.original_context = Positive(rope, "original_max_position_embeddings");
  if (scaling.high_freq_factor <= scaling.low_freq_factor) {
    rope.Refuse("high_freq_factor", "is not above low_freq_factor");
  }
  ScaleRopeLlama3(scaling, model.rope_frequencies);
}

void ReadYarn(const ConfigReader& rope, ModelConfig& model) {
  AllowOnly(rope, {"factor", "original_max_position_embeddings", "beta_fast",
                   "beta_slow", "attention_factor", "truncate"});
  rope.Expect("truncate", true);
  YarnRope scaling;
  scaling.factor = Positive(rope, "factor");
  scaling.original_context =
      PositiveOr(rope, "original_max_position_embeddings",
                 static_cast<float>(model.max_context));
  scaling.beta_fast = PositiveOr(rope, "beta_fast", scaling.beta_fast);
  scaling.beta_slow = PositiveOr(rope, "beta_slow", scaling.beta_slow);
  if (rope.Has("attention_factor")) {
    scaling.magnitude = Positive(rope, "attention_factor");
  }
  model.rope_magnitude =
      ScaleRopeYarn(scaling, model.rope_theta, model.rope_frequencies);
}

void ReadScaling(const ConfigReader& rope, ModelConfig& model) {
  const std::string type = RopeType(rope);
  if (type == "default") {
    AllowOnly(rope, {});
    return;
  }
  model.rope_frequencies = RopeFrequencies(model.rope_theta, model.head_dim);
  if (type == "linear") {
    AllowOnly(rope, {"factor"});
    ScaleRopeLinear(Positive(rope, "factor"), model.rope_frequencies);
  } else if (type == "llama3") {
    ReadLlama3(rope, model);
  } else if (type == "yarn") {
    ReadYarn(rope, model);
  } else {
    rope.Refuse("rope_type",
                "scaling of rotary positions " + Quote(type) +
                    " is not supported, only linear, llama3 and yarn");
  }
}

float Theta(const ConfigReader& reader, std::optional<float> default_theta) {
  return default_theta && !reader.Has("rope_theta")
             ? *default_theta
             : Positive(reader, "rope_theta");
}

// rope_theta beside rope_scaling, or in it.
void ReadOlderRope(const ConfigReader& config,
                   std::optional<float> default_theta, ModelConfig& model) {
  if (!config.Has("rope_scaling")) {
    model.rope_theta = Theta(config, default_theta);
    return;
  }
  const ConfigReader scaling = config.Object("rope_scaling");
  const bool is_inside = scaling.Has("rope_theta");
  model.rope_theta =
      is_inside ? Theta(scaling, std::nullopt) : Theta(config, default_theta);
  if (is_inside && config.Has("rope_theta") &&
      config.Float("rope_theta") != model.rope_theta) {
    scaling.Refuse("rope_theta", "is not that outside rope_scaling");
  }
  ReadScaling(scaling, model);
}

}  // namespace

void ReadRope(const ConfigReader& config, std::optional<float> default_theta,
              ModelConfig& model) {
  if (!config.Has("rope_parameters")) {
    ReadOlderRope(config, default_theta, model);
    return;
  }
  const ConfigReader rope = config.Object("rope_parameters");
  model.rope_theta = Theta(rope, default_theta);
  if (config.Has("rope_theta") &&
      config.Float("rope_theta") != model.rope_theta) {
    config.Refuse("rope_theta", "is not that of rope_parameters");
  }
  if (config.Has("rope_scaling") &&
      config.Get("rope_scaling") != config.Get("rope_parameters")) {
    config.Refuse("rope_scaling", "is not rope_parameters");
  }
  ReadScaling(rope, model);
}

}  // namespace tern::checkpoint
