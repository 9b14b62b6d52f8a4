#include "runtime/pack_plan.h"

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>

#include <tern/error.h>

#include "packing/q8_0.h"
#include "packing/t2.h"
#include "runtime/checkpoint/gguf_config.h"
#include "runtime/checkpoint/tensor_table.h"
#include "runtime/files/gguf.h"
#include "runtime/files/gguf_types.h"
#include "runtime/memory.h"
#include "runtime/rope.h"
#include "runtime/tokenizer/utf8.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using checkpoint::LayerSource;
using checkpoint::LinearKind;
using checkpoint::LinearSource;
using files::GgufMetadata;
using files::StoredTensor;
using files::StoredType;
using How = PlannedTensor::How;

StoredType TernaryType(PackedType type) {
  switch (type) {
    case PackedType::kT2:
      return StoredType::kT2;
    case PackedType::kI2S:
      return StoredType::kI2S;
    case PackedType::kTQ1_0:
      return StoredType::kTq1_0;
    case PackedType::kTQ2_0:
      return StoredType::kTq2_0;
    case PackedType::kQ2_0:
    case PackedType::kHuggingFace:  // pack_hf.h
    case PackedType::kKeep:         // has no ternary layers
      break;
  }
  return StoredType::kQ2_0;
}

// Weights of a row that a type needs a multiple of, to be written.
std::size_t ColsMultiple(PackedType type) {
  constexpr std::size_t kI2SBlock = 128;
  return type == PackedType::kI2S
             ? kI2SBlock
             : files::FindGgufType(TernaryType(type)).value().layout.block;
}

void CheckCols(const LinearSource& linear, PackedType type) {
  if (linear.cols % ColsMultiple(type) == 0) return;
  std::string others;
  for (const auto& [other, name] :
       {std::pair{PackedType::kI2S, "I2_S"},
        std::pair{PackedType::kQ2_0, "Q2_0, if f16 holds its scales,"}}) {
    if (linear.cols % ColsMultiple(other) == 0) {
      others += (others.empty() ? "" : " or ") + std::string(name);
    }
  }
  RefuseTensor(
      linear.weight,
      std::to_string(linear.cols) + " columns, but " +
          files::FindGgufType(TernaryType(type)).value().layout.name +
          " needs a multiple of " + std::to_string(ColsMultiple(type)),
      "write T2" + (others.empty() ? "" : " or " + others) + " instead");
}

// True if the layer has one multiplier for all of it, as far as its headers
// tell.
bool HasOneScale(const LinearSource& linear) {
  return linear.kind == LinearKind::kMaster ||
         linear.weight.type == StoredType::kI2S ||
         linear.weight.type == StoredType::kU8;
}

// `name` is that of the weights, NAME.weight.
files::GgufTensor PlanMultipliers(std::string name,
                                  const LinearSource& linear) {
  name.replace(name.rfind('.'), std::string::npos, ".scales");
  if (HasOneScale(linear)) return {std::move(name), StoredType::kF32, {1}};
  RequireMemory(checkpoint::ReadLinearBytes(linear), linear.weight.Place(),
                "free some memory");
  std::vector<std::uint64_t> shape =
      packing::T2ScaleShape(checkpoint::ReadLinear(linear));
  if (shape.empty()) {
    RefuseTensor(linear.weight,
                 "its scales are for blocks of columns that T2 has not",
                 "keep the model in its present form");
  }
  return {std::move(name), StoredType::kF32, std::move(shape)};
}

// Codes of a layer, an embedding or a head.
void PlanCodes(const LinearSource& linear, PackedType type,
               PlannedTensor& planned) {
  planned.how = How::kTernary;
  planned.linear = &linear;
  planned.target.type = TernaryType(type);
  if (type == PackedType::kT2) {
    planned.multipliers = PlanMultipliers(planned.target.name, linear);
    planned.interleaved_heads = 0;  // T2 has the order of the forward pass
  } else {
    CheckCols(linear, type);
  }
}

PlannedTensor PlanNorm(std::string name, const StoredTensor& source) {
  return {.target = {std::move(name), StoredType::kF32, source.shape},
          .source = &source};
}

// An embedding or a head.
PlannedTensor PlanHead(std::string name, const LinearSource& linear,
                       const PackOptions& options) {
  const PackedHead head = options.head;
  const StoredTensor& source = linear.weight;
  PlannedTensor planned = {
      .target = {std::move(name), source.type, source.shape},
      .how = How::kCopy,
      .source = &source};
  if (head == PackedHead::kKeep) {
    if (source.type == StoredType::kI2S && linear.i2s_layout != I2SLayout::kA) {
      planned.how = How::kTernary;  // written in layout a, as all of the file
      planned.linear = &linear;
    }
    // T2 is for files of its own.
    if (checkpoint::IsTernary(source.type) &&
        (options.type == PackedType::kT2 || source.type == StoredType::kT2)) {
      PlanCodes(linear, options.type, planned);
    }
    return planned;
  }
  if (checkpoint::IsTernary(source.type)) {
    RefuseTensor(source, "is ternary, and would only grow", "keep it");
  }
  planned.how = How::kFloats;
  planned.target.type =
      head == PackedHead::kF16 ? StoredType::kF16 : StoredType::kQ8_0;
  if (head == PackedHead::kQ8_0 &&
      source.shape.back() % packing::kQ8Block != 0) {
    RefuseTensor(source,
                 std::to_string(source.shape.back()) +
                     " columns, but Q8_0 needs a multiple of 32",
                 "write the embedding as F16, or keep it");
  }
  if (planned.target.type == source.type) planned.how = How::kCopy;
  return planned;
}

PlannedTensor PlanLinear(std::string name, const LinearSource& linear,
                         PackedType type, std::size_t interleaved_heads) {
  PlannedTensor planned = {.target = {std::move(name),
                                      linear.weight.type,
                                      {linear.rows, linear.cols}},
                           .how = How::kCopy,
                           .source = &linear.weight,
                           .linear = &linear,
                           .interleaved_heads = interleaved_heads};
  if (linear.kind != LinearKind::kDense) PlanCodes(linear, type, planned);
  return planned;
}

void PlanLayer(const Checkpoint& source, std::size_t index, PackedType type,
               std::vector<PlannedTensor>& plan) {
  const LayerSource& layer = source.layers[index];
  const std::string prefix = "blk." + std::to_string(index) + ".";
  const auto norm = [&](const char* name,
                        const std::optional<StoredTensor>& tensor) {
    if (tensor) plan.push_back(PlanNorm(prefix + name + ".weight", *tensor));
  };
  const auto linear = [&](const char* name, const LinearSource& tensor,
                          std::size_t interleaved_heads = 0) {
    plan.push_back(
        PlanLinear(prefix + name + ".weight", tensor, type, interleaved_heads));
    if (tensor.input_norm) {
      plan.push_back(
          PlanNorm(prefix + name + "_norm_in.weight", *tensor.input_norm));
    }
  };
  const ModelConfig& config = source.config;
  const bool interleaves = config.architecture == "llama";
  plan.push_back(PlanNorm(prefix + "attn_norm.weight", layer.attn_norm));
  norm("attn_sub_norm", layer.attn_sub_norm);
  plan.push_back(PlanNorm(prefix + "ffn_norm.weight", layer.ffn_norm));
  norm("ffn_sub_norm", layer.ffn_sub_norm);
  norm("attn_q_norm", layer.q_norm);
  norm("attn_k_norm", layer.k_norm);
  linear("attn_q", layer.q, interleaves ? config.num_heads : 0);
  linear("attn_k", layer.k, interleaves ? config.num_kv_heads : 0);
  linear("attn_v", layer.v);
  linear("attn_output", layer.o);
  linear("ffn_gate", layer.gate);
  linear("ffn_up", layer.up);
  linear("ffn_down", layer.down);
}

// Divisors of the rotary frequencies, for other programs; rounded, so tern
// reads the key beside them.
PlannedTensor PlanRopeFactors(const ModelConfig& config) {
  const std::vector<float> base =
      RopeFrequencies(config.rope_theta, config.head_dim);
  PlannedTensor planned = {
      .target = {"rope_freqs.weight", StoredType::kF32, {base.size()}},
      .how = How::kValues};
  for (std::size_t i = 0; i < base.size(); ++i) {
    planned.values.push_back(base[i] / config.rope_frequencies[i]);
  }
  return planned;
}

// general.file_type: the type of most weights.
// Nothing if ggml has no number for it.
std::optional<std::uint64_t> FileType(const Checkpoint& source,
                                      PackedType type) {
  const LinearSource& first = source.layers.front().q;
  if (first.kind != LinearKind::kDense) {
    switch (type) {
      case PackedType::kI2S:
        return 40;
      case PackedType::kTQ1_0:
        return 36;
      case PackedType::kTQ2_0:
        return 37;
      case PackedType::kT2:
      case PackedType::kQ2_0:
      case PackedType::kHuggingFace:
      case PackedType::kKeep:
        return std::nullopt;
    }
  }
  switch (first.weight.type) {
    case StoredType::kF16:
      return 1;
    case StoredType::kBf16:
      return 32;
    default:
      return 0;  // F32
  }
}

// YaRN, if GGUF's own keys for it say exactly what the model does: they have
// the factor and the original context, and nothing for the rest that
// config.json can say.
struct Yarn {
  double factor = 1;
  std::uint64_t original_context = 0;
};

// The member's value, `otherwise` if there is none; nothing if it is no number.
std::optional<double> FindNumber(const nlohmann::json& object, const char* key,
                                 double otherwise) {
  const auto member = object.find(key);
  if (member == object.end()) return otherwise;
  if (!member->is_number()) return std::nullopt;
  return member->get<double>();
}

std::optional<Yarn> FindYarn(const Checkpoint& source,
                             const PackExtras& extras) {
  const ModelConfig& config = source.config;
  const nlohmann::json& scaling = extras.rope_scaling;
  const auto type =
      scaling.is_object() ? scaling.find("rope_type") : scaling.end();
  if (config.rope_frequencies.empty() || type == scaling.end() ||
      *type != "yarn") {
    return std::nullopt;
  }
  const auto factor = FindNumber(scaling, "factor", 1);
  const auto context = FindNumber(scaling, "original_max_position_embeddings",
                                  static_cast<double>(config.max_context));
  // A whole number of 32 bits, as other programs read the key.
  if (!factor || !(std::fabs(*factor) <= std::numeric_limits<float>::max()) ||
      !context || !(*context >= 1) || *context >= 0x1p32 ||
      *context != std::floor(*context)) {
    return std::nullopt;
  }
  const Yarn yarn = {.factor = *factor,
                     .original_context = static_cast<std::uint64_t>(*context)};
  std::vector<float> frequencies =
      RopeFrequencies(config.rope_theta, config.head_dim);
  const float magnitude = ScaleRopeYarn(
      {.factor = static_cast<float>(yarn.factor),
       .original_context = static_cast<float>(yarn.original_context),
       .magnitude = {}},
      config.rope_theta, frequencies);
  const bool same = yarn.factor != 1 && magnitude == config.rope_magnitude &&
                    frequencies == config.rope_frequencies;
  return same ? std::optional(yarn) : std::nullopt;
}

// What GGUF has no keys for.
void AddTernKeys(const Checkpoint& source, bool yarn, GgufMetadata& metadata) {
  const ModelConfig& config = source.config;
  // Of bitnet models everybody knows it.
  const bool is_told =
      config.sub_norms && config.input_type == InputType::kInt8;
  if (!is_told && source.layers.front().q.kind != LinearKind::kDense) {
    metadata.emplace_back(
        checkpoint::kInputTypeKey,
        std::string(config.input_type == InputType::kInt8 ? "int8" : "none"));
  }
  if (config.projection_norms) {
    metadata.emplace_back(checkpoint::kProjectionEpsKey,
                          static_cast<double>(config.projection_norm_eps));
  }
  if (!config.rope_frequencies.empty() && !yarn) {
    if (config.rope_magnitude != 1) {
      metadata.emplace_back(checkpoint::kRopeMagnitudeKey,
                            static_cast<double>(config.rope_magnitude));
    }
    metadata.emplace_back(checkpoint::kRopeFrequenciesKey,
                          std::vector<double>(config.rope_frequencies.begin(),
                                              config.rope_frequencies.end()));
  }
}

}  // namespace

void RefuseTensor(const StoredTensor& tensor, const std::string& what,
                  const std::string& advice) {
  throw Error(ErrorCode::kUnsupported,
              tensor.Place() + ": " + what + "; " + advice);
}

// The model's own name.  Hugging Face's models have none but that of their
// directory; what a GGUF file does not say is not said for it.
std::string ModelName(const Checkpoint& source) {
  std::error_code ignored;
  const bool is_directory = fs::is_directory(source.path, ignored);
  if (!source.config.name.empty() ||
      (!is_directory && files::IsGguf(source.path))) {
    return source.config.name;
  }
  const fs::path path = fs::weakly_canonical(source.path, ignored);
  std::string name =
      (is_directory ? path : path.parent_path()).filename().string();
  return tokenizer::ValidUtf8Prefix(name) == name.size()
             ? name
             : "";  // as GGUF and JSON want it
}

std::vector<PlannedTensor> PlanTensors(const Checkpoint& source,
                                       const PackExtras& extras,
                                       const PackOptions& options) {
  std::vector<PlannedTensor> plan;
  plan.push_back(PlanHead("token_embd.weight", source.embedding, options));
  if (source.head) {
    plan.push_back(PlanHead("output.weight", *source.head, options));
  }
  plan.push_back(PlanNorm("output_norm.weight", source.output_norm));
  if (!source.config.rope_frequencies.empty() && !FindYarn(source, extras)) {
    plan.push_back(PlanRopeFactors(source.config));
  }
  for (std::size_t i = 0; i < source.layers.size(); ++i) {
    PlanLayer(source, i, options.type, plan);
  }
  return plan;
}

GgufMetadata PlanMetadata(const Checkpoint& source, PackExtras extras,
                          const PackOptions& options) {
  const ModelConfig& config = source.config;
  const std::string& arch = config.architecture;
  GgufMetadata metadata = {{"general.architecture", arch}};
  const std::string name = ModelName(source);
  if (!name.empty()) metadata.emplace_back("general.name", name);
  const auto size = [&](const char* key, std::uint64_t value) {
    metadata.emplace_back(arch + "." + key, value);
  };
  size("vocab_size", config.vocab_size);
  size("context_length", config.max_context);
  size("embedding_length", config.hidden_size);
  size("block_count", config.num_layers);
  size("feed_forward_length", config.ffn_size);
  size("rope.dimension_count", config.head_dim);
  size("attention.head_count", config.num_heads);
  size("attention.head_count_kv", config.num_kv_heads);
  if (config.head_dim * config.num_heads != config.hidden_size) {
    size("attention.key_length", config.head_dim);
    size("attention.value_length", config.head_dim);
  }
  metadata.emplace_back(arch + ".attention.layer_norm_rms_epsilon",
                        static_cast<double>(config.norm_eps));
  metadata.emplace_back(arch + ".rope.freq_base",
                        static_cast<double>(config.rope_theta));
  const auto yarn = FindYarn(source, extras);
  if (yarn) {
    metadata.emplace_back(arch + ".rope.scaling.type", std::string("yarn"));
    metadata.emplace_back(arch + ".rope.scaling.factor", yarn->factor);
    size("rope.scaling.original_context_length", yarn->original_context);
  }
  AddTernKeys(source, yarn.has_value(), metadata);
  if (const auto type = FileType(source, options.type)) {
    metadata.emplace_back("general.file_type", *type);
  }
  metadata.emplace_back("general.quantization_version", std::uint64_t{2});
  for (auto& entry : extras.gguf) {
    // Those of the tokenizer come with the tokenizer.
    if (entry.first.starts_with("tokenizer.")) continue;
    metadata.push_back(std::move(entry));
  }
  const std::string others = ExtrasForGguf(extras);
  if (!others.empty()) {
    metadata.emplace_back(checkpoint::kHuggingFaceKey, others);
  }
  return metadata;
}

}  // namespace tern
