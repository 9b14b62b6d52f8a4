#include "runtime/checkpoint/tensor_table.h"

#include <utility>

#include <tern/error.h>

#include "runtime/files/quote.h"

namespace tern::checkpoint {
namespace {

using files::StoredTensor;
using files::StoredType;

std::string ToString(const Shape& shape) {
  std::string text = "[";
  for (const std::uint64_t size : shape) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  }
  return text + "]";
}

// Why a tensor that nothing has a place for matters, by its name's end.
std::string Meaning(const std::string& name) {
  if (name.ends_with(".bias")) {
    return "a bias, which bitnet-b1.58 does not have";
  }
  if (name.ends_with(".scale") || name.ends_with("weight_scale")) {
    return "a scale of its own, which this form of the model does not have";
  }
  if (name == "lm_head.weight" || name == "output.weight") {
    return "an output head, though the model is said to use its embedding; "
           "set tie_word_embeddings to false if this head is the right one";
  }
  return "unknown, and might change the result";
}

}  // namespace

StoredTensor TensorTable::Take(const std::string& name) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    throw Error(ErrorCode::kNotFound,
                path_.string() + ": tensor " + files::Quote(name) +
                    " is missing; fetch the whole model, or is it of another "
                    "architecture?");
  }
  StoredTensor tensor = std::move(found->second);
  tensors_.erase(found);
  return tensor;
}

StoredTensor TensorTable::Take(const std::string& name, const Shape& shape) {
  StoredTensor tensor = Take(name);
  CheckShape(tensor, shape);
  return tensor;
}

StoredTensor TensorTable::TakeFloats(const std::string& name,
                                     const Shape& shape) {
  StoredTensor tensor = Take(name, shape);
  if (!IsPlainFloat(tensor.type)) {
    RefuseType(tensor, "F32, F16 or BF16");
  }
  return tensor;
}

StoredTensor TensorTable::TakeEmbedding(const std::string& name,
                                        const Shape& shape) {
  StoredTensor tensor = Take(name, shape);
  if (!IsPlainFloat(tensor.type) && tensor.type != StoredType::kQ8_0) {
    RefuseType(tensor, "F32, F16, BF16 or Q8_0");
  }
  return tensor;
}

void TensorTable::RefuseRest() const {
  if (!tensors_.empty()) {
    const auto& [name, tensor] = *tensors_.begin();
    throw Error(ErrorCode::kUnsupported,
                tensor.Place() + ": is " + Meaning(name) +
                    "; tern runs nothing that it does not understand");
  }
}

bool IsPlainFloat(StoredType type) {
  return type == StoredType::kF32 || type == StoredType::kF16 ||
         type == StoredType::kBf16;
}

void CheckShape(const StoredTensor& tensor, const Shape& shape) {
  if (tensor.shape != shape) {
    throw Error(ErrorCode::kMalformed,
                tensor.Place() + ": its shape is " + ToString(tensor.shape) +
                    ", but the model's configuration asks for " +
                    ToString(shape) + "; do the files belong together?");
  }
}

void RefuseType(const StoredTensor& tensor, const std::string& readable) {
  throw Error(ErrorCode::kUnsupported,
              tensor.Place() + ": type " + tensor.type_name +
                  " is not read here, only " + readable +
                  "; get the model as I2_S, TQ2_0 or safetensors");
}

void BindTensors(TensorTable& table, const TensorNames& names,
                 const TakeLinear& take_linear, Checkpoint& checkpoint) {
  const ModelConfig& config = checkpoint.config;
  const std::size_t hidden = config.hidden_size;
  const std::size_t q_width = config.num_heads * config.head_dim;
  const std::size_t kv_width = config.num_kv_heads * config.head_dim;
  checkpoint.embedding =
      table.TakeEmbedding(names.embedding, {config.vocab_size, hidden});
  if (!config.tied_head) {
    checkpoint.head =
        table.TakeEmbedding(names.head, {config.vocab_size, hidden});
  }
  checkpoint.output_norm = table.TakeFloats(names.output_norm, {hidden});
  // No reserve(num_layers): the number is only believed layer by layer.
  for (std::size_t i = 0; i < config.num_layers; ++i) {
    const std::string layer =
        std::string(names.layers) + "." + std::to_string(i) + ".";
    const auto norm = [&](const char* name, std::size_t size) {
      return table.TakeFloats(layer + name + ".weight", {size});
    };
    const auto linear = [&](const char* name, std::size_t rows,
                            std::size_t cols) {
      return take_linear(table, layer + name, rows, cols);
    };
    checkpoint.layers.push_back({
        .attn_norm = norm(names.attn_norm, hidden),
        .q = linear(names.q, q_width, hidden),
        .k = linear(names.k, kv_width, hidden),
        .v = linear(names.v, kv_width, hidden),
        .attn_sub_norm = norm(names.attn_sub_norm, q_width),
        .o = linear(names.o, hidden, q_width),
        .ffn_norm = norm(names.ffn_norm, hidden),
        .gate = linear(names.gate, config.ffn_size, hidden),
        .up = linear(names.up, config.ffn_size, hidden),
        .ffn_sub_norm = norm(names.ffn_sub_norm, config.ffn_size),
        .down = linear(names.down, hidden, config.ffn_size),
    });
  }
  table.RefuseRest();
}

}  // namespace tern::checkpoint
