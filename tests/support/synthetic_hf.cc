#include <cmath>
#include <fstream>
#include <stdexcept>

#include "tests/support/synthetic_model.h"

namespace tern::testing {
namespace {

using nlohmann::json;
using Linears = HfForm::Linears;

std::uint32_t GgufType(const std::string& float_type) {
  return float_type == "F32"   ? gguf::kF32
         : float_type == "F16" ? gguf::kF16
                               : gguf::kBf16;
}

class HfBuilder {
 public:
  HfBuilder(const SyntheticShape& shape, const HfForm& form)
      : shape_(shape), form_(form) {}

  HfParts Build(const ReferenceModel& model) {
    parts_.config = Config(model);
    AddFloats("model.embed_tokens", {model.vocab(), model.hidden()},
              ValuesOf(model.embedding));
    if (model.head.rows != 0) {
      AddFloats("lm_head", {model.vocab(), model.hidden()},
                ValuesOf(model.head));
    }
    AddNorm("model.norm", model.output_norm);
    for (std::size_t i = 0; i < model.layers.size(); ++i) {
      AddLayer("model.layers." + std::to_string(i) + ".", model.layers[i]);
    }
    return parts_;
  }

 private:
  [[nodiscard]] json Config(const ReferenceModel& model) const {
    json config = {{"hidden_size", shape_.hidden},
                   {"intermediate_size", shape_.ffn},
                   {"num_hidden_layers", shape_.layers},
                   {"num_attention_heads", shape_.heads},
                   {"num_key_value_heads", shape_.kv_heads},
                   {"head_dim", shape_.head_dim},
                   {"max_position_embeddings", 128},
                   {"rms_norm_eps", shape_.norm_eps},
                   {"rope_theta", shape_.theta},
                   {"tie_word_embeddings", shape_.tied},
                   {"vocab_size", model.vocab()},
                   {"hidden_act", model.silu ? "silu" : "relu2"},
                   {"bos_token_id", 1},
                   {"eos_token_id", 2}};
    AddModelType(config);
    AddQuantization(config);
    return config;
  }
  void AddModelType(json& config) const {
    if (form_.linears == Linears::kOneBitLlm) {
      config["model_type"] = "llama";
      config["architectures"] = {"BitnetForCausalLM"};
      config["weight_bits"] = 1;
      config["input_bits"] = 8;
    } else if (shape_.architecture == "llama") {
      config["model_type"] = "llama";
      config["architectures"] = {"LlamaForCausalLM"};
      config["attention_bias"] = false;
      config["mlp_bias"] = false;
    } else if (shape_.architecture == "qwen3") {
      config["model_type"] = "qwen3";
      config["architectures"] = {"Qwen3ForCausalLM"};
      config["attention_bias"] = false;
      config["use_sliding_window"] = false;
    } else {
      config["model_type"] = "bitnet";
      config["architectures"] = {"BitNetForCausalLM"};
    }
  }
  void AddQuantization(json& config) const {
    json quantization = {{"quant_method", "bitnet"},
                         {"modules_to_not_convert", {"lm_head"}}};
    switch (form_.linears) {
      case Linears::kOneBitLlm:
      case Linears::kUnpacked:
        return;
      case Linears::kPackedDivide:
        quantization["linear_class"] = "bitlinear";
        break;
      case Linears::kPackedMultiply:
        quantization["linear_class"] = "autobitlinear";
        quantization["quantization_mode"] = "offline";
        break;
      case Linears::kMaster:
        quantization["linear_class"] = "autobitlinear";
        quantization["quantization_mode"] = "online";
        break;
    }
    if (shape_.projection_norms) {
      quantization["use_rms_norm"] = true;
      quantization["rms_norm_eps"] = 1e-6;
    }
    config["quantization_config"] = quantization;
  }
  void Add(const std::string& name, const char* type,
           std::vector<std::uint64_t> shape, std::string data) {
    parts_.tensors.tensors.push_back(
        {name, type, std::move(shape), std::move(data), {}});
  }
  void AddFloats(const std::string& name, std::vector<std::uint64_t> shape,
                 const std::vector<float>& values) {
    Add(name + ".weight", form_.float_type, std::move(shape),
        EncodeFloats(values, GgufType(form_.float_type)));
  }
  void AddNorm(const std::string& name, const std::vector<float>& weight) {
    if (!weight.empty()) AddFloats(name, {weight.size()}, weight);
  }
  void AddLinear(const std::string& name, const ReferenceMatrix& matrix) {
    AddNorm(name + ".rms_norm", matrix.input_norm);
    const bool divide = form_.linears == Linears::kPackedDivide;
    switch (form_.linears) {
      case Linears::kOneBitLlm:
      case Linears::kMaster:
        AddFloats(name, {matrix.rows, matrix.cols}, matrix.values);
        break;
      case Linears::kUnpacked:
        AddFloats(name, {matrix.rows, matrix.cols}, ValuesOf(matrix));
        break;
      case Linears::kPackedDivide:
      case Linears::kPackedMultiply:
        Add(name + ".weight", "U8", {matrix.rows / 4, matrix.cols},
            EncodeHuggingFace(matrix));
        Add(name + ".weight_scale", "BF16", {1},
            test::Bytes(Bf16Bits(divide ? Divisor(matrix.scales[0])
                                        : matrix.scales[0])));
        break;
    }
  }
  // The bf16 whose reciprocal in float32 is `scale`.
  static float Divisor(float scale) {
    const float near = 1.0F / scale;
    for (const float step : {-1.0F, 0.0F, 1.0F}) {
      const float exponent = std::exp2(std::floor(std::log2(near)) - 7);
      const float candidate =
          (std::nearbyint(near / exponent) + step) * exponent;
      if (1.0F / candidate == scale) return candidate;
    }
    throw std::runtime_error("no bf16 has this reciprocal");
  }
  void AddLayer(const std::string& prefix, const ReferenceLayer& layer) {
    const bool one_bit = form_.linears == Linears::kOneBitLlm;
    const std::string attn = prefix + "self_attn.";
    const std::string mlp = prefix + "mlp.";
    AddNorm(prefix + "input_layernorm", layer.attn_norm);
    AddLinear(attn + "q_proj", layer.q);
    AddLinear(attn + "k_proj", layer.k);
    AddLinear(attn + "v_proj", layer.v);
    AddNorm(attn + "q_norm", layer.q_norm);
    AddNorm(attn + "k_norm", layer.k_norm);
    AddNorm(attn + (one_bit ? "inner_attn_ln" : "attn_sub_norm"),
            layer.attn_sub_norm);
    AddLinear(attn + "o_proj", layer.o);
    AddNorm(prefix + "post_attention_layernorm", layer.ffn_norm);
    AddLinear(mlp + "gate_proj", layer.gate);
    AddLinear(mlp + "up_proj", layer.up);
    AddNorm(mlp + (one_bit ? "ffn_layernorm" : "ffn_sub_norm"),
            layer.ffn_sub_norm);
    AddLinear(mlp + "down_proj", layer.down);
  }

  const SyntheticShape& shape_;
  const HfForm& form_;
  HfParts parts_;
};

void Write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

std::string ShardName(std::size_t shard, std::size_t shards) {
  const auto number = [](std::size_t n) {
    const std::string digits = std::to_string(n);
    return std::string(5 - digits.size(), '0') + digits;
  };
  return "model-" + number(shard + 1) + "-of-" + number(shards) +
         ".safetensors";
}

}  // namespace

HfParts HuggingFaceOf(const SyntheticShape& shape, const ReferenceModel& model,
                      const HfForm& form) {
  return HfBuilder(shape, form).Build(model);
}

void WriteHuggingFace(const HfParts& parts,
                      const std::filesystem::path& directory,
                      std::size_t shards) {
  std::filesystem::create_directories(directory);
  Write(directory / "config.json", parts.config.dump(2));
  if (shards == 1) {
    Write(directory / "model.safetensors", test::Serialize(parts.tensors));
    return;
  }
  json map = json::object();
  std::uint64_t size = 0;
  std::vector<test::SafetensorsParts> files(shards);
  for (std::size_t i = 0; i < parts.tensors.tensors.size(); ++i) {
    const test::SafeTensor& tensor = parts.tensors.tensors[i];
    files[i % shards].tensors.push_back(tensor);
    map[tensor.name] = ShardName(i % shards, shards);
    size += tensor.data.size();
  }
  for (std::size_t i = 0; i < shards; ++i) {
    Write(directory / ShardName(i, shards), test::Serialize(files[i]));
  }
  const json index = {{"metadata", {{"total_size", size}}},
                      {"weight_map", map}};
  Write(directory / "model.safetensors.index.json", index.dump(2));
}

}  // namespace tern::testing
