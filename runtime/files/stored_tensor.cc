#include "runtime/files/stored_tensor.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>

#include <tern/error.h>

#include "packing/half.h"
#include "packing/q4_0.h"
#include "packing/q6_k.h"
#include "packing/q8_0.h"
#include "runtime/files/finite.h"
#include "runtime/files/quote.h"

namespace tern::files {
namespace {

static_assert(std::endian::native == std::endian::little,
              "both file formats are little-endian and read as they are");

// Bytes of one row, 0 for a type that has no floats.
std::uint64_t FloatRowBytes(StoredType type, std::uint64_t cols) {
  switch (type) {
    case StoredType::kF32:
      return cols * 4;
    case StoredType::kF16:
    case StoredType::kBf16:
      return cols * 2;
    case StoredType::kQ8_0:
      return packing::Q8RowBytes(cols);
    case StoredType::kQ4_0:
      return packing::Q4RowBytes(cols);
    case StoredType::kQ6K:
      return packing::Q6RowBytes(cols);
    default:
      return 0;
  }
}

void HalvesToFloats(StoredType type, std::span<const std::uint8_t> bytes,
                    float* out) {
  const auto convert =
      type == StoredType::kF16 ? packing::F16ToF32 : packing::Bf16ToF32;
  for (std::size_t i = 0; i < bytes.size() / 2; ++i) {
    out[i] = convert(static_cast<std::uint16_t>(
        bytes[2 * i] | static_cast<unsigned>(bytes[2 * i + 1]) << 8));
  }
}

// `bytes` are whole rows of `cols` elements.
void ToFloats(StoredType type, std::span<const std::uint8_t> bytes,
              std::uint64_t cols, float* out) {
  if (type == StoredType::kF32) {
    std::memcpy(out, bytes.data(), bytes.size());
  } else if (type == StoredType::kF16 || type == StoredType::kBf16) {
    HalvesToFloats(type, bytes, out);
  } else {
    const auto dequantize = type == StoredType::kQ8_0   ? packing::DequantizeQ8
                            : type == StoredType::kQ4_0 ? packing::DequantizeQ4
                                                        : packing::DequantizeQ6;
    const std::size_t row_bytes = FloatRowBytes(type, cols);
    for (std::size_t row = 0; row < bytes.size() / row_bytes; ++row) {
      dequantize(bytes.subspan(row * row_bytes, row_bytes),
                 std::span(out + row * cols, cols));
    }
  }
}

}  // namespace

std::uint64_t StoredTensor::ElementCount() const {
  std::uint64_t count = 1;
  for (const std::uint64_t size : shape) {
    count *= size;
  }
  return count;
}

std::string StoredTensor::Place() const {
  return file->path().string() + ": tensor " + Quote(name);
}

std::vector<std::uint8_t> StoredTensor::ReadAll() const {
  return file->Read(offset, bytes);
}

void ReadFloats(const StoredTensor& tensor, std::uint64_t row_begin,
                std::uint64_t row_end, float* out) {
  constexpr std::uint64_t kChunkBytes = std::uint64_t{1} << 18;
  const std::uint64_t cols = tensor.shape.empty() ? 1 : tensor.shape.back();
  const std::uint64_t row_bytes = FloatRowBytes(tensor.type, cols);
  if (row_bytes == 0) {
    throw Error(ErrorCode::kUnsupported,
                tensor.Place() + ": type " + tensor.type_name +
                    " where floats are needed; F32, F16, BF16, Q8_0, Q6_K and "
                    "Q4_0 are read as floats");
  }
  if (row_begin > row_end || row_end > tensor.bytes / row_bytes) {
    throw Error(ErrorCode::kInvalidArgument,
                tensor.Place() + ": no rows " + std::to_string(row_begin) +
                    " to " + std::to_string(row_end) + "; it has " +
                    std::to_string(tensor.bytes / row_bytes));
  }
  const std::uint64_t chunk_rows =
      std::max<std::uint64_t>(1, kChunkBytes / row_bytes);
  std::vector<std::uint8_t> chunk(std::min(chunk_rows, row_end - row_begin) *
                                  row_bytes);
  for (std::uint64_t row = row_begin; row < row_end; row += chunk_rows) {
    const std::uint64_t rows = std::min(chunk_rows, row_end - row);
    const std::span bytes = std::span(chunk).first(rows * row_bytes);
    tensor.file->Read(tensor.offset + row * row_bytes, bytes);
    RequireFinite(tensor, row * row_bytes, bytes);
    ToFloats(tensor.type, bytes, cols, out);
    out += rows * cols;
  }
}

}  // namespace tern::files
