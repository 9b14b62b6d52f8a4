// Any checkpoint -> one GGUF file of architecture bitnet-b1.58.  First a plan,
// from the headers alone: every tensor with its type and shape, so that what
// cannot be written is refused before anything is.  Then tensor by tensor, with
// one matrix in memory at a time.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <tern/error.h>
#include <tern/pack.h>

#include "packing/half.h"
#include "packing/i2_s.h"
#include "packing/q8_0.h"
#include "packing/tq2_0.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/files/gguf.h"
#include "runtime/files/gguf_writer.h"
#include "runtime/files/input_file.h"
#include "runtime/memory.h"
#include "runtime/out_of_memory.h"
#include "runtime/tokenizer/gguf_metadata.h"
#include "runtime/tokenizer/tokenizer_impl.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using checkpoint::LayerSource;
using checkpoint::LinearKind;
using checkpoint::LinearSource;
using files::GgufMetadata;
using files::GgufWriter;
using files::StoredTensor;
using files::StoredType;

// Floats converted, or bytes copied, in one piece: 4 MiB of float32.
constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
constexpr const char* kMemoryAdvice = "free some memory";

// One tensor of the new file and where it comes from: codes if `linear` is
// set, floats otherwise.
struct PlannedTensor {
  files::GgufTensor target;
  const StoredTensor* source = nullptr;
  const LinearSource* linear = nullptr;
};

[[noreturn]] void RefuseTensor(const StoredTensor& tensor,
                               const std::string& what,
                               const std::string& advice) {
  throw Error(ErrorCode::kUnsupported,
              tensor.Place() + ": " + what + "; " + advice);
}

// --- what may be written where ---

// Also with `overwrite`: nobody means to replace the model by its conversion.
void RefuseOwnSource(const Checkpoint& source, const fs::path& destination) {
  for (const fs::path& path : source.files) {
    std::error_code ignored;  // no such destination: not the same
    if (fs::equivalent(path, destination, ignored)) {
      throw Error(ErrorCode::kInvalidArgument,
                  destination.string() +
                      ": is part of the model that would be read; choose "
                      "another name");
    }
  }
}

// --- the plan ---

StoredType TernaryType(PackedType type) {
  return type == PackedType::kI2S ? StoredType::kI2S : StoredType::kTq2_0;
}

void CheckCols(const LinearSource& linear, PackedType type) {
  const std::string cols = std::to_string(linear.cols) + " columns";
  if (linear.cols % 128 != 0) {
    RefuseTensor(linear.weight,
                 cols + ", but I2_S needs a multiple of 128 and TQ2_0 of 256",
                 "keep the model in its present form");
  }
  if (type == PackedType::kTQ2_0 && linear.cols % packing::kTq2Block != 0) {
    RefuseTensor(linear.weight, cols + ", but TQ2_0 needs a multiple of 256",
                 "write I2_S instead");
  }
}

StoredType HeadType(const StoredTensor& tensor, PackedHead head) {
  if (head == PackedHead::kKeep) return tensor.type;
  if (head == PackedHead::kF16) return StoredType::kF16;
  if (tensor.shape.back() % packing::kQ8Block != 0) {
    RefuseTensor(tensor,
                 std::to_string(tensor.shape.back()) +
                     " columns, but Q8_0 needs a multiple of 32",
                 "write the embedding as F16, or keep it");
  }
  return StoredType::kQ8_0;
}

PlannedTensor PlanFloats(std::string name, const StoredTensor& source,
                         StoredType type) {
  return {{std::move(name), type, source.shape}, &source, nullptr};
}

PlannedTensor PlanLinear(std::string name, const LinearSource& linear,
                         PackedType type) {
  if (linear.kind == LinearKind::kDense) {
    return PlanFloats(std::move(name), linear.weight, linear.weight.type);
  }
  CheckCols(linear, type);
  return {{std::move(name), TernaryType(type), {linear.rows, linear.cols}},
          &linear.weight,
          &linear};
}

void PlanLayer(const LayerSource& layer, std::size_t index, PackedType type,
               std::vector<PlannedTensor>& plan) {
  const std::string prefix = "blk." + std::to_string(index) + ".";
  const auto norm = [&](const char* name, const StoredTensor& source) {
    plan.push_back(
        PlanFloats(prefix + name + ".weight", source, StoredType::kF32));
  };
  const auto linear = [&](const char* name, const LinearSource& source) {
    plan.push_back(PlanLinear(prefix + name + ".weight", source, type));
  };
  norm("attn_norm", layer.attn_norm);
  norm("attn_sub_norm", layer.attn_sub_norm);
  norm("ffn_norm", layer.ffn_norm);
  norm("ffn_sub_norm", layer.ffn_sub_norm);
  linear("attn_q", layer.q);
  linear("attn_k", layer.k);
  linear("attn_v", layer.v);
  linear("attn_output", layer.o);
  linear("ffn_gate", layer.gate);
  linear("ffn_up", layer.up);
  linear("ffn_down", layer.down);
}

std::vector<PlannedTensor> MakePlan(const Checkpoint& source,
                                    const PackOptions& options) {
  std::vector<PlannedTensor> plan;
  plan.push_back(PlanFloats("token_embd.weight", source.embedding,
                            HeadType(source.embedding, options.head)));
  if (source.head) {
    plan.push_back(PlanFloats("output.weight", *source.head,
                              HeadType(*source.head, options.head)));
  }
  plan.push_back(
      PlanFloats("output_norm.weight", source.output_norm, StoredType::kF32));
  for (std::size_t i = 0; i < source.layers.size(); ++i) {
    PlanLayer(source.layers[i], i, options.type, plan);
  }
  return plan;
}

// --- the metadata ---

// general.file_type: the type of most weights.
std::uint64_t FileType(const Checkpoint& source, PackedType type) {
  const LinearSource& first = source.layers.front().q;
  if (first.kind != LinearKind::kDense) {
    return type == PackedType::kI2S ? 40 : 37;
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

// The model's own name, or that of its directory or file.
std::string ModelName(const Checkpoint& source) {
  if (!source.config.name.empty()) return source.config.name;
  std::error_code ignored;
  fs::path path = fs::weakly_canonical(source.path, ignored);
  if (path.extension() == ".safetensors") path = path.parent_path();
  return path.extension() == ".gguf" ? path.stem().string()
                                     : path.filename().string();
}

GgufMetadata ModelMetadata(const Checkpoint& source, PackedType type) {
  const ModelConfig& config = source.config;
  const std::string arch = "bitnet-b1.58";
  GgufMetadata metadata = {{"general.architecture", arch},
                           {"general.name", ModelName(source)}};
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
  metadata.emplace_back("general.file_type", FileType(source, type));
  metadata.emplace_back("general.quantization_version", std::uint64_t{2});
  return metadata;
}

GgufMetadata HuggingFaceTokenizer(const fs::path& directory,
                                  std::size_t vocab_size) {
  const auto spec = tokenizer::ReadSpecForGguf(directory);
  if (!spec.has_value()) return {};
  // What contradicts itself must not be written: no one could read it.
  const Tokenizer::Impl check(*spec);
  return tokenizer::TokenizerMetadata(
      *spec, tokenizer::ReadChatTemplates(directory), vocab_size);
}

// A GGUF file's own keys as they are; otherwise those of the tokenizer beside
// the model, if there is one.
GgufMetadata SourceTokenizer(const Checkpoint& source) {
  std::error_code ignored;
  const bool is_directory = fs::is_directory(source.path, ignored);
  if (!is_directory && files::IsGguf(source.path)) {
    GgufMetadata metadata;
    for (auto& [key, value] : files::ReadGguf(source.path).metadata) {
      if (key.starts_with("tokenizer.")) metadata.emplace_back(key, value);
    }
    return metadata;
  }
  return HuggingFaceTokenizer(
      is_directory ? source.path : source.path.parent_path(),
      source.config.vocab_size);
}

// --- the data ---

// Calls use(first row, rows) so that the pieces cover all rows in order.
template <class Use>
void ForEachPiece(const StoredTensor& tensor, const Use& use) {
  const std::uint64_t cols = tensor.shape.back();
  const std::uint64_t rows = tensor.ElementCount() / cols;
  const std::uint64_t at_once = std::max<std::uint64_t>(1, kPiece / cols);
  for (std::uint64_t row = 0; row < rows; row += at_once) {
    use(row, std::min(at_once, rows - row));
  }
}

std::vector<std::uint8_t> ToF32(std::span<const float> values) {
  std::vector<std::uint8_t> bytes(values.size_bytes());
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::vector<std::uint8_t> ToF16(const StoredTensor& source,
                                std::span<const float> values) {
  std::vector<std::uint8_t> bytes(2 * values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t half = packing::F32ToF16(values[i]);
    if (std::isinf(packing::F16ToF32(half))) {
      RefuseTensor(
          source,
          "holds " + std::to_string(values[i]) + ", which is too large for F16",
          "keep the embedding as it is");
    }
    std::memcpy(bytes.data() + 2 * i, &half, sizeof half);
  }
  return bytes;
}

std::vector<std::uint8_t> ToQ8(const StoredTensor& source,
                               std::span<const float> values) {
  std::vector<std::uint8_t> bytes(packing::Q8RowBytes(values.size()));
  if (const auto fault = packing::QuantizeQ8(values, bytes)) {
    RefuseTensor(source, fault->what, "keep the embedding as it is");
  }
  return bytes;
}

void WriteFloats(const PlannedTensor& planned, GgufWriter& writer) {
  const StoredTensor& source = *planned.source;
  const StoredType type = planned.target.type;
  const std::uint64_t cols = source.shape.back();
  const std::uint64_t row_bytes = source.bytes / (source.ElementCount() / cols);
  RequireMemory(2 * sizeof(float) * std::max(cols, kPiece), source.Place(),
                kMemoryAdvice);
  std::vector<float> values;
  ForEachPiece(source, [&](std::uint64_t row, std::uint64_t rows) {
    values.resize(rows * cols);
    // Also of what is only copied: a NaN would spoil every logit.
    files::ReadFloats(source, row, row + rows, values.data());
    if (type == source.type) {
      writer.Write(
          source.file->Read(source.offset + row * row_bytes, rows * row_bytes));
    } else if (type == StoredType::kF16) {
      writer.Write(ToF16(source, values));
    } else if (type == StoredType::kQ8_0) {
      writer.Write(ToQ8(source, values));
    } else {
      writer.Write(ToF32(values));
    }
  });
}

void WriteTernary(const PlannedTensor& planned, GgufWriter& writer) {
  RequireMemory(
      checkpoint::ReadLinearBytes(*planned.linear) + planned.target.Bytes(),
      planned.source->Place(), kMemoryAdvice);
  const packing::TernaryMatrix matrix = checkpoint::ReadLinear(*planned.linear);
  std::vector<std::uint8_t> bytes;
  const bool is_i2s = planned.target.type == StoredType::kI2S;
  const packing::MaybeFault fault = is_i2s ? packing::PackI2S(matrix, bytes)
                                           : packing::PackTq2(matrix, bytes);
  if (fault) {
    RefuseTensor(*planned.source, fault->what,
                 is_i2s ? "write TQ2_0 instead" : "write I2_S instead");
  }
  writer.Write(bytes);
}

void WriteAll(const std::vector<PlannedTensor>& plan,
              const PackOptions& options, GgufWriter& writer) {
  std::uint64_t total = 0;
  for (const PlannedTensor& planned : plan) total += planned.target.Bytes();
  std::uint64_t done = 0;
  for (const PlannedTensor& planned : plan) {
    if (planned.linear != nullptr) {
      WriteTernary(planned, writer);
    } else {
      WriteFloats(planned, writer);
    }
    done += planned.target.Bytes();
    if (options.progress) {
      options.progress(static_cast<double>(done) / static_cast<double>(total));
    }
  }
}

PackReport PackModel(const fs::path& source, const fs::path& destination,
                     const PackOptions& options) {
  const Checkpoint from = checkpoint::Open(source);
  RefuseOwnSource(from, destination);
  const std::vector<PlannedTensor> plan = MakePlan(from, options);
  GgufMetadata metadata = ModelMetadata(from, options.type);
  for (auto& entry : SourceTokenizer(from)) {
    metadata.push_back(std::move(entry));
  }
  std::vector<files::GgufTensor> tensors;
  tensors.reserve(plan.size());
  for (const PlannedTensor& planned : plan) tensors.push_back(planned.target);
  GgufWriter writer(destination, options.overwrite, metadata,
                    std::move(tensors));
  WriteAll(plan, options, writer);
  return {.bytes = writer.Finish(), .tensors = plan.size()};
}

}  // namespace

PackReport Pack(const fs::path& source, const fs::path& destination,
                const PackOptions& options) {
  return NamingOutOfMemory(
      source, [&] { return PackModel(source, destination, options); });
}

}  // namespace tern
