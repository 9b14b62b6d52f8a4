#include "runtime/checkpoint/tensor_table.h"

#include <algorithm>
#include <string_view>
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
  if (name.ends_with(".scale") || name.ends_with(".scales") ||
      name.ends_with("weight_scale")) {
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

void TensorTable::TakeMultipliers(LinearSource& source) {
  if (source.weight.type != StoredType::kT2) return;
  constexpr std::string_view kEnd = ".weight";
  std::string name = source.weight.name;
  if (name.ends_with(kEnd)) name.resize(name.size() - kEnd.size());
  source.multipliers = Take(name + ".scales");
  if (source.multipliers->type != StoredType::kF32) {
    throw Error(ErrorCode::kMalformed,
                source.multipliers->Place() + ": type " +
                    source.multipliers->type_name +
                    " where the scales of T2 codes are F32; fetch the file "
                    "again");
  }
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
    TakeMultipliers(source);
  } else if (!IsPlainFloat(type) && type != StoredType::kQ8_0 &&
             type != StoredType::kQ6K && type != StoredType::kQ4_0) {
    RefuseType(source.weight,
               "F32, F16, BF16, Q8_0, Q6_K, Q4_0 or a ternary type");
  }
  return source;
}

void TensorTable::RefuseRest(const files::OnFault& on_fault) const {
  for (const auto& [name, tensor] : tensors_) {
    on_fault(Error(ErrorCode::kUnsupported,
                   tensor.Place() + ": is " + Meaning(name) +
                       "; tern runs nothing that it does not understand"));
  }
}

bool TensorTable::ContainsAny(const std::string& prefix) const {
  const auto found = tensors_.lower_bound(prefix);
  return found != tensors_.end() && found->first.starts_with(prefix);
}

void TensorTable::Drop(const std::string& prefix) {
  auto found = tensors_.lower_bound(prefix);
  while (found != tensors_.end() && found->first.starts_with(prefix)) {
    found = tensors_.erase(found);
  }
}

bool TensorTable::HasFault(const std::string& prefix) const {
  for (auto found = tensors_.lower_bound(prefix);
       found != tensors_.end() && found->first.starts_with(prefix); ++found) {
    if (found->second.has_fault) return true;
  }
  return false;
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
    case StoredType::kT2:
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

}  // namespace tern::checkpoint
