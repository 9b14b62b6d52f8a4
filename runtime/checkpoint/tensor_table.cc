#include "runtime/checkpoint/tensor_table.h"

#include <algorithm>
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
    return "a bias, which no architecture that tern runs has";
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

LinearSource TensorTable::TakeEmbedding(const std::string& name,
                                        std::size_t rows, std::size_t cols) {
  LinearSource source;
  source.rows = rows;
  source.cols = cols;
  source.weight = Take(name, {rows, cols});
  const StoredType type = source.weight.type;
  if (IsTernary(type)) {
    source.kind = LinearKind::kTernary;
  } else if (!IsPlainFloat(type) && type != StoredType::kQ8_0 &&
             type != StoredType::kQ6K && type != StoredType::kQ4_0) {
    RefuseType(source.weight,
               "F32, F16, BF16, Q8_0, Q6_K, Q4_0 or a ternary type");
  }
  return source;
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

bool IsTernary(StoredType type) {
  switch (type) {
    case StoredType::kI2S:
    case StoredType::kTq1_0:
    case StoredType::kTq2_0:
    case StoredType::kQ2_0:
    case StoredType::kPq2_0:
    case StoredType::kPtq1_0:
    case StoredType::kIq1Bn:
    case StoredType::kIq2Bn:
      return true;
    default:
      return false;
  }
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
                  "; get the model as I2_S, TQ2_0 or safetensors" +
                  (tensor.type_name.starts_with("TL")
                       ? " (TL1 and TL2 depend on a kernel configuration that "
                         "the file does not hold)"
                       : ""));
}

namespace {

// Binds the tensors of one layer.
class LayerBinder {
 public:
  LayerBinder(TensorTable& table, const TensorNames& names,
              const TakeLinear& take_linear, const ModelConfig& config,
              std::size_t layer)
      : table_(table),
        names_(names),
        take_linear_(take_linear),
        config_(config),
        prefix_(std::string(names.layers) + "." + std::to_string(layer) + ".") {
  }

  LayerSource Bind() {
    const std::size_t hidden = config_.hidden_size;
    const std::size_t q_width = config_.num_heads * config_.head_dim;
    const std::size_t kv_width = config_.num_kv_heads * config_.head_dim;
    LayerSource layer;
    layer.attn_norm = Norm(names_.attn_norm, hidden);
    layer.q = Linear(names_.q, q_width, hidden);
    layer.k = Linear(names_.k, kv_width, hidden);
    layer.v = Linear(names_.v, kv_width, hidden);
    if (config_.head_norms) {
      layer.q_norm = Norm(names_.q_norm, config_.head_dim);
      layer.k_norm = Norm(names_.k_norm, config_.head_dim);
    }
    layer.o = Linear(names_.o, hidden, q_width);
    layer.ffn_norm = Norm(names_.ffn_norm, hidden);
    layer.gate = Linear(names_.gate, config_.ffn_size, hidden);
    layer.up = Linear(names_.up, config_.ffn_size, hidden);
    layer.down = Linear(names_.down, hidden, config_.ffn_size);
    if (config_.sub_norms) {
      layer.attn_sub_norm = Norm(names_.attn_sub_norm, q_width);
      layer.ffn_sub_norm = Norm(names_.ffn_sub_norm, config_.ffn_size);
    }
    return layer;
  }

 private:
  StoredTensor Norm(const char* name, std::size_t size) {
    return table_.TakeFloats(prefix_ + name + ".weight", {size});
  }
  LinearSource Linear(const char* name, std::size_t rows, std::size_t cols) {
    LinearSource source = take_linear_(table_, prefix_ + name, rows, cols);
    if (config_.projection_norms) {
      source.input_norm =
          table_.TakeFloats(prefix_ + name + names_.input_norm, {cols});
    }
    return source;
  }

  TensorTable& table_;
  const TensorNames& names_;
  const TakeLinear& take_linear_;
  const ModelConfig& config_;
  std::string prefix_;
};

}  // namespace

void BindTensors(TensorTable& table, const TensorNames& names,
                 const TakeLinear& take_linear, Checkpoint& checkpoint) {
  const ModelConfig& config = checkpoint.config;
  checkpoint.embedding = table.TakeEmbedding(names.embedding, config.vocab_size,
                                             config.hidden_size);
  if (!config.tied_head) {
    checkpoint.head =
        table.TakeEmbedding(names.head, config.vocab_size, config.hidden_size);
  }
  checkpoint.output_norm =
      table.TakeFloats(names.output_norm, {config.hidden_size});
  // No reserve(num_layers): the number is only believed layer by layer.
  for (std::size_t i = 0; i < config.num_layers; ++i) {
    checkpoint.layers.push_back(
        LayerBinder(table, names, take_linear, config, i).Bind());
  }
  table.RefuseRest();
}

}  // namespace tern::checkpoint
