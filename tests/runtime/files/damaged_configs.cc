#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/runtime/files/damaged_directories.h"

namespace tern::test {
namespace {

using nlohmann::json;
using Cases = DirectoryCases;

void AddConfigText(Cases& cases) {
  const std::string weights = Serialize(TinyPacked());
  const auto text = [&](const std::string& mutation, const std::string& bytes,
                        const std::string& expected) {
    cases.AddFiles(mutation, {{"config.json", bytes}, {kName, weights}},
                   "config.json", {expected});
  };
  const std::string good = TinyConfig().dump();
  text("empty config", "", "not valid JSON at byte 1");
  text("config cut in half", good.substr(0, good.size() / 2), "not valid JSON");
  text("config with text behind it", good + "x", "not valid JSON");
  text("config that is an array", "[1]", "a JSON object was expected");
  text("config with a key twice", "{\"vocab_size\":16," + good.substr(1),
       "'vocab_size' appears twice");
  text("config nested 100000 deep", std::string(100000, '['), "nested deeper");
  text("config with a huge number", "{\"rope_theta\":1e400," + good.substr(1),
       "not valid JSON");
  text("config of 2 MB", std::string(2 << 20, ' '), "is it the right file?");
}

void AddConfigValues(Cases& cases) {
  const auto key = [](const std::string& name) { return "key '" + name + "'"; };
  for (const char* name :
       {"model_type", "hidden_act", "hidden_size", "num_hidden_layers",
        "intermediate_size", "num_attention_heads", "num_key_value_heads",
        "vocab_size", "max_position_embeddings", "rope_theta", "rms_norm_eps",
        "tie_word_embeddings"}) {
    cases.AddConfig(std::string("without ") + name,
                    [&](auto& c) { c.erase(name); }, {key(name), "missing"});
    cases.AddConfig(std::string("list as ") + name,
                    [&](auto& c) {
                      c[name] = {1, 2};
                    },
                    {key(name), "is not"});
  }
  for (const char* name :
       {"hidden_size", "num_hidden_layers", "intermediate_size",
        "num_attention_heads", "num_key_value_heads", "vocab_size",
        "max_position_embeddings"}) {
    cases.AddConfig(std::string("negative ") + name,
                    [&](auto& c) { c[name] = -32; }, {key(name), "a size"});
    cases.AddConfig(std::string("fractional ") + name,
                    [&](auto& c) { c[name] = 32.5; }, {key(name), "a size"});
    cases.AddConfig(std::string("zero ") + name, [&](auto& c) { c[name] = 0; },
                    {std::string(name) == "num_attention_heads"
                         ? "not divisible by 0 heads"
                         : "which is not within 1 to"});
    cases.AddConfig(std::string("2^62 as ") + name,
                    [&](auto& c) {
                      c[name] = std::uint64_t{1} << 62;
                      c["head_dim"] = 16;
                    },
                    {"which is not within 1 to"});
  }
  struct Value {
    const char* key;
    json value;
  };
  const std::vector<Value> refused = {
      {"model_type", "gemma3"},
      {"architectures", {"LlamaForCausalLM"}},
      {"architectures", json::array()},
      {"hidden_act", "gelu"},
      {"rope_scaling", 2},
      {"attention_bias", true},
      {"mlp_bias", true},
      {"sliding_window", 4096},
      {"use_sliding_window", true},
      {"layer_types", {"sliding_attention"}},
      {"layer_types", {"full_attention", "full_attention"}},
      {"partial_rotary_factor", 0.5},
      {"final_logit_softcapping", 30},
      {"embedding_multiplier", 12},
      {"num_experts", 8},
      {"is_encoder_decoder", true},
      {"rope_parameters", 1},
      {"nonsense", 1},
  };
  for (const Value& value : refused) {
    cases.AddConfig(std::string(value.key) + " " + value.value.dump(),
                    [&](auto& c) { c[value.key] = value.value; },
                    {key(value.key)});
  }
  cases.AddConfig("rope_parameters of type longrope",
                  [](auto& c) {
                    c["rope_parameters"] = {{"rope_type", "longrope"},
                                            {"rope_theta", 10000}};
                  },
                  {key("rope_type"), "longrope"});
  cases.AddConfig("rope_scaling without a factor",
                  [](auto& c) {
                    c["rope_scaling"] = {{"type", "linear"}};
                  },
                  {key("factor")});
  cases.AddConfig("rope_parameters with a factor",
                  [](auto& c) {
                    c["rope_parameters"] = {{"rope_type", "default"},
                                            {"rope_theta", 10000},
                                            {"factor", 2}};
                  },
                  {key("factor")});
  cases.AddConfig("two rotary bases",
                  [](auto& c) {
                    c["rope_parameters"] = {{"rope_type", "default"},
                                            {"rope_theta", 20000}};
                  },
                  {key("rope_theta")});
  cases.AddConfig("negative epsilon", [](auto& c) { c["rms_norm_eps"] = -1; },
                  {"the epsilon"});
  cases.AddConfig("rotary base beyond float32",
                  [](auto& c) { c["rope_theta"] = 1e300; },
                  {"the rotary base"});
  cases.AddConfig(
      "4096 layers", [](auto& c) { c["num_hidden_layers"] = 4096; },
      {Tensor(kLayer.substr(0, 13) + "1.input_layernorm.weight"), "missing"},
      "");
  cases.AddConfig(
      "vocab_size 2^24", [](auto& c) { c["vocab_size"] = 1 << 24; },
      {Tensor("model.embed_tokens.weight"), "[16777216, 32]"}, kName);
  cases.AddConfig(
      "untied without a head",
      [](auto& c) { c["tie_word_embeddings"] = false; },
      {Tensor("lm_head.weight"), "missing"}, "");
}

void AddQuantization(Cases& cases) {
  struct Value {
    const char* key;
    json value;
  };
  const std::vector<Value> refused = {
      {"quant_method", "gptq"},
      {"quant_method", nullptr},
      {"linear_class", "otherlinear"},
      {"quantization_mode", "sometimes"},
      {"use_rms_norm", 1},
      {"modules_to_not_convert", json::array()},
      {"modules_to_not_convert", {"lm_head", "q_proj"}},
      {"bits", 2},
      {"linear_class", 1},
  };
  for (const Value& value : refused) {
    cases.AddConfig(
        "quantization_config " + std::string(value.key) + " " +
            value.value.dump(),
        [&](auto& c) { c["quantization_config"][value.key] = value.value; },
        {"quantization_config", std::string("key '") + value.key + "'"});
  }
  cases.AddConfig("quantization_config that is a list",
                  [](auto& c) { c["quantization_config"] = json::array(); },
                  {"key 'quantization_config'"});
  cases.AddConfig("bitlinear that is online",
                  [](auto& c) {
                    c["quantization_config"] = {
                        {"quant_method", "bitnet"},
                        {"quantization_mode", "online"}};
                  },
                  {"key 'quantization_mode'"});
  cases.AddConfig(
      "packed weights without quantization_config",
      [](auto& c) { c.erase("quantization_config"); },
      {Tensor(kQ), "does not say that the weights are packed"}, kName);
  cases.AddConfig(
      "packed weights said to be masters",
      [](auto& c) { c["quantization_config"]["quantization_mode"] = "online"; },
      {Tensor(kQ), "type U8 is not read"}, kName);
  cases.AddConfig(
      "float weights said to be packed", [](auto&) {},
      {Tensor(kQ), "type BF16 is not read"}, kName, TinyFloats("BF16"));
  // 1/16 as a divisor makes weights of 16.
  cases.AddConfig(
      "multiplier under the divide rule",
      [](auto& c) { c["quantization_config"].erase("linear_class"); },
      {Tensor(kQScale), "would make every weight"}, kName);
  SafetensorsParts zero = TinyPacked();
  zero.Tensor(kQScale).data = Bytes(std::uint16_t{0});
  cases.AddConfig(
      "divisor of 0",
      [](auto& c) { c["quantization_config"].erase("linear_class"); },
      {Tensor(kQScale), "no finite reciprocal"}, kName, zero);
  SafetensorsParts nan = TinyFloats("F32");
  nan.Tensor(kQ).data.replace(40, 4,
                              Bytes(std::numeric_limits<float>::quiet_NaN()));
  cases.AddConfig(
      "NaN in master weights",
      [](auto& c) { c["quantization_config"]["quantization_mode"] = "online"; },
      {Tensor(kQ), "element 10 is not a finite"}, kName, nan);
  cases.AddConfig(
      "NaN in plain weights", [](auto& c) { c.erase("quantization_config"); },
      {Tensor(kQ), "element 10 is not a finite"}, kName, nan);
}

}  // namespace

std::vector<DamagedModel> DamagedConfigs() {
  Cases cases;
  AddConfigText(cases);
  AddConfigValues(cases);
  AddQuantization(cases);
  return cases.Take();
}

}  // namespace tern::test
