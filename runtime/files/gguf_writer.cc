#include "runtime/files/gguf_writer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <type_traits>
#include <utility>
#include <variant>

#include <tern/error.h>

#include "runtime/files/gguf_types.h"
#include "runtime/files/quote.h"
#include "runtime/files/t2_file.h"

namespace tern::files {
namespace {

static_assert(std::endian::native == std::endian::little,
              "numbers are written as they lie in memory");

constexpr std::uint64_t kDefaultAlignment = 32;  // GGUF's
constexpr const char* kAlignmentKey = "general.alignment";

std::uint64_t Padding(std::uint64_t size, std::uint64_t alignment) {
  return (alignment - size % alignment) % alignment;
}

// Whether a 32-bit type holds the value exactly.
bool IsNarrow(std::uint64_t value) {
  return value <= std::numeric_limits<std::uint32_t>::max();
}
bool IsNarrow(std::int64_t value) {
  return value >= std::numeric_limits<std::int32_t>::min() &&
         value <= std::numeric_limits<std::int32_t>::max();
}
bool IsNarrow(double value) {
  // The comparison comes first: a finite double beyond float's range has no
  // value to be converted to.
  return !std::isfinite(value) ||
         (std::fabs(value) <= std::numeric_limits<float>::max() &&
          static_cast<double>(static_cast<float>(value)) == value);
}
bool IsNarrow(bool /*value*/) { return true; }
bool IsNarrow(const std::string& /*value*/) { return true; }

// The bytes of the header while they are put together.
class Header {
 public:
  template <typename T>
  void Number(T value) {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
    const std::size_t end = bytes_.size();
    bytes_.resize(end + sizeof value);
    std::memcpy(bytes_.data() + end, &value, sizeof value);
  }
  void String(const std::string& text) {
    Number<std::uint64_t>(text.size());
    bytes_.insert(bytes_.end(), text.begin(), text.end());
  }
  void Value(const GgufValue& value) {
    std::visit([this](const auto& v) { Typed(v); }, value);
  }
  [[nodiscard]] const std::vector<std::uint8_t>& bytes() const {
    return bytes_;
  }

 private:
  static ValueType TypeOf(std::uint64_t /*unused*/, bool narrow) {
    return narrow ? ValueType::kUint32 : ValueType::kUint64;
  }
  static ValueType TypeOf(std::int64_t /*unused*/, bool narrow) {
    return narrow ? ValueType::kInt32 : ValueType::kInt64;
  }
  static ValueType TypeOf(double /*unused*/, bool narrow) {
    return narrow ? ValueType::kFloat32 : ValueType::kFloat64;
  }
  static ValueType TypeOf(bool /*unused*/, bool /*unused*/) {
    return ValueType::kBool;
  }
  static ValueType TypeOf(const std::string& /*unused*/, bool /*unused*/) {
    return ValueType::kString;
  }

  void Element(std::uint64_t value, bool narrow) {
    narrow ? Number(static_cast<std::uint32_t>(value)) : Number(value);
  }
  void Element(std::int64_t value, bool narrow) {
    narrow ? Number(static_cast<std::int32_t>(value)) : Number(value);
  }
  void Element(double value, bool narrow) {
    narrow ? Number(static_cast<float>(value)) : Number(value);
  }
  void Element(bool value, bool /*unused*/) {
    Number(static_cast<std::uint8_t>(value));
  }
  void Element(const std::string& value, bool /*unused*/) { String(value); }

  template <typename T>
  void Typed(const T& value) {
    const bool narrow = IsNarrow(value);
    Number(TypeOf(value, narrow));
    Element(value, narrow);
  }
  template <typename T>
  void Typed(const std::vector<T>& values) {
    const bool narrow = std::all_of(values.begin(), values.end(),
                                    [](const T& v) { return IsNarrow(v); });
    Number(ValueType::kArray);
    Number(TypeOf(T{}, narrow));
    Number<std::uint64_t>(values.size());
    // For vector<bool> an element is no reference to a T.
    for (const auto& value : values) Element(static_cast<T>(value), narrow);
  }

  std::vector<std::uint8_t> bytes_;
};

// "" if GGUF can express the tensor.
std::string WhatIsWrong(const GgufTensor& tensor) {
  constexpr std::size_t kMaxDimensions = 4;
  const auto type = FindGgufType(tensor.type);
  if (!type) return "has a type that GGUF has not";
  if (tensor.shape.empty() || tensor.shape.size() > kMaxDimensions) {
    return "has " + std::to_string(tensor.shape.size()) +
           " dimensions, and GGUF 1 to 4";
  }
  std::uint64_t room = std::numeric_limits<std::uint64_t>::max() / 8;
  for (const std::uint64_t size : tensor.shape) {
    if (size == 0 || size > room) return "is empty or too large";
    room /= size;
  }
  const bool has_row_blocks = type->layout.tensor_bytes == 0;
  if (has_row_blocks && tensor.shape.back() % type->layout.block != 0) {
    return "has rows of " + std::to_string(tensor.shape.back()) +
           ", which is no multiple of its type's block";
  }
  return "";
}

Header MakeHeader(const GgufMetadata& metadata,
                  const std::vector<GgufTensor>& tensors,
                  std::uint64_t alignment) {
  constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
  constexpr std::uint32_t kVersion = 3;
  Header header;
  header.Number(kMagic);
  header.Number(kVersion);
  header.Number<std::uint64_t>(tensors.size());
  header.Number<std::uint64_t>(metadata.size());
  for (const auto& [key, value] : metadata) {
    header.String(key);
    header.Value(value);
  }
  std::uint64_t offset = 0;
  for (const GgufTensor& tensor : tensors) {
    header.String(tensor.name);
    header.Number(static_cast<std::uint32_t>(tensor.shape.size()));
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend();
         ++size) {
      header.Number(*size);  // GGUF has the innermost first
    }
    header.Number(FindGgufType(tensor.type).value().number);
    header.Number(offset);
    offset += tensor.Bytes() + Padding(tensor.Bytes(), alignment);
  }
  return header;
}

}  // namespace

std::uint64_t GgufTensor::Bytes() const {
  std::uint64_t elements = 1;
  for (const std::uint64_t size : shape) elements *= size;
  const std::uint64_t cols = shape.back();
  return FindGgufType(type).value().layout.Bytes(elements / cols, cols);
}

GgufWriter::GgufWriter(std::filesystem::path destination, bool overwrite,
                       GgufMetadata metadata, std::vector<GgufTensor> tensors,
                       GgufForm form)
    : file_(std::move(destination), overwrite),
      tensors_(std::move(tensors)),
      alignment_(form == GgufForm::kT2 ? kT2Alignment : kDefaultAlignment) {
  CheckKeys(metadata);
  if (form == GgufForm::kT2) {
    metadata.emplace_back(kAlignmentKey, kT2Alignment);
    metadata.emplace_back(kT2VersionKey, kT2Version);
    tensors_.push_back(
        {kChecksumsName, StoredType::kI64, {tensors_.size() + 1, 2}});
    checksums_.emplace();
  }
  CheckTensors();
  const Header header = MakeHeader(metadata, tensors_, alignment_);
  ReserveAll(header.bytes().size());
  AppendRest(header.bytes());
  Pad();
}

// The checksums end the file without padding.
void GgufWriter::ReserveAll(std::uint64_t header_bytes) {
  std::uint64_t total = header_bytes + Padding(header_bytes, alignment_);
  for (const GgufTensor& tensor : tensors_) {
    total += tensor.Bytes() + Padding(tensor.Bytes(), alignment_);
  }
  if (checksums_) total -= Padding(tensors_.back().Bytes(), alignment_);
  file_.Reserve(total);
}

void GgufWriter::CheckKeys(const GgufMetadata& metadata) const {
  std::set<std::string> keys = {kAlignmentKey, kT2VersionKey};
  for (const auto& [key, value] : metadata) {
    if (keys.insert(key).second) continue;
    const bool is_own = key == kAlignmentKey || key == kT2VersionKey;
    Misuse("key " + Quote(key), is_own ? "is the writer's" : "is there twice");
  }
}

void GgufWriter::CheckTensors() const {
  std::set<std::string> names;
  for (const GgufTensor& tensor : tensors_) {
    const bool is_new = names.insert(tensor.name).second;
    const std::string what = is_new ? WhatIsWrong(tensor) : "is there twice";
    if (!what.empty()) Misuse("tensor " + Quote(tensor.name), what);
  }
}

void GgufWriter::Misuse(const std::string& thing,
                        const std::string& what) const {
  throw Error(ErrorCode::kInvalidArgument,
              file_.destination().string() + ": cannot be written: " + thing +
                  " " + what + "; convert the model again from the original");
}

void GgufWriter::Append(std::span<const std::uint8_t> bytes) {
  file_.Write(bytes);
  size_ += bytes.size();
}

void GgufWriter::AppendRest(std::span<const std::uint8_t> bytes) {
  Append(bytes);
  if (checksums_) checksums_->rest.Add(bytes);
}

void GgufWriter::Pad() {
  constexpr std::array<std::uint8_t, kT2Alignment> kZeros{};
  AppendRest(std::span(kZeros).first(Padding(size_, alignment_)));
}

void GgufWriter::EndTensor() {
  Pad();
  ++current_;
  current_bytes_ = 0;
  if (!checksums_) return;
  checksums_->done.push_back(checksums_->tensor.Sum());
  checksums_->tensor = Hasher();
}

// The last sum is of the others, too, and ends the file.
void GgufWriter::WriteChecksums() {
  const auto write = [&](const Checksum& sum) {
    std::array<std::uint8_t, 2 * sizeof sum.low> bytes;
    std::memcpy(bytes.data(), &sum.low, sizeof sum.low);
    std::memcpy(bytes.data() + sizeof sum.low, &sum.high, sizeof sum.high);
    AppendRest(bytes);
  };
  for (const Checksum& sum : checksums_->done) write(sum);
  write(checksums_->rest.Sum());
  ++current_;
}

void GgufWriter::Write(std::span<const std::uint8_t> piece) {
  if (piece.empty()) return;
  if (current_ + (checksums_ ? 1 : 0) == tensors_.size()) {
    Misuse("data", "goes on after the last tensor");
  }
  const std::uint64_t bytes = tensors_[current_].Bytes();
  if (piece.size() > bytes - current_bytes_) {
    Misuse("tensor " + Quote(tensors_[current_].name), "has too much data");
  }
  Append(piece);
  if (checksums_) checksums_->tensor.Add(piece);
  current_bytes_ += piece.size();
  if (current_bytes_ == bytes) EndTensor();
}

std::uint64_t GgufWriter::Finish() {
  if (checksums_ && current_ + 1 == tensors_.size()) WriteChecksums();
  if (current_ != tensors_.size()) {
    Misuse("tensor " + Quote(tensors_[current_].name), "has too little data");
  }
  file_.Commit();
  return size_;
}

}  // namespace tern::files
