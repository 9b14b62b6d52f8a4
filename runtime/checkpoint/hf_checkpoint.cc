// Hugging Face models: config.json and safetensors.
#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include <tern/error.h>

#include "runtime/checkpoint/formats.h"
#include "runtime/checkpoint/hf_config.h"
#include "runtime/checkpoint/hf_names.h"
#include "runtime/checkpoint/tensor_table.h"

namespace tern::checkpoint {
namespace {

using files::StoredTensor;
using files::StoredType;

// 1bitLLM's class has names of its own for two of them.
constexpr TensorNames Names1BitLlm() {
  TensorNames names = kHfNames;
  names.attn_sub_norm = "self_attn.inner_attn_ln";
  names.ffn_sub_norm = "mlp.ffn_layernorm";
  return names;
}

// Older versions of transformers stored the rotary frequencies, which all of
// them compute from the configuration and none reads.
void DropRotaryBuffers(files::TensorMap& tensors) {
  std::erase_if(tensors, [](const auto& entry) {
    return entry.first.ends_with(".self_attn.rotary_emb.inv_freq");
  });
}

std::string FormatName(HfWeights weights) {
  switch (weights) {
    case HfWeights::kPlain:
      return "Hugging Face, plain weights";
    case HfWeights::kMaster:
      return "Hugging Face, bitnet master weights";
    case HfWeights::kPackedMultiply:
    case HfWeights::kPackedDivide:
      break;
  }
  return "Hugging Face, packed bitnet";
}

// uint8 [ceil(rows / 4)][cols] and a scale of one element.
LinearSource TakePacked(TensorTable& table, const std::string& name,
                        std::size_t rows, std::size_t cols,
                        bool scale_is_divisor) {
  LinearSource source;
  source.kind = LinearKind::kTernary;
  source.rows = rows;
  source.cols = cols;
  source.weight = table.Take(name + ".weight");
  if (source.weight.type != StoredType::kU8) {
    RefuseType(source.weight,
               "U8, because config.json says that the weights are packed");
  }
  CheckShape(source.weight, {(rows + 3) / 4, cols});
  source.scale = table.Take(name + ".weight_scale");
  if (!source.scale->shape.empty()) {
    CheckShape(*source.scale, {1});
  }
  if (!IsPlainFloat(source.scale->type)) {
    RefuseType(*source.scale, "F32, F16 or BF16");
  }
  source.scale_is_divisor = scale_is_divisor;
  return source;
}

LinearSource TakeFloatLinear(TensorTable& table, const std::string& name,
                             std::size_t rows, std::size_t cols,
                             LinearKind kind) {
  LinearSource source;
  source.kind = kind;
  source.rows = rows;
  source.cols = cols;
  source.weight = table.Take(name + ".weight");
  if (!IsPlainFloat(source.weight.type)) {
    RefuseType(source.weight,
               "F32, F16 or BF16, because config.json does not say that the "
               "weights are packed");
  }
  CheckShape(source.weight, {rows, cols});
  return source;
}

TakeLinear LinearTaker(HfWeights weights) {
  return [weights](TensorTable& table, const std::string& name,
                   std::size_t rows, std::size_t cols) {
    if (weights == HfWeights::kPackedMultiply ||
        weights == HfWeights::kPackedDivide) {
      return TakePacked(table, name, rows, cols,
                        weights == HfWeights::kPackedDivide);
    }
    return TakeFloatLinear(table, name, rows, cols,
                           weights == HfWeights::kMaster ? LinearKind::kMaster
                                                         : LinearKind::kDense);
  };
}

// A model without its config.json cannot be understood; say so in its place.
std::filesystem::path FindConfig(const std::filesystem::path& directory) {
  std::filesystem::path config = directory / "config.json";
  if (!files::IsThere(config)) {
    throw Error(ErrorCode::kNotFound,
                config.string() +
                    ": is missing; a model directory holds config.json and "
                    "model.safetensors (for GGUF give the file itself)");
  }
  return config;
}

// All that is read of the model, here or for its tokenizer.
std::set<std::filesystem::path> ModelFiles(
    const std::filesystem::path& directory, const files::TensorMap& tensors) {
  std::set<std::filesystem::path> paths;
  for (const char* name :
       {"model.safetensors.index.json", "config.json", "tokenizer.json",
        "tokenizer.model", "tokenizer_config.json", "generation_config.json",
        "chat_template.jinja"}) {
    paths.insert(directory / name);
  }
  for (const auto& [name, tensor] : tensors) {
    paths.insert(tensor.file->path());
  }
  return paths;
}

}  // namespace

Checkpoint OpenHuggingFace(const std::filesystem::path& path,
                           const OpenOptions& options,
                           const files::OnFault& on_fault) {
  std::error_code ignored;
  const bool is_directory = std::filesystem::is_directory(path, ignored);
  const std::filesystem::path directory =
      is_directory ? path : path.parent_path();
  const HfConfig config = ReadHfConfig(FindConfig(directory), on_fault);
  Checkpoint checkpoint;
  checkpoint.path = path;
  checkpoint.format = FormatName(config.weights);
  checkpoint.config = config.model;
  if (options.input_type) checkpoint.config.input_type = *options.input_type;
  files::TensorMap tensors =
      is_directory ? files::ReadSafetensorsDirectory(path, on_fault)
                   : files::ReadSafetensors(path, on_fault);
  checkpoint.files = ModelFiles(directory, tensors);
  DropRotaryBuffers(tensors);
  TensorTable table(path, std::move(tensors));
  BindTensors(table, config.is_1bit_llm ? Names1BitLlm() : kHfNames,
              LinearTaker(config.weights), on_fault, checkpoint);
  return checkpoint;
}

}  // namespace tern::checkpoint
