#include "runtime/pack_hf.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <tern/error.h>

#include "packing/half.h"
#include "packing/hf_packed.h"
#include "packing/unpacked.h"
#include "runtime/checkpoint/hf_config.h"
#include "runtime/checkpoint/hf_config_writer.h"
#include "runtime/checkpoint/hf_names.h"
#include "runtime/files/input_file.h"
#include "runtime/files/json.h"
#include "runtime/files/on_fault.h"
#include "runtime/files/output_directory.h"
#include "runtime/files/output_file.h"
#include "runtime/files/safetensors_writer.h"
#include "runtime/memory.h"
#include "runtime/pack_extras.h"
#include "runtime/pack_hf_tokenizer.h"
#include "runtime/pack_plan.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using checkpoint::HfWeights;
using checkpoint::LayerSource;
using checkpoint::LinearKind;
using checkpoint::LinearSource;
using files::StoredTensor;
using files::StoredType;
using nlohmann::json;

constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;  // floats at once
constexpr const char* kMemoryAdvice = "free some memory";
constexpr const char* kKeepGguf = "keep the model as GGUF";

bool IsTernaryModel(const Checkpoint& source) {
  return source.layers.front().q.kind != LinearKind::kDense;
}

// The float types of a model in transformers.
struct DType {
  const char* name;
  StoredType type;
};
constexpr std::array kDTypes = {DType{"bfloat16", StoredType::kBf16},
                                DType{"float16", StoredType::kF16},
                                DType{"float32", StoredType::kF32}};

float Rounded(float value, StoredType type) {
  switch (type) {
    case StoredType::kBf16:
      return packing::Bf16ToF32(packing::F32ToBf16(value));
    case StoredType::kF16:
      return packing::F16ToF32(packing::F32ToF16(value));
    default:
      return value;
  }
}

// Which of them hold all values seen exactly.
class ExactTypes {
 public:
  void Add(std::span<const float> values) {
    for (std::size_t i = 0; i < kDTypes.size(); ++i) {
      holds_[i] = holds_[i] &&
                  std::all_of(values.begin(), values.end(), [&](float value) {
                    return Rounded(value, kDTypes[i].type) == value;
                  });
    }
  }
  // The smallest, in the order above.
  [[nodiscard]] DType First() const { return kDTypes[FirstIndex()]; }
  // The one of this name, else bfloat16, else float32: float16 only if asked
  // for, because activations of squared ReLU models overflow it.
  [[nodiscard]] DType Choose(const std::string& preferred) const {
    for (std::size_t i = 0; i < kDTypes.size(); ++i) {
      if (holds_[i] && preferred == kDTypes[i].name) return kDTypes[i];
    }
    return holds_[0] ? kDTypes[0] : kDTypes[2];
  }

 private:
  [[nodiscard]] std::size_t FirstIndex() const {
    return static_cast<std::size_t>(
        std::find(holds_.begin(), holds_.end(), true) - holds_.begin());
  }
  std::array<bool, kDTypes.size()> holds_ = {true, true, true};
};

std::vector<std::uint8_t> Encode(std::span<const float> values,
                                 StoredType type) {
  if (type == StoredType::kF32) {
    std::vector<std::uint8_t> bytes(values.size_bytes());
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
  }
  std::vector<std::uint8_t> bytes(2 * values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t bits = type == StoredType::kBf16
                                   ? packing::F32ToBf16(values[i])
                                   : packing::F32ToF16(values[i]);
    std::memcpy(bytes.data() + 2 * i, &bits, sizeof bits);
  }
  return bytes;
}

// model.safetensors: the matrices as they are read, then norms and scales,
// whose type depends on all values.
class WeightsWriter {
 public:
  WeightsWriter(const Checkpoint& source, const PackOptions& options,
                const fs::path& path)
      : source_(source),
        options_(options),
        writer_(path, Names(source), LeastBytes(source)),
        total_(CountWeights(source)) {}

  // Returns what went into the file; `torch_dtype` gets the model's type.
  PackReport Write(const std::string& preferred_dtype,
                   std::string& torch_dtype);

  static bool IsPacked(const Checkpoint& source) {
    return IsTernaryModel(source) &&
           source.config.input_type == InputType::kInt8;
  }

 private:
  struct Small {
    std::string name;
    std::vector<float> values;
  };

  // Calls use(name, linear) and use(name, norm) for all of a layer.
  template <class Linear, class Norm>
  static void ForEachOfLayer(const Checkpoint& source, std::size_t index,
                             const Linear& linear, const Norm& norm);
  static std::vector<std::string> Names(const Checkpoint& source);
  static std::uint64_t CountWeights(const Checkpoint& source);
  static std::uint64_t LeastBytes(const Checkpoint& source);

  void Begin(const std::string& name, StoredType type,
             const std::vector<std::uint64_t>& shape) {
    writer_.Begin(name, type, shape);
    ++report_.tensors;
  }
  void AddSmall(std::string name, std::vector<float> values) {
    exact_.Add(values);
    small_.push_back({std::move(name), std::move(values)});
  }
  void AddNorm(std::string name, const StoredTensor& norm);
  void WriteFloats(const std::string& name, const LinearSource& linear,
                   StoredType type);
  void WriteHead(const std::string& name, const LinearSource& head);
  void WriteLinear(const std::string& name, const LinearSource& linear);
  void WritePacked(const std::string& name, const LinearSource& linear,
                   const packing::TernaryMatrix& matrix);
  void WriteUnpacked(const std::string& name, const LinearSource& linear,
                     const packing::TernaryMatrix& matrix);
  void Progress(std::uint64_t weights);

  const Checkpoint& source_;
  const PackOptions& options_;
  files::SafetensorsWriter writer_;
  std::uint64_t total_;  // weights
  std::uint64_t done_ = 0;
  ExactTypes exact_;
  std::vector<Small> small_;
  PackReport report_;
};

template <class Linear, class Norm>
void WeightsWriter::ForEachOfLayer(const Checkpoint& source, std::size_t index,
                                   const Linear& linear, const Norm& norm) {
  constexpr checkpoint::TensorNames kNames = checkpoint::kHfNames;
  const LayerSource& layer = source.layers[index];
  const std::string prefix =
      std::string(kNames.layers) + "." + std::to_string(index) + ".";
  const auto maybe = [&](const char* name,
                         const std::optional<StoredTensor>& tensor) {
    if (tensor) norm(prefix + name + ".weight", *tensor);
  };
  const auto one = [&](const char* name, const LinearSource& source_linear) {
    linear(prefix + name, source_linear);
    if (source_linear.input_norm) {
      norm(prefix + name + kNames.input_norm, *source_linear.input_norm);
    }
  };
  maybe(kNames.attn_norm, layer.attn_norm);
  maybe(kNames.q_norm, layer.q_norm);
  maybe(kNames.k_norm, layer.k_norm);
  maybe(kNames.attn_sub_norm, layer.attn_sub_norm);
  maybe(kNames.ffn_norm, layer.ffn_norm);
  maybe(kNames.ffn_sub_norm, layer.ffn_sub_norm);
  one(kNames.q, layer.q);
  one(kNames.k, layer.k);
  one(kNames.v, layer.v);
  one(kNames.o, layer.o);
  one(kNames.gate, layer.gate);
  one(kNames.up, layer.up);
  one(kNames.down, layer.down);
}

std::vector<std::string> WeightsWriter::Names(const Checkpoint& source) {
  constexpr checkpoint::TensorNames kNames = checkpoint::kHfNames;
  std::vector<std::string> names = {kNames.embedding, kNames.head,
                                    kNames.output_norm};
  for (std::size_t i = 0; i < source.layers.size(); ++i) {
    ForEachOfLayer(
        source, i,
        [&](const std::string& name, const LinearSource& /*linear*/) {
          names.push_back(name + ".weight");
          names.push_back(name + ".weight_scale");
        },
        [&](const std::string& name, const StoredTensor& /*norm*/) {
          names.push_back(name);
        });
  }
  return names;
}

std::uint64_t WeightsWriter::CountWeights(const Checkpoint& source) {
  std::uint64_t count = source.embedding.rows * source.embedding.cols;
  if (source.head) count += source.head->rows * source.head->cols;
  for (std::size_t i = 0; i < source.layers.size(); ++i) {
    ForEachOfLayer(
        source, i,
        [&](const std::string& /*name*/, const LinearSource& linear) {
          count += linear.rows * linear.cols;
        },
        [](const std::string& /*name*/, const StoredTensor& /*norm*/) {});
  }
  return count;
}

// Of the matrices: floats take two bytes or four, packed codes a quarter.
std::uint64_t WeightsWriter::LeastBytes(const Checkpoint& source) {
  const std::uint64_t all = CountWeights(source);
  if (!IsPacked(source)) return 2 * all;
  std::uint64_t head = source.embedding.rows * source.embedding.cols;
  if (source.head) head *= 2;
  return 2 * head + (all - head) / 4;
}

void WeightsWriter::Progress(std::uint64_t weights) {
  done_ += weights;
  if (!options_.progress) return;
  options_.progress(static_cast<double>(done_) / static_cast<double>(total_));
}

void WeightsWriter::AddNorm(std::string name, const StoredTensor& norm) {
  std::vector<float> values(norm.ElementCount());
  files::ReadFloats(norm, 0, 1, values.data());
  AddSmall(std::move(name), std::move(values));
}

// Piece by piece, of a matrix whose rows are in another order head by head.
void WeightsWriter::WriteFloats(const std::string& name,
                                const LinearSource& linear, StoredType type) {
  const std::size_t at_once =
      linear.interleaved_heads != 0
          ? linear.rows / linear.interleaved_heads
          : std::max<std::size_t>(1, kPiece / linear.cols);
  RequireMemory(2 * sizeof(float) * at_once * linear.cols,
                linear.weight.Place(), kMemoryAdvice);
  Begin(name, type, {linear.rows, linear.cols});
  std::vector<float> values;
  for (std::size_t row = 0; row < linear.rows; row += at_once) {
    const std::size_t end = std::min(row + at_once, linear.rows);
    values.resize((end - row) * linear.cols);
    checkpoint::ReadDenseFloats(linear, row, end, values);
    if (type == StoredType::kF16 && linear.weight.type != type) {
      for (float& value : values) value = Rounded(value, type);
      if (std::any_of(values.begin(), values.end(),
                      [](float v) { return std::isinf(v); })) {
        RefuseTensor(linear.weight, "holds a value that is too large for F16",
                     "keep the embedding as it is");
      }
    }
    exact_.Add(values);
    writer_.Write(Encode(values, type));
    Progress(values.size());
  }
}

// The embedding or the head.
void WeightsWriter::WriteHead(const std::string& name,
                              const LinearSource& head) {
  if (options_.head == PackedHead::kQ8_0) {
    RefuseTensor(head.weight, "would be Q8_0, which safetensors have not",
                 "write the embedding as F16, or keep it");
  }
  const StoredType type = head.weight.type;
  const bool is_float = type == StoredType::kF32 || type == StoredType::kF16 ||
                        type == StoredType::kBf16;
  if (head.kind == LinearKind::kTernary) {
    RefuseTensor(head.weight,
                 "is a ternary embedding, which Hugging Face's layout has not",
                 kKeepGguf);
  }
  if (!is_float && options_.head == PackedHead::kKeep) {
    RefuseTensor(
        head.weight,
        "is of type " + head.weight.type_name + ", which safetensors have not",
        "write the embedding as F16 (which rounds it), or keep the "
        "model as GGUF");
  }
  WriteFloats(name, head,
              options_.head == PackedHead::kF16 ? StoredType::kF16 : type);
}

void WeightsWriter::WritePacked(const std::string& name,
                                const LinearSource& linear,
                                const packing::TernaryMatrix& matrix) {
  const float scale = matrix.scales.front();
  if (scale > checkpoint::kMaxMultiplier) {
    std::ostringstream what;
    what << "its scale " << scale << " is above " << checkpoint::kMaxMultiplier
         << ", where a reader takes weight_scale for a divisor";
    RefuseTensor(linear.weight, what.str(), kKeepGguf);
  }
  std::vector<std::uint8_t> bytes;
  if (const auto fault = packing::PackHf(matrix, bytes)) {
    RefuseTensor(linear.weight, fault->what, kKeepGguf);
  }
  Begin(name + ".weight", StoredType::kU8,
        {(linear.rows + 3) / 4, linear.cols});
  writer_.Write(bytes);
  AddSmall(name + ".weight_scale", matrix.scales);
  Progress(linear.rows * linear.cols);
}

// Row `row` of the matrix as floats.
void FloatsOfRow(const packing::TernaryMatrix& matrix, std::size_t row,
                 std::span<float> values) {
  const std::size_t row_scales = matrix.scales.size() / matrix.rows;
  for (std::size_t c = 0; c < matrix.cols; ++c) {
    std::size_t scale = 0;
    if (matrix.group == packing::ScaleGroup::kRow) scale = row;
    if (matrix.group == packing::ScaleGroup::kBlock) {
      scale = row * row_scales + c / matrix.block;
    }
    values[c] =
        (static_cast<float>(matrix.Code(row, c)) - 1) * matrix.scales[scale];
  }
}

// Whoever reads the floats must find the same blocks of scales in them.
void CheckComesBack(const LinearSource& linear,
                    const packing::TernaryMatrix& matrix) {
  packing::TernaryMatrix back;
  packing::FloatUnpacker unpacker(matrix.rows, matrix.cols, back);
  std::vector<float> row(matrix.cols);
  bool sound = true;
  for (std::size_t r = 0; r < matrix.rows && sound; ++r) {
    FloatsOfRow(matrix, r, row);
    sound = !unpacker.TakeCodes(row);
  }
  for (std::size_t r = 0; r < matrix.rows && sound; ++r) {
    FloatsOfRow(matrix, r, row);
    unpacker.TakeScales(row);
  }
  if (sound && back == matrix) return;
  RefuseTensor(linear.weight,
               "its scales could not be told from floats any more", kKeepGguf);
}

void WeightsWriter::WriteUnpacked(const std::string& name,
                                  const LinearSource& linear,
                                  const packing::TernaryMatrix& matrix) {
  CheckComesBack(linear, matrix);
  if (matrix.scales == std::vector<float>{0}) {
    RefuseTensor(linear.weight,
                 "is all zeros, which as floats looks like a hole in the file",
                 kKeepGguf);
  }
  ExactTypes own;
  own.Add(matrix.scales);
  exact_.Add(matrix.scales);
  const StoredType type = linear.kind == LinearKind::kUnpacked
                              ? linear.weight.type
                              : own.First().type;
  Begin(name + ".weight", type, {linear.rows, linear.cols});
  std::vector<float> row(matrix.cols);
  for (std::size_t r = 0; r < matrix.rows; ++r) {
    FloatsOfRow(matrix, r, row);
    writer_.Write(Encode(row, type));
  }
  Progress(linear.rows * linear.cols);
}

void WeightsWriter::WriteLinear(const std::string& name,
                                const LinearSource& linear) {
  if (linear.kind == LinearKind::kDense) {
    return WriteFloats(name + ".weight", linear, linear.weight.type);
  }
  RequireMemory(checkpoint::ReadLinearBytes(linear) +
                    packing::HfPackedBytes(linear.rows, linear.cols),
                linear.weight.Place(), kMemoryAdvice);
  const packing::TernaryMatrix matrix = checkpoint::ReadLinear(linear);
  IsPacked(source_) ? WritePacked(name, linear, matrix)
                    : WriteUnpacked(name, linear, matrix);
}

PackReport WeightsWriter::Write(const std::string& preferred_dtype,
                                std::string& torch_dtype) {
  WriteHead(checkpoint::kHfNames.embedding, source_.embedding);
  if (source_.head) WriteHead(checkpoint::kHfNames.head, *source_.head);
  for (std::size_t i = 0; i < source_.layers.size(); ++i) {
    ForEachOfLayer(
        source_, i,
        [&](const std::string& name, const LinearSource& linear) {
          WriteLinear(name, linear);
        },
        [&](const std::string& name, const StoredTensor& norm) {
          AddNorm(name, norm);
        });
  }
  AddNorm(checkpoint::kHfNames.output_norm, source_.output_norm);
  const DType dtype = exact_.Choose(preferred_dtype);
  for (const Small& small : small_) {
    Begin(small.name, dtype.type, {small.values.size()});
    writer_.Write(Encode(small.values, dtype.type));
  }
  torch_dtype = dtype.name;
  writer_.Finish();
  return report_;
}

// --- the files beside it ---

[[noreturn]] void RefuseModel(const Checkpoint& source,
                              const std::string& what) {
  throw Error(ErrorCode::kUnsupported,
              source.path.string() + ": " + what + "; " + kKeepGguf);
}

std::string PreferredDType(const PackExtras& extras) {
  for (const char* key : {"dtype", "torch_dtype"}) {
    const auto found = extras.config.find(key);
    if (found != extras.config.end() && found->is_string()) {
      return found->get<std::string>();
    }
  }
  return "bfloat16";
}

void WriteText(const fs::path& path, const std::string& text) {
  files::OutputFile file(path, false);
  file.Write(std::span(reinterpret_cast<const std::uint8_t*>(text.data()),
                       text.size()));
  file.Commit();
}

std::string ConfigText(const Checkpoint& source, const PackExtras& extras,
                       const std::string& torch_dtype) {
  ModelConfig model = source.config;
  model.name = ModelName(source);
  json config = checkpoint::MakeHfConfig(model,
                                         WeightsWriter::IsPacked(source)
                                             ? HfWeights::kPackedMultiply
                                             : HfWeights::kPlain,
                                         extras.rope_scaling, torch_dtype);
  for (const auto& [key, value] : extras.config.items()) {
    // The older name says it already.
    if (!config.contains(key) && key != "dtype") config[key] = value;
  }
  const json kept = ExtrasForConfig(extras, source.path.string());
  if (!kept.is_null()) config[checkpoint::kTernMember] = kept;
  return files::DumpJson(config, source.path.string(), 2) + "\n";
}

// What config.json can say is known before hours of work, too.
void CheckConfig(const Checkpoint& source, const fs::path& directory) {
  const ModelConfig back =
      checkpoint::ReadHfConfig(directory / "config.json", files::ThrowFault)
          .model;
  const std::string difference =
      checkpoint::FirstDifference(source.config, back, IsTernaryModel(source));
  if (!difference.empty()) {
    RefuseModel(source, "config.json of Hugging Face cannot say " + difference);
  }
}

PackReport WriteFiles(const Checkpoint& source, const PackExtras& extras,
                      const PackOptions& options,
                      files::OutputDirectory& directory) {
  const std::string preferred = PreferredDType(extras);
  // Twice: first to see whether it can be said at all.
  const fs::path config = directory.PathOf("config.json");
  WriteText(config, ConfigText(source, extras, preferred));
  CheckConfig(source, directory.path());
  WriteHfTokenizer(source, extras, directory.path());
  std::string torch_dtype;
  PackReport report =
      WeightsWriter(source, options, directory.PathOf("model.safetensors"))
          .Write(preferred, torch_dtype);
  if (torch_dtype != preferred) {
    directory.Remove("config.json");
    WriteText(config, ConfigText(source, extras, torch_dtype));
  }
  (void)checkpoint::Open(directory.path());  // throws what is wrong with it
  report.bytes = directory.Bytes();
  return report;
}

}  // namespace

PackReport PackHuggingFace(const Checkpoint& source,
                           const fs::path& destination,
                           const PackOptions& options) {
  if (source.config.projection_norms && !WeightsWriter::IsPacked(source)) {
    RefuseModel(source,
                "it has norms before its projections, which Hugging Face has "
                "beside packed weights for int8 inputs alone");
  }
  const PackExtras extras = ReadExtras(source);
  files::OutputDirectory directory(destination, options.overwrite);
  try {
    PackReport report = WriteFiles(source, extras, options, directory);
    directory.Commit();
    return report;
  } catch (const Error& error) {
    // Of files that are gone by now, under the name that they would have had.
    throw Error(error.code(), directory.WithDestination(error.what()),
                error.offset());
  }
}

}  // namespace tern
