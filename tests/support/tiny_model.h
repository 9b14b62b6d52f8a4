// A bitnet-b1.58 model of a few KB, written as GGUF or as a Hugging Face
// directory: for tests of what reads and writes whole models.
#ifndef TERN_TESTS_SUPPORT_TINY_MODEL_H_
#define TERN_TESTS_SUPPORT_TINY_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "packing/half.h"
#include "packing/i2_s.h"
#include "packing/ternary_matrix.h"
#include "runtime/files/gguf_writer.h"

namespace tern {

struct TinyModel {
  std::size_t hidden = 256;
  std::size_t ffn = 512;
  std::size_t layers = 2;
  std::size_t heads = 4;
  std::size_t kv_heads = 2;
  std::size_t head_dim = 64;
  std::size_t vocab = 12;
  std::size_t context = 64;
  bool tied = true;
  float scale = 0.5F;          // of every ternary matrix
  bool half_tokenizer = true;  // some of its keys, in GGUF files

  [[nodiscard]] packing::TernaryMatrix Matrix(std::size_t rows,
                                              std::size_t cols) const {
    packing::TernaryMatrix matrix;
    matrix.rows = rows;
    matrix.cols = cols;
    matrix.scales = {scale};
    std::mt19937 random(static_cast<unsigned>(rows * 7919 + cols));
    matrix.codes.resize(rows * packing::TernaryMatrix::RowBytes(cols));
    for (std::size_t i = 0; i < 4 * matrix.codes.size(); ++i) {
      // Row 1 is all zero, as rows of trained models are.
      const bool zero = i / cols == 1;
      const unsigned code = zero ? 1 : random() % 3;
      matrix.codes[i / 4] = static_cast<std::uint8_t>(matrix.codes[i / 4] |
                                                      code << (2 * (i % 4)));
    }
    return matrix;
  }

  struct LinearShape {
    const char* gguf;
    const char* hugging_face;
    std::size_t rows;
    std::size_t cols;
  };
  [[nodiscard]] std::vector<LinearShape> Linears() const {
    const std::size_t q = heads * head_dim;
    const std::size_t kv = kv_heads * head_dim;
    return {{"attn_q", "self_attn.q_proj", q, hidden},
            {"attn_k", "self_attn.k_proj", kv, hidden},
            {"attn_v", "self_attn.v_proj", kv, hidden},
            {"attn_output", "self_attn.o_proj", hidden, q},
            {"ffn_gate", "mlp.gate_proj", ffn, hidden},
            {"ffn_up", "mlp.up_proj", ffn, hidden},
            {"ffn_down", "mlp.down_proj", hidden, ffn}};
  }
  struct NormShape {
    const char* gguf;
    const char* hugging_face;
    std::size_t size;
  };
  [[nodiscard]] std::vector<NormShape> Norms() const {
    return {{"attn_norm", "input_layernorm", hidden},
            {"attn_sub_norm", "self_attn.attn_sub_norm", heads * head_dim},
            {"ffn_norm", "post_attention_layernorm", hidden},
            {"ffn_sub_norm", "mlp.ffn_sub_norm", ffn}};
  }
  // Values that bf16 holds exactly, and f16 too.
  static float Value(std::size_t i) {
    return (static_cast<float>(i % 61) - 30) / 64;
  }
};

using Bytes = std::vector<std::uint8_t>;

inline Bytes F32Bytes(std::size_t count) {
  Bytes bytes(4 * count);
  for (std::size_t i = 0; i < count; ++i) {
    const float value = TinyModel::Value(i);
    std::memcpy(bytes.data() + 4 * i, &value, 4);
  }
  return bytes;
}

inline Bytes Bf16Bytes(std::size_t count) {
  Bytes bytes(2 * count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint16_t value = packing::F32ToBf16(TinyModel::Value(i));
    std::memcpy(bytes.data() + 2 * i, &value, 2);
  }
  return bytes;
}

inline files::GgufMetadata TinyMetadata(const TinyModel& model) {
  const auto number = [](std::size_t value) { return std::uint64_t{value}; };
  files::GgufMetadata metadata = {
      {"general.architecture", std::string("bitnet-b1.58")},
      {"general.name", std::string("tiny")},
      {"bitnet-b1.58.vocab_size", number(model.vocab)},
      {"bitnet-b1.58.context_length", number(model.context)},
      {"bitnet-b1.58.embedding_length", number(model.hidden)},
      {"bitnet-b1.58.block_count", number(model.layers)},
      {"bitnet-b1.58.feed_forward_length", number(model.ffn)},
      {"bitnet-b1.58.rope.dimension_count", number(model.head_dim)},
      {"bitnet-b1.58.attention.head_count", number(model.heads)},
      {"bitnet-b1.58.attention.head_count_kv", number(model.kv_heads)},
      {"bitnet-b1.58.attention.key_length", number(model.head_dim)},
      {"bitnet-b1.58.attention.value_length", number(model.head_dim)},
      {"bitnet-b1.58.attention.layer_norm_rms_epsilon",
       static_cast<double>(1e-5F)},
      {"bitnet-b1.58.rope.freq_base", 10000.0},
  };
  if (!model.half_tokenizer) return metadata;
  metadata.emplace_back("tokenizer.ggml.model", std::string("gpt2"));
  metadata.emplace_back("tokenizer.ggml.scores",
                        std::vector<double>{0.0, -1.5});
  metadata.emplace_back("tokenizer.ggml.token_type",
                        std::vector<std::int64_t>{1, 3});
  metadata.emplace_back("tokenizer.ggml.bos_token_id", std::uint64_t{1});
  return metadata;
}

// I2_S, or F16 floats of the same weights if `dense`; bf16 embedding.
inline void WriteTinyGguf(const TinyModel& model,
                          const std::filesystem::path& path,
                          bool dense = false) {
  using files::StoredType;
  std::vector<files::GgufTensor> tensors;
  std::vector<Bytes> data;
  const auto add = [&](const std::string& name, StoredType type,
                       std::vector<std::uint64_t> shape, Bytes bytes) {
    tensors.push_back({name, type, std::move(shape)});
    data.push_back(std::move(bytes));
  };
  for (const char* name : {"token_embd.weight", "output.weight"}) {
    if (model.tied && name[0] == 'o') continue;
    add(name, StoredType::kBf16, {model.vocab, model.hidden},
        Bf16Bytes(model.vocab * model.hidden));
  }
  add("output_norm.weight", StoredType::kF32, {model.hidden},
      F32Bytes(model.hidden));
  for (std::size_t i = 0; i < model.layers; ++i) {
    const std::string prefix = "blk." + std::to_string(i) + ".";
    for (const auto& norm : model.Norms()) {
      add(prefix + norm.gguf + ".weight", StoredType::kF32, {norm.size},
          F32Bytes(norm.size));
    }
    for (const auto& linear : model.Linears()) {
      const packing::TernaryMatrix matrix =
          model.Matrix(linear.rows, linear.cols);
      Bytes bytes;
      if (dense) {
        bytes = Bf16Bytes(linear.rows * linear.cols);
      } else {
        EXPECT_FALSE(packing::PackI2S(matrix, bytes).has_value());
      }
      add(prefix + linear.gguf + ".weight",
          dense ? StoredType::kBf16 : StoredType::kI2S,
          {linear.rows, linear.cols}, std::move(bytes));
    }
  }
  files::GgufWriter writer(path, false, TinyMetadata(model), tensors);
  for (const Bytes& bytes : data) writer.Write(bytes);
  writer.Finish();
}

// A safetensors file of these tensors.
class SafetensorsFile {
 public:
  void Add(const std::string& name, const char* type,
           const std::vector<std::size_t>& shape, const Bytes& bytes) {
    header_[name] = {
        {"dtype", type},
        {"shape", shape},
        {"data_offsets", {data_.size(), data_.size() + bytes.size()}}};
    data_.insert(data_.end(), bytes.begin(), bytes.end());
  }
  void Write(const std::filesystem::path& path) const {
    const std::string header = header_.dump();
    const std::uint64_t size = header.size();
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(&size), 8);
    file << header;
    file.write(reinterpret_cast<const char*>(data_.data()),
               static_cast<std::streamsize>(data_.size()));
  }

 private:
  nlohmann::json header_ = nlohmann::json::object();
  Bytes data_;
};

// bf16 master weights, to be ternarised; config.json without a tokenizer.
inline void WriteTinyHuggingFace(const TinyModel& model,
                                 const std::filesystem::path& directory) {
  SafetensorsFile file;
  const auto add = [&](const std::string& name,
                       const std::vector<std::size_t>& shape) {
    std::size_t count = 1;
    for (const std::size_t size : shape) count *= size;
    file.Add(name, "BF16", shape, Bf16Bytes(count));
  };
  add("model.embed_tokens.weight", {model.vocab, model.hidden});
  add("model.norm.weight", {model.hidden});
  for (std::size_t i = 0; i < model.layers; ++i) {
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    for (const auto& norm : model.Norms()) {
      add(prefix + norm.hugging_face + ".weight", {norm.size});
    }
    for (const auto& linear : model.Linears()) {
      add(prefix + linear.hugging_face + ".weight", {linear.rows, linear.cols});
    }
  }
  std::filesystem::create_directories(directory);
  file.Write(directory / "model.safetensors");
  const nlohmann::json config = {{"architectures", {"BitNetForCausalLM"}},
                                 {"model_type", "bitnet"},
                                 {"hidden_act", "relu2"},
                                 {"hidden_size", model.hidden},
                                 {"intermediate_size", model.ffn},
                                 {"num_hidden_layers", model.layers},
                                 {"num_attention_heads", model.heads},
                                 {"num_key_value_heads", model.kv_heads},
                                 {"max_position_embeddings", 64},
                                 {"rms_norm_eps", 1e-5},
                                 {"rope_theta", 10000.0},
                                 {"tie_word_embeddings", true},
                                 {"vocab_size", model.vocab},
                                 {"quantization_config",
                                  {{"quant_method", "bitnet"},
                                   {"linear_class", "autobitlinear"},
                                   {"quantization_mode", "online"}}}};
  std::ofstream(directory / "config.json") << config.dump();
}

}  // namespace tern

#endif  // TERN_TESTS_SUPPORT_TINY_MODEL_H_
