#include <stdexcept>

#include "tests/support/synthetic_model.h"

namespace tern::testing {
namespace {

using test::GgufParts;

// Rows from the order of rotary halves to that of interleaved pairs: row
// half * d/2 + i of a head becomes row 2i + half.
ReferenceMatrix Interleaved(const ReferenceMatrix& from, std::size_t head_dim) {
  ReferenceMatrix to = from;
  const auto copy_row = [](const auto& source, std::size_t source_row,
                           auto& target, std::size_t target_row,
                           std::size_t width) {
    for (std::size_t i = 0; i < width && !source.empty(); ++i) {
      target[target_row * width + i] = source[source_row * width + i];
    }
  };
  for (std::size_t row = 0; row < from.rows; ++row) {
    const std::size_t half = row % head_dim / (head_dim / 2);
    const std::size_t i = row % (head_dim / 2);
    const std::size_t target = row / head_dim * head_dim + 2 * i + half;
    copy_row(from.trits, row, to.trits, target, from.cols);
    copy_row(from.values, row, to.values, target, from.cols);
    if (from.is_ternary()) {
      copy_row(from.scales, row, to.scales, target, from.cols / from.block);
    }
  }
  return to;
}

class GgufBuilder {
 public:
  GgufBuilder(const SyntheticShape& shape, const GgufForm& form)
      : shape_(shape), form_(form) {}

  GgufParts Build(const ReferenceModel& model) {
    AddKeys(model);
    AddMatrix("token_embd", model.embedding, form_.embedding_type);
    AddNorm("output_norm", model.output_norm);
    if (model.head.rows != 0) {
      AddMatrix("output", model.head, form_.head_type);
    }
    for (std::size_t i = 0; i < model.layers.size(); ++i) {
      AddLayer("blk." + std::to_string(i) + ".", model.layers[i]);
    }
    return parts_;
  }

 private:
  void AddKeys(const ReferenceModel& model) {
    const std::string arch = shape_.architecture + ".";
    const auto u32 = [](std::size_t value) {
      return test::U32(static_cast<std::uint32_t>(value));
    };
    parts_.keys = {
        {"general.architecture", test::Text(shape_.architecture)},
        {"general.name", test::Text("synthetic")},
        {arch + "vocab_size", u32(model.vocab())},
        {arch + "context_length", u32(128)},
        {arch + "embedding_length", u32(shape_.hidden)},
        {arch + "block_count", u32(shape_.layers)},
        {arch + "feed_forward_length", u32(shape_.ffn)},
        {arch + "rope.dimension_count", u32(shape_.head_dim)},
        {arch + "attention.head_count", u32(shape_.heads)},
        {arch + "attention.head_count_kv", u32(shape_.kv_heads)},
        {arch + "attention.key_length", u32(shape_.head_dim)},
        {arch + "attention.value_length", u32(shape_.head_dim)},
        {arch + "attention.layer_norm_rms_epsilon",
         test::F32(static_cast<float>(shape_.norm_eps))},
        {arch + "rope.freq_base", test::F32(static_cast<float>(shape_.theta))},
    };
  }
  void AddNorm(const std::string& name, const std::vector<float>& weight) {
    if (weight.empty()) return;
    parts_.tensors.push_back({name + ".weight",
                              {weight.size()},
                              gguf::kF32,
                              EncodeFloats(weight, gguf::kF32),
                              {}});
  }
  void AddMatrix(const std::string& name, const ReferenceMatrix& matrix,
                 std::uint32_t type) {
    const bool i2s = type == gguf::kI2S;
    parts_.tensors.push_back(
        {name + ".weight",
         {matrix.cols, matrix.rows},
         type,
         i2s ? EncodeI2S(matrix, form_.i2s_layout) : EncodeGguf(matrix, type),
         {}});
  }
  void AddLinear(const std::string& name, const ReferenceMatrix& matrix) {
    if (!matrix.input_norm.empty()) {
      throw std::runtime_error("GGUF has no norms of projections");
    }
    if (!form_.scale_tensors) {
      AddMatrix(name, matrix, form_.linear_type);
      return;
    }
    ReferenceMatrix ones = matrix;
    ones.scales.assign(matrix.scales.size(), 1.0F);
    AddMatrix(name, ones, form_.linear_type);
    parts_.tensors.push_back(
        {name + ".scale", {1}, gguf::kF32, test::Bytes(matrix.scales[0]), {}});
  }
  void AddLayer(const std::string& prefix, const ReferenceLayer& layer) {
    const bool llama = shape_.architecture == "llama";
    const std::size_t d = shape_.head_dim;
    AddNorm(prefix + "attn_norm", layer.attn_norm);
    AddLinear(prefix + "attn_q", llama ? Interleaved(layer.q, d) : layer.q);
    AddLinear(prefix + "attn_k", llama ? Interleaved(layer.k, d) : layer.k);
    AddLinear(prefix + "attn_v", layer.v);
    AddNorm(prefix + "attn_q_norm", layer.q_norm);
    AddNorm(prefix + "attn_k_norm", layer.k_norm);
    AddNorm(prefix + "attn_sub_norm", layer.attn_sub_norm);
    AddLinear(prefix + "attn_output", layer.o);
    AddNorm(prefix + "ffn_norm", layer.ffn_norm);
    AddLinear(prefix + "ffn_gate", layer.gate);
    AddLinear(prefix + "ffn_up", layer.up);
    AddNorm(prefix + "ffn_sub_norm", layer.ffn_sub_norm);
    AddLinear(prefix + "ffn_down", layer.down);
  }

  const SyntheticShape& shape_;
  const GgufForm& form_;
  GgufParts parts_;
};

}  // namespace

GgufParts GgufOf(const SyntheticShape& shape, const ReferenceModel& model,
                 const GgufForm& form) {
  return GgufBuilder(shape, form).Build(model);
}

}  // namespace tern::testing
