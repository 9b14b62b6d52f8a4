// Any checkpoint -> one GGUF file: the plan (pack_plan.h), then tensor by
// tensor, with the codes of one matrix in memory at a time.  (The other way,
// to Hugging Face, is pack_hf.h.)
#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include <tern/error.h>
#include <tern/pack.h>

#include "packing/half.h"
#include "packing/i2_s.h"
#include "packing/q2_0.h"
#include "packing/q8_0.h"
#include "packing/t2.h"
#include "packing/tq1_0.h"
#include "packing/tq2_0.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/tensor_table.h"
#include "runtime/files/finite.h"
#include "runtime/files/gguf.h"
#include "runtime/files/gguf_writer.h"
#include "runtime/files/input_file.h"
#include "runtime/memory.h"
#include "runtime/out_of_memory.h"
#include "runtime/pack_extras.h"
#include "runtime/pack_hf.h"
#include "runtime/pack_plan.h"
#include "runtime/tokenizer/gguf_metadata.h"
#include "runtime/tokenizer/tokenizer_impl.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using checkpoint::LinearSource;
using files::GgufFile;
using files::GgufMetadata;
using files::GgufWriter;
using files::StoredTensor;
using files::StoredType;
using files::TensorWriter;

// Floats converted, or bytes copied, in one piece: 4 MiB of float32.
constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
constexpr const char* kMemoryAdvice = "free some memory";

bool IsGgufFile(const fs::path& path) {
  std::error_code ignored;
  return !fs::is_directory(path, ignored) && files::IsGguf(path);
}

// The model's, or the one that holds the file.
fs::path DirectoryOf(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return path;
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// --- what may be written where ---

// Also with `overwrite`: nobody means to replace the model by its conversion.
void RefuseOwnSource(const Checkpoint& source, const fs::path& destination) {
  for (const fs::path& path : source.files) {
    std::error_code ignored;  // no such destination: not the same
    const bool is_inside =
        fs::is_directory(destination, ignored) &&
        fs::equivalent(DirectoryOf(path), destination, ignored);
    if (is_inside || fs::equivalent(path, destination, ignored)) {
      throw Error(ErrorCode::kInvalidArgument,
                  destination.string() +
                      ": is part of the model that would be read; choose "
                      "another name");
    }
  }
}

// --- the tokenizer ---

// Ids by the keys that name them.
GgufMetadata EndKeys(const GgufMetadata& metadata) {
  GgufMetadata ends;
  for (const auto& entry : metadata) {
    if (IsEndTokenKey(entry.first)) ends.push_back(entry);
  }
  return ends;
}

// A model that was GGUF once gets the keys back that named its end tokens, if
// these are still the same.
void RestoreEndKeys(const PackExtras& extras, GgufMetadata& metadata) {
  const auto values = [](const GgufMetadata& ends) {
    std::set<std::uint64_t> ids;
    for (const auto& [key, value] : ends) {
      const auto* id = std::get_if<std::uint64_t>(&value);
      ids.insert(id == nullptr ? std::numeric_limits<std::uint64_t>::max()
                               : *id);
    }
    return ids;
  };
  const GgufMetadata kept = EndKeys(extras.gguf);
  if (kept.empty() || values(kept) != values(EndKeys(metadata))) return;
  std::erase_if(metadata,
                [](const auto& entry) { return IsEndTokenKey(entry.first); });
  metadata.insert(metadata.end(), kept.begin(), kept.end());
}

// The id of pad_token, by its name or as an object with that as its content.
std::optional<std::uint64_t> PaddingToken(const tokenizer::TokenizerSpec& spec,
                                          const PackExtras& extras) {
  for (const auto* object :
       {&extras.tokenizer_config, &extras.special_tokens_map}) {
    auto name = object->find("pad_token");
    if (name == object->end()) continue;
    if (name->is_object()) {
      const auto content = name->find("content");
      if (content == name->end()) continue;
      name = content;
    }
    for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
      if (*name == spec.tokens[id].bytes) return id;
    }
  }
  return std::nullopt;
}

GgufMetadata HuggingFaceTokenizer(const fs::path& directory,
                                  const PackExtras& extras,
                                  std::size_t vocab_size) {
  const auto spec = tokenizer::ReadSpecForGguf(directory);
  if (!spec.has_value()) return {};
  // What contradicts itself must not be written: no one could read it.
  const Tokenizer::Impl check(*spec);
  GgufMetadata metadata = tokenizer::TokenizerMetadata(
      *spec, tokenizer::ReadChatTemplates(directory), vocab_size);
  RestoreEndKeys(extras, metadata);
  if (const auto padding = PaddingToken(*spec, extras)) {
    metadata.emplace_back("tokenizer.ggml.padding_token_id", *padding);
  }
  for (const auto& entry : extras.gguf) {
    const bool is_there =
        std::any_of(metadata.begin(), metadata.end(),
                    [&](const auto& own) { return own.first == entry.first; });
    if (entry.first.starts_with("tokenizer.") && !is_there) {
      metadata.push_back(entry);
    }
  }
  return metadata;
}

// A GGUF file's own keys as they are, with their types; otherwise those of the
// tokenizer beside the model, if there is one.
GgufMetadata SourceTokenizer(const Checkpoint& source, const PackExtras& extras,
                             files::GgufNumberTypes& types) {
  if (IsGgufFile(source.path)) {
    GgufMetadata metadata;
    GgufFile file = files::ReadGguf(source.path);
    for (auto& [key, value] : file.metadata) {
      if (!key.starts_with("tokenizer.")) continue;
      metadata.emplace_back(key, std::move(value));
      const auto type = file.number_types.find(key);
      if (type != file.number_types.end()) types[key] = type->second;
    }
    return metadata;
  }
  return HuggingFaceTokenizer(DirectoryOf(source.path), extras,
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

// Row of `linear` in the order of rotary halves that is written as row `row`.
std::size_t SourceRow(const PlannedTensor& planned, std::size_t row) {
  if (planned.interleaved_heads == 0) return row;
  const std::size_t head_dim =
      planned.target.shape[0] / planned.interleaved_heads;
  const std::size_t dim = row % head_dim;
  return row - dim + dim % 2 * (head_dim / 2) + dim / 2;
}

// Rows of `row_size` elements, those of whole heads, as they are written.
template <class T>
std::vector<T> OrderRows(const PlannedTensor& planned, std::size_t rows,
                         std::size_t row_size, std::vector<T> data) {
  if (planned.interleaved_heads == 0) return data;
  std::vector<T> ordered(data.size());
  for (std::size_t row = 0; row < rows; ++row) {
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(
                                   SourceRow(planned, row) * row_size),
                row_size,
                ordered.begin() + static_cast<std::ptrdiff_t>(row * row_size));
  }
  return ordered;
}

void WriteFloats(const PlannedTensor& planned, TensorWriter& writer) {
  const StoredTensor& source = *planned.source;
  const std::uint64_t cols = source.shape.back();
  RequireMemory(2 * sizeof(float) * std::max(cols, kPiece), source.Place(),
                kMemoryAdvice);
  std::vector<float> values;
  ForEachPiece(source, [&](std::uint64_t row, std::uint64_t rows) {
    values.resize(rows * cols);
    files::ReadFloats(source, row, row + rows, values.data());
    if (planned.target.type == StoredType::kF16) {
      writer.Write(ToF16(source, values));
    } else if (planned.target.type == StoredType::kQ8_0) {
      writer.Write(ToQ8(source, values));
    } else {
      writer.Write(ToF32(values));
    }
  });
}

void Copy(const PlannedTensor& planned, TensorWriter& writer) {
  const StoredTensor& source = *planned.source;
  const std::uint64_t row_bytes =
      source.bytes / (source.ElementCount() / source.shape.back());
  ForEachPiece(source, [&](std::uint64_t row, std::uint64_t rows) {
    const std::vector<std::uint8_t> bytes =
        source.file->Read(source.offset + row * row_bytes, rows * row_bytes);
    // A NaN would spoil every logit.
    files::RequireFinite(source, row * row_bytes, bytes);
    writer.Write(bytes);
  });
}

// Dense rows in rotary order, a head at a time.
void CopyRows(const PlannedTensor& planned, TensorWriter& writer) {
  const LinearSource& linear = *planned.linear;
  const std::size_t head_dim = linear.rows / planned.interleaved_heads;
  const std::size_t row_bytes = planned.source->bytes / linear.rows;
  std::vector<std::uint8_t> bytes(head_dim * row_bytes);
  RequireMemory(3 * bytes.size(), planned.source->Place(), kMemoryAdvice);
  for (std::size_t row = 0; row < linear.rows; row += head_dim) {
    checkpoint::ReadDense(linear, row, row + head_dim, bytes);
    writer.Write(OrderRows(planned, head_dim, row_bytes, bytes));
  }
}

// The codes of an embedding or a head that stay as they are stored.
void CopyCodes(const PlannedTensor& planned, TensorWriter& writer) {
  const StoredTensor& source = *planned.source;
  for (std::uint64_t at = 0; at < source.bytes; at += kPiece) {
    writer.Write(source.file->Read(source.offset + at,
                                   std::min(kPiece, source.bytes - at)));
  }
}

packing::MaybeFault PackMatrix(const packing::TernaryMatrix& matrix,
                               StoredType type,
                               std::vector<std::uint8_t>& bytes) {
  switch (type) {
    case StoredType::kT2:
      return packing::PackT2(matrix, bytes);
    case StoredType::kI2S:
      return packing::PackI2S(matrix, bytes);
    case StoredType::kTq1_0:
      return packing::PackTq1(matrix, bytes);
    case StoredType::kTq2_0:
      return packing::PackTq2(matrix, bytes);
    default:
      return packing::PackQ2(matrix, packing::Q2Block::k64, bytes);
  }
}

bool HasF16Scales(StoredType type) {
  return type == StoredType::kTq1_0 || type == StoredType::kTq2_0 ||
         type == StoredType::kQ2_0;
}

// Which type might hold what `type` cannot: T2 holds everything, I2_S has one
// float32 scale, Q2_0 an f16 one for every 64 columns.
std::string AdviceFor(const packing::TernaryMatrix& matrix, StoredType type,
                      bool is_rounding) {
  constexpr std::size_t kI2SBlock = 128;
  constexpr std::size_t kQ2Block = 64;
  if (type == StoredType::kT2) return "keep the model in its present form";
  if (type == StoredType::kI2S && matrix.cols % kQ2Block == 0) {
    return "write T2 or Q2_0 instead";
  }
  // Rounding is tried already, or the type's scales are not f16.
  const std::string rounding = HasF16Scales(type) && !is_rounding
                                   ? ", or round the scales (--round-scales)"
                                   : "";
  if (type != StoredType::kI2S && matrix.cols % kI2SBlock == 0 &&
      matrix.group == packing::ScaleGroup::kMatrix) {
    return "write T2 or I2_S instead" + rounding;
  }
  return "write T2 instead" + rounding;
}

// The nearest float that f16 holds, for scales that are to be rounded; true if
// one was.  One that would become 0 or infinite stays, to be refused.
bool RoundScales(packing::TernaryMatrix& matrix) {
  bool rounded = false;
  for (float& scale : matrix.scales) {
    const float nearest = packing::F16ToF32(packing::F32ToF16(scale));
    if (nearest == scale || nearest == 0 || std::isinf(nearest)) continue;
    scale = nearest;
    rounded = true;
  }
  return rounded;
}

void WriteTernary(const PlannedTensor& planned, const PackOptions& options,
                  TensorWriter& writer, PackReport& report) {
  RequireMemory(
      checkpoint::ReadLinearBytes(*planned.linear) + planned.target.Bytes(),
      planned.source->Place(), kMemoryAdvice);
  packing::TernaryMatrix matrix = checkpoint::ReadLinear(*planned.linear);
  matrix.codes = OrderRows(planned, matrix.rows,
                           packing::TernaryMatrix::RowBytes(matrix.cols),
                           std::move(matrix.codes));
  if (matrix.group != packing::ScaleGroup::kMatrix) {
    const std::size_t row_scales = matrix.scales.size() / matrix.rows;
    matrix.scales =
        OrderRows(planned, matrix.rows, row_scales, std::move(matrix.scales));
  }
  const StoredType type = planned.target.type;
  if (options.round_scales && HasF16Scales(type) && RoundScales(matrix)) {
    ++report.rounded;
  }
  std::vector<std::uint8_t> bytes;
  if (const auto fault = PackMatrix(matrix, type, bytes)) {
    RefuseTensor(*planned.source, fault->what,
                 AdviceFor(matrix, type, options.round_scales));
  }
  writer.Write(bytes);
  if (planned.multipliers) writer.Write(ToF32(matrix.scales));
}

void Write(const PlannedTensor& planned, const PackOptions& options,
           TensorWriter& writer, PackReport& report) {
  switch (planned.how) {
    case PlannedTensor::How::kTernary:
      return WriteTernary(planned, options, writer, report);
    case PlannedTensor::How::kFloats:
      return WriteFloats(planned, writer);
    case PlannedTensor::How::kValues:
      return writer.Write(ToF32(planned.values));
    case PlannedTensor::How::kCopy:
      break;
  }
  if (checkpoint::IsTernary(planned.source->type)) {
    CopyCodes(planned, writer);
  } else if (planned.interleaved_heads != 0) {
    CopyRows(planned, writer);
  } else {
    Copy(planned, writer);
  }
}

// Passes bytes on and tells how far it is.
class CountingWriter : public TensorWriter {
 public:
  CountingWriter(TensorWriter& to, std::uint64_t total,
                 const PackOptions& options)
      : to_(to), total_(total), options_(options) {}
  void Write(std::span<const std::uint8_t> piece) override {
    to_.Write(piece);
    done_ += piece.size();
    if (!options_.progress) return;
    options_.progress(static_cast<double>(done_) / static_cast<double>(total_));
  }

 private:
  TensorWriter& to_;
  std::uint64_t total_;
  std::uint64_t done_ = 0;
  const PackOptions& options_;
};

PackReport PackGguf(const Checkpoint& from, const fs::path& destination,
                    const PackOptions& options) {
  PackExtras extras = ReadExtras(from);
  const std::vector<PlannedTensor> plan = PlanTensors(from, extras, options);
  files::GgufNumberTypes types = extras.types;
  GgufMetadata tokenizer = SourceTokenizer(from, extras, types);
  GgufMetadata metadata = PlanMetadata(from, std::move(extras), options);
  std::move(tokenizer.begin(), tokenizer.end(), std::back_inserter(metadata));
  std::vector<files::GgufTensor> tensors;
  tensors.reserve(plan.size());
  std::uint64_t total = 0;
  for (const PlannedTensor& planned : plan) {
    tensors.push_back(planned.target);
    if (planned.multipliers) tensors.push_back(*planned.multipliers);
  }
  for (const files::GgufTensor& tensor : tensors) {
    total += tensor.Bytes();
  }
  GgufWriter writer(destination, options.overwrite, std::move(metadata),
                    std::move(tensors),
                    options.type == PackedType::kT2 ? files::GgufForm::kT2
                                                    : files::GgufForm::kPlain,
                    types);
  CountingWriter counting(writer, total, options);
  PackReport report;
  for (const PlannedTensor& planned : plan) {
    Write(planned, options, counting, report);
  }
  report.bytes = writer.Finish();
  report.tensors = writer.tensor_count();
  return report;
}

void CheckType(const Checkpoint& source, const PackOptions& options) {
  const LinearSource& first = source.layers.front().q;
  const bool is_ternary = first.kind != checkpoint::LinearKind::kDense;
  if (is_ternary && options.type == PackedType::kKeep) {
    RefuseTensor(first.weight, "is ternary, and keep is for plain floats",
                 "choose a type of ternary weights");
  }
  if (is_ternary || !options.require_ternary) return;
  RefuseTensor(first.weight, "is of plain floats, not ternary",
               "choose keep, for other programs, or t2");
}

PackReport PackModel(const fs::path& source, const fs::path& destination,
                     const PackOptions& options) {
  const Checkpoint from = checkpoint::Open(
      source,
      {.input_type = options.input_type, .i2s_layout = options.i2s_layout});
  RefuseOwnSource(from, destination);
  CheckType(from, options);
  return options.type == PackedType::kHuggingFace
             ? PackHuggingFace(from, destination, options)
             : PackGguf(from, destination, options);
}

}  // namespace

PackReport Pack(const fs::path& source, const fs::path& destination,
                const PackOptions& options) {
  return NamingOutOfMemory(
      source, [&] { return PackModel(source, destination, options); });
}

}  // namespace tern
