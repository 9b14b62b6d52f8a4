#include "runtime/files/gguf_writer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <span>
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

// Calls use(T()) with the C++ type of a number type of GGUF.
template <class Use>
auto WithType(ValueType type, const Use& use) {
  switch (type) {
    // NOLINTNEXTLINE(bugprone-branch-clone): their types differ
    case ValueType::kUint8:
      return use(std::uint8_t());
    case ValueType::kInt8:
      return use(std::int8_t());
    case ValueType::kUint16:
      return use(std::uint16_t());
    case ValueType::kInt16:
      return use(std::int16_t());
    case ValueType::kUint32:
      return use(std::uint32_t());
    case ValueType::kInt32:
      return use(std::int32_t());
    case ValueType::kInt64:
      return use(std::int64_t());
    case ValueType::kFloat32:
      return use(float());
    case ValueType::kFloat64:
      return use(double());
    default:
      return use(std::uint64_t());
  }
}

// Whether the type holds the value exactly.
template <class T>
bool Holds(ValueType type, T value) {
  return WithType(type, [value](auto number) {
    using Number = decltype(number);
    if constexpr (std::is_floating_point_v<T> !=
                  std::is_floating_point_v<Number>) {
      return false;
    } else if constexpr (std::is_integral_v<T>) {
      return std::in_range<Number>(value);
    } else if constexpr (std::is_same_v<T, Number>) {
      return true;
    } else {
      // A finite double beyond float's range has no value to be converted to.
      // By their bits, for the sake of NaNs.
      return (!std::isfinite(value) ||
              std::fabs(value) <= std::numeric_limits<float>::max()) &&
             std::bit_cast<std::uint64_t>(T{static_cast<float>(value)}) ==
                 std::bit_cast<std::uint64_t>(value);
    }
  });
}

// The two types, narrow and wide, that values of type T are written in unless
// somebody says otherwise.
template <class T>
std::pair<ValueType, ValueType> TypesOf() {
  if constexpr (std::is_floating_point_v<T>) {
    return {ValueType::kFloat32, ValueType::kFloat64};
  } else if constexpr (std::is_signed_v<T>) {
    return {ValueType::kInt32, ValueType::kInt64};
  } else {
    return {ValueType::kUint32, ValueType::kUint64};
  }
}

template <class T>
constexpr bool kIsNumber = std::is_arithmetic_v<T> && !std::is_same_v<T, bool>;

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
  // Numbers as `wanted`, if that holds them.
  void Value(const GgufValue& value, std::optional<ValueType> wanted) {
    std::visit([&](const auto& v) { Typed(v, wanted); }, value);
  }
  [[nodiscard]] const std::vector<std::uint8_t>& bytes() const {
    return bytes_;
  }

 private:
  void Element(bool value) { Number(static_cast<std::uint8_t>(value)); }
  void Element(const std::string& value) { String(value); }

  template <typename T>
  void NumberAs(ValueType type, T value) {
    WithType(type, [&](auto number) {
      Number(static_cast<decltype(number)>(value));
    });
  }
  // Of all of them.
  template <typename T>
  static ValueType Choose(std::span<const T> values,
                          std::optional<ValueType> wanted) {
    const auto holds_all = [&](ValueType type) {
      return std::all_of(values.begin(), values.end(),
                         [&](T value) { return Holds(type, value); });
    };
    if (wanted && holds_all(*wanted)) return *wanted;
    const auto [narrow, wide] = TypesOf<T>();
    return holds_all(narrow) ? narrow : wide;
  }

  template <typename T>
  void Typed(const T& value, std::optional<ValueType> wanted) {
    if constexpr (kIsNumber<T>) {
      const ValueType type = Choose(std::span<const T>(&value, 1), wanted);
      Number(type);
      NumberAs(type, value);
    } else {
      Number(std::is_same_v<T, bool> ? ValueType::kBool : ValueType::kString);
      Element(value);
    }
  }
  template <typename T>
  void Typed(const std::vector<T>& values, std::optional<ValueType> wanted) {
    Number(ValueType::kArray);
    if constexpr (kIsNumber<T>) {
      const ValueType type = Choose(std::span<const T>(values), wanted);
      Number(type);
      Number<std::uint64_t>(values.size());
      for (const T value : values) NumberAs(type, value);
    } else {
      Number(std::is_same_v<T, bool> ? ValueType::kBool : ValueType::kString);
      Number<std::uint64_t>(values.size());
      // For vector<bool> an element is no reference to a T.
      for (const auto& value : values) Element(static_cast<T>(value));
    }
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
                  const GgufNumberTypes& number_types,
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
    const auto type = number_types.find(key);
    header.Value(value, type == number_types.end()
                            ? std::nullopt
                            : std::optional(type->second));
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
                       GgufForm form, const GgufNumberTypes& number_types)
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
  const Header header =
      MakeHeader(metadata, number_types, tensors_, alignment_);
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
