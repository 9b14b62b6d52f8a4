// Any checkpoint -> one GGUF file: the plan (pack_plan.h), then tensor by
// tensor, with one matrix in memory at a time.
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
#include "packing/q2_0.h"
#include "packing/q8_0.h"
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
#include "runtime/pack_plan.h"
#include "runtime/tokenizer/gguf_metadata.h"
#include "runtime/tokenizer/tokenizer_impl.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using checkpoint::Checkpoint;
using files::GgufMetadata;
using files::GgufWriter;
using files::StoredTensor;
using files::StoredType;

// Floats converted, or bytes copied, in one piece: 4 MiB of float32.
constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
constexpr const char* kMemoryAdvice = "free some memory";

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

// --- the tokenizer ---

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

// Row of `linear` in the order of rotary halves that is written as row `row`.
std::size_t SourceRow(const PlannedTensor& planned, std::size_t row) {
  if (planned.interleaved_heads == 0) return row;
  const std::size_t head_dim =
      planned.target.shape[0] / planned.interleaved_heads;
  const std::size_t dim = row % head_dim;
  return row - dim + dim % 2 * (head_dim / 2) + dim / 2;
}

// Rows of `row_size` elements, as they are written.
template <class T>
std::vector<T> OrderRows(const PlannedTensor& planned, std::size_t row_size,
                         std::vector<T> data) {
  if (planned.interleaved_heads == 0) return data;
  std::vector<T> ordered(data.size());
  for (std::size_t row = 0; row < planned.target.shape[0]; ++row) {
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(
                                   SourceRow(planned, row) * row_size),
                row_size,
                ordered.begin() + static_cast<std::ptrdiff_t>(row * row_size));
  }
  return ordered;
}

void WriteFloats(const PlannedTensor& planned, GgufWriter& writer) {
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

void Copy(const PlannedTensor& planned, GgufWriter& writer) {
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

// Dense rows in rotary order, all at once.
void CopyRows(const PlannedTensor& planned, GgufWriter& writer) {
  RequireMemory(3 * planned.source->bytes, planned.source->Place(),
                kMemoryAdvice);
  std::vector<std::uint8_t> bytes(planned.source->bytes);
  checkpoint::ReadDense(*planned.linear, bytes);
  const std::size_t row_bytes = bytes.size() / planned.target.shape[0];
  writer.Write(OrderRows(planned, row_bytes, std::move(bytes)));
}

// The codes of an embedding or a head that stay as they are stored.
void CopyCodes(const PlannedTensor& planned, GgufWriter& writer) {
  RequireMemory(planned.source->bytes, planned.source->Place(), kMemoryAdvice);
  writer.Write(planned.source->ReadAll());
}

packing::MaybeFault PackMatrix(const packing::TernaryMatrix& matrix,
                               StoredType type,
                               std::vector<std::uint8_t>& bytes) {
  switch (type) {
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

// Which type might hold what `type` cannot: I2_S has one float32 scale, Q2_0 an
// f16 one for every 64 columns.
std::string AdviceFor(const packing::TernaryMatrix& matrix, StoredType type) {
  constexpr std::size_t kI2SBlock = 128;
  constexpr std::size_t kQ2Block = 64;
  if (type == StoredType::kI2S && matrix.cols % kQ2Block == 0) {
    return "write Q2_0 instead";
  }
  if (type != StoredType::kI2S && matrix.cols % kI2SBlock == 0 &&
      matrix.group == packing::ScaleGroup::kMatrix) {
    return "write I2_S instead";
  }
  return "keep the model in its present form";
}

void WriteTernary(const PlannedTensor& planned, GgufWriter& writer) {
  RequireMemory(
      checkpoint::ReadLinearBytes(*planned.linear) + planned.target.Bytes(),
      planned.source->Place(), kMemoryAdvice);
  packing::TernaryMatrix matrix = checkpoint::ReadLinear(*planned.linear);
  matrix.codes =
      OrderRows(planned, packing::TernaryMatrix::RowBytes(matrix.cols),
                std::move(matrix.codes));
  if (matrix.group != packing::ScaleGroup::kMatrix) {
    const std::size_t row_scales = matrix.scales.size() / matrix.rows;
    matrix.scales = OrderRows(planned, row_scales, std::move(matrix.scales));
  }
  std::vector<std::uint8_t> bytes;
  if (const auto fault = PackMatrix(matrix, planned.target.type, bytes)) {
    RefuseTensor(*planned.source, fault->what,
                 AdviceFor(matrix, planned.target.type));
  }
  writer.Write(bytes);
}

void Write(const PlannedTensor& planned, GgufWriter& writer) {
  switch (planned.how) {
    case PlannedTensor::How::kTernary:
      return WriteTernary(planned, writer);
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

void WriteAll(const std::vector<PlannedTensor>& plan,
              const PackOptions& options, GgufWriter& writer) {
  std::uint64_t total = 0;
  for (const PlannedTensor& planned : plan) total += planned.target.Bytes();
  std::uint64_t done = 0;
  for (const PlannedTensor& planned : plan) {
    Write(planned, writer);
    done += planned.target.Bytes();
    if (options.progress) {
      options.progress(static_cast<double>(done) / static_cast<double>(total));
    }
  }
}

PackReport PackModel(const fs::path& source, const fs::path& destination,
                     const PackOptions& options) {
  const Checkpoint from = checkpoint::Open(
      source,
      {.input_type = options.input_type, .i2s_layout = options.i2s_layout});
  RefuseOwnSource(from, destination);
  const std::vector<PlannedTensor> plan = PlanTensors(from, options);
  GgufMetadata metadata = PlanMetadata(from, options);
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
