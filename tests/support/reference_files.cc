#include "tests/support/reference_files.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace tern::testing {
namespace {

using nlohmann::json;
using Tensors = std::map<std::string, FloatTensor>;

template <typename T>
T At(const std::string& bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

float Bf16ToFloat(std::uint16_t bits) {
  const std::uint32_t wide = std::uint32_t{bits} << 16;
  float value = 0;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

std::vector<float> Decode(const std::string& type, const std::string& bytes) {
  std::vector<float> values;
  const std::size_t size = type == "U8"                      ? 1
                           : type == "BF16" || type == "F16" ? 2
                                                             : 4;
  for (std::size_t i = 0; i < bytes.size(); i += size) {
    if (type == "U8") {
      values.push_back(At<std::uint8_t>(bytes, i));
    } else if (type == "BF16") {
      values.push_back(Bf16ToFloat(At<std::uint16_t>(bytes, i)));
    } else if (type == "F16") {
      values.push_back(HalfToFloat(At<std::uint16_t>(bytes, i)));
    } else if (type == "I32") {
      values.push_back(static_cast<float>(At<std::int32_t>(bytes, i)));
    } else if (type == "F32") {
      values.push_back(At<float>(bytes, i));
    } else {
      throw std::runtime_error("type " + type);
    }
  }
  return values;
}

// Most of what differs between the folders is in the linear layers.
class FolderReader {
 public:
  explicit FolderReader(const std::filesystem::path& directory)
      : tensors_(ReadTensors(directory / "model.safetensors")) {
    std::ifstream file(directory / "config.json");
    config_ = json::parse(file);
    quantization_ = config_.value("quantization_config", json());
  }

  [[nodiscard]] const json& config() const { return config_; }
  [[nodiscard]] const json& quantization() const { return quantization_; }

  [[nodiscard]] const std::vector<float>& Values(
      const std::string& name) const {
    return tensors_.at(name + ".weight").values;
  }
  [[nodiscard]] ReferenceMatrix Dense(const std::string& name) const {
    const FloatTensor& tensor = tensors_.at(name + ".weight");
    ReferenceMatrix matrix;
    matrix.rows = tensor.shape[0];
    matrix.cols = tensor.shape[1];
    matrix.values = tensor.values;
    return matrix;
  }
  [[nodiscard]] ReferenceMatrix Linear(const std::string& name) const {
    ReferenceMatrix matrix = Dense(name);
    if (quantization_.is_null()) return matrix;
    if (tensors_.contains(name + ".weight_scale")) {
      Unpack(tensors_.at(name + ".weight_scale").values[0], matrix);
    } else {
      TernarizeByAbsmean(matrix);
    }
    if (tensors_.contains(name + ".rms_norm.weight")) {
      matrix.input_norm = Values(name + ".rms_norm");
    }
    return matrix;
  }

 private:
  void Unpack(float scale, ReferenceMatrix& matrix) const {
    const bool multiply =
        quantization_.value("linear_class", "") == "autobitlinear";
    const std::vector<float> packed = std::move(matrix.values);
    const std::size_t quarter = matrix.rows;
    matrix.values = {};
    matrix.rows *= 4;
    matrix.trits.resize(matrix.rows * matrix.cols);
    for (std::size_t i = 0; i < matrix.trits.size(); ++i) {
      const std::size_t row = i / matrix.cols;
      const auto byte = static_cast<unsigned>(
          packed[row % quarter * matrix.cols + i % matrix.cols]);
      matrix.trits[i] = static_cast<std::int8_t>(
          static_cast<int>(byte >> (row / quarter * 2) & 3U) - 1);
    }
    matrix.block = matrix.cols;
    matrix.scales.assign(matrix.rows, multiply ? scale : 1.0F / scale);
  }

  Tensors tensors_;
  json config_, quantization_;
};

ReferenceLayer ReadLayer(const FolderReader& folder, const std::string& prefix,
                         bool sub_norms) {
  ReferenceLayer layer;
  layer.attn_norm = folder.Values(prefix + "input_layernorm");
  layer.q = folder.Linear(prefix + "self_attn.q_proj");
  layer.k = folder.Linear(prefix + "self_attn.k_proj");
  layer.v = folder.Linear(prefix + "self_attn.v_proj");
  layer.o = folder.Linear(prefix + "self_attn.o_proj");
  layer.ffn_norm = folder.Values(prefix + "post_attention_layernorm");
  layer.gate = folder.Linear(prefix + "mlp.gate_proj");
  layer.up = folder.Linear(prefix + "mlp.up_proj");
  layer.down = folder.Linear(prefix + "mlp.down_proj");
  if (sub_norms) {
    layer.attn_sub_norm = folder.Values(prefix + "self_attn.attn_sub_norm");
    layer.ffn_sub_norm = folder.Values(prefix + "mlp.ffn_sub_norm");
  }
  return layer;
}

}  // namespace

float HalfToFloat(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 1023;
  const double magnitude =
      exponent == 31  ? std::numeric_limits<double>::infinity()
      : exponent == 0 ? std::ldexp(fraction, -24)
                      : std::ldexp(1024 + fraction, exponent - 25);
  if (exponent == 31 && fraction != 0) {
    return std::numeric_limits<float>::quiet_NaN();
  }
  return static_cast<float>((bits & 0x8000) != 0 ? -magnitude : magnitude);
}

Tensors ReadTensors(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const std::size_t data = 8 + At<std::uint64_t>(bytes, 0);
  const json header = json::parse(bytes.substr(8, data - 8));
  Tensors tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const auto range = entry["data_offsets"].get<std::vector<std::size_t>>();
    tensors[name] = {
        entry["shape"].get<std::vector<std::size_t>>(),
        Decode(entry["dtype"].get<std::string>(),
               bytes.substr(data + range[0], range[1] - range[0]))};
  }
  return tensors;
}

ReferenceModel ReadReferenceModel(const std::filesystem::path& directory) {
  const FolderReader folder(directory);
  const json& config = folder.config();
  ReferenceModel model;
  model.heads = config["num_attention_heads"];
  model.kv_heads = config["num_key_value_heads"];
  const std::size_t hidden = config["hidden_size"];
  model.head_dim = config.value("head_dim", hidden / model.heads);
  model.silu = config["hidden_act"] == "silu";
  model.int8_input = !folder.quantization().is_null();
  model.norm_eps = config["rms_norm_eps"];
  if (model.int8_input) {
    model.projection_norm_eps =
        folder.quantization().value("rms_norm_eps", 1e-6);
  }
  model.frequencies = RotaryFrequencies(config["rope_theta"], model.head_dim);
  model.embedding = folder.Dense("model.embed_tokens");
  if (!config["tie_word_embeddings"]) model.head = folder.Dense("lm_head");
  model.output_norm = folder.Values("model.norm");
  for (std::size_t i = 0; i < config["num_hidden_layers"]; ++i) {
    model.layers.push_back(ReadLayer(folder,
                                     "model.layers." + std::to_string(i) + ".",
                                     config["model_type"] == "bitnet"));
  }
  return model;
}

}  // namespace tern::testing
