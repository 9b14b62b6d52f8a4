#include "runtime/files/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>
#include <vector>

#include <tern/error.h>

#include "runtime/files/byte_reader.h"
#include "runtime/files/gguf_places.h"
#include "runtime/files/gguf_types.h"
#include "runtime/files/quote.h"
#include "runtime/files/t2_file.h"

namespace tern::files {
namespace {

constexpr std::array<char, 4> kMagic = {'G', 'G', 'U', 'F'};
constexpr std::uint64_t kMaxAlignment = std::uint64_t{1} << 20;

class Parser {
 public:
  Parser(const std::filesystem::path& path, const OnFault& on_fault)
      : file_(std::make_shared<const InputFile>(path)),
        reader_(*file_),
        on_fault_(on_fault) {
    result_.path = path;
  }

  GgufFile Parse() {
    Reporting(on_fault_, [&] {
      ReadHeader();
      ReadMetadata();
      Reporting(on_fault_, [&] { CheckT2Version(result_); });
      ReadTensorTable();
    });
    // Of a table that breaks off nobody knows where the data begins.
    const std::uint64_t data_begin =
        is_whole_ ? Aligned(reader_.position()) : file_->size();
    PlaceTensors(std::move(entries_), data_begin, result_,
                 is_whole_ ? on_fault_ : OnFault([](const Error&) {}));
    if (is_whole_) Reporting(on_fault_, [&] { CheckT2Parts(result_); });
    return std::move(result_);
  }

 private:
  void ReadHeader();
  void CheckVersion(std::uint32_t version) const;
  void ReadMetadata();
  GgufValue ReadValue(std::uint32_t type);
  GgufValue ReadArray();
  void NoteNumber(std::uint32_t type) {
    if (IsNumber(type)) number_type_ = static_cast<ValueType>(type);
  }
  bool ReadBool();
  template <typename Wide, typename Stored>
  std::vector<Wide> ReadNumbers();
  void SetAlignment();
  void ReadTensorTable();
  void ReadEntry(GgufEntry& entry);
  std::vector<std::uint64_t> ReadDimensions();
  [[nodiscard]] bool CheckShape(const std::vector<std::uint64_t>& shape) const;
  [[nodiscard]] std::uint64_t Aligned(std::uint64_t bytes) const {
    return (bytes + result_.alignment - 1) & ~(result_.alignment - 1);
  }

  std::shared_ptr<const InputFile> file_;
  ByteReader reader_;
  const OnFault& on_fault_;
  GgufFile result_;
  std::optional<ValueType> number_type_;  // of the value being read
  std::uint64_t tensor_count_ = 0;
  std::uint64_t key_count_ = 0;
  std::vector<GgufEntry> entries_;
  bool is_whole_ = false;  // all of the table has been read
};

void Parser::ReadHeader() {
  reader_.set_context("header");
  if (reader_.Number<std::array<char, 4>>() != kMagic) {
    reader_.Fail("does not begin with 'GGUF'");
  }
  result_.version = reader_.Number<std::uint32_t>();
  CheckVersion(result_.version);
  // Name length, dimension count, one dimension, type and offset.
  tensor_count_ = reader_.Count(8 + 4 + 8 + 4 + 8, "tensors");
  // Key length, value type, a value of one byte.
  key_count_ = reader_.Count(8 + 4 + 1, "keys");
}

void Parser::CheckVersion(std::uint32_t version) const {
  if (version == 2 || version == 3) {
    return;
  }
  const std::string place = file_->path().string() + ": byte 4: ";
  if (version == 1) {
    throw Error(ErrorCode::kUnsupported,
                place +
                    "GGUF version 1, of 2023, is not read; convert the "
                    "model again with a current converter");
  }
  if ((version & 0xffffU) == 0 && version != 0) {
    throw Error(ErrorCode::kUnsupported,
                place +
                    "this GGUF file is big-endian; fetch or convert the "
                    "little-endian one");
  }
  throw Error(ErrorCode::kUnsupported, place + "GGUF version " +
                                           std::to_string(version) +
                                           " is unknown; 2 and 3 are read");
}

void Parser::ReadMetadata() {
  for (std::uint64_t i = 0; i < key_count_; ++i) {
    reader_.set_context("key number " + std::to_string(i));
    std::string key = reader_.String();
    reader_.set_context("key " + Quote(key));
    if (result_.metadata.contains(key)) {
      on_fault_(reader_.Fault("appears twice"));
    }
    number_type_.reset();
    GgufValue value = ReadValue(reader_.Number<std::uint32_t>());
    if (number_type_) result_.number_types.emplace(key, *number_type_);
    result_.metadata.emplace(std::move(key), std::move(value));
  }
  SetAlignment();
}

GgufValue Parser::ReadValue(std::uint32_t type) {
  NoteNumber(type);
  switch (type) {
    case kUint8:
      return std::uint64_t{reader_.Number<std::uint8_t>()};
    case kInt8:
      return std::int64_t{reader_.Number<std::int8_t>()};
    case kUint16:
      return std::uint64_t{reader_.Number<std::uint16_t>()};
    case kInt16:
      return std::int64_t{reader_.Number<std::int16_t>()};
    case kUint32:
      return std::uint64_t{reader_.Number<std::uint32_t>()};
    case kInt32:
      return std::int64_t{reader_.Number<std::int32_t>()};
    case kFloat32:
      return double{reader_.Number<float>()};
    case kBool:
      return ReadBool();
    case kString:
      return reader_.String();
    case kArray:
      return ReadArray();
    case kUint64:
      return reader_.Number<std::uint64_t>();
    case kInt64:
      return reader_.Number<std::int64_t>();
    case kFloat64:
      return reader_.Number<double>();
    default:
      reader_.Fail("value type " + std::to_string(type) + " does not exist");
  }
}

bool Parser::ReadBool() {
  const auto byte = reader_.Number<std::uint8_t>();
  if (byte > 1) {
    reader_.Fail("a bool is " + std::to_string(byte));
  }
  return byte == 1;
}

template <typename Wide, typename Stored>
std::vector<Wide> Parser::ReadNumbers() {
  std::vector<Wide> numbers(reader_.Count(sizeof(Stored), "array elements"));
  for (Wide& number : numbers) {
    number = Wide{reader_.Number<Stored>()};
  }
  return numbers;
}

GgufValue Parser::ReadArray() {
  const auto type = reader_.Number<std::uint32_t>();
  NoteNumber(type);
  switch (type) {
    case kUint8:
      return ReadNumbers<std::uint8_t, std::uint8_t>();
    case kInt8:
      return ReadNumbers<std::int8_t, std::int8_t>();
    case kUint16:
      return ReadNumbers<std::uint16_t, std::uint16_t>();
    case kInt16:
      return ReadNumbers<std::int16_t, std::int16_t>();
    case kUint32:
      return ReadNumbers<std::uint64_t, std::uint32_t>();
    case kInt32:
      return ReadNumbers<std::int64_t, std::int32_t>();
    case kUint64:
      return ReadNumbers<std::uint64_t, std::uint64_t>();
    case kInt64:
      return ReadNumbers<std::int64_t, std::int64_t>();
    case kFloat32:
      return ReadNumbers<double, float>();
    case kFloat64:
      return ReadNumbers<double, double>();
    case kBool: {
      std::vector<bool> bools(reader_.Count(1, "array elements"));
      for (std::size_t i = 0; i < bools.size(); ++i) {
        bools[i] = ReadBool();
      }
      return bools;
    }
    case kString: {
      // At least its length, 8 bytes, each.
      std::vector<std::string> strings(reader_.Count(8, "array elements"));
      for (std::string& text : strings) {
        text = reader_.String();
      }
      return strings;
    }
    case kArray:
      reader_.Fail("an array of arrays, which no known key has");
    default:
      reader_.Fail("element type " + std::to_string(type) + " does not exist");
  }
}

void Parser::SetAlignment() {
  constexpr std::uint64_t kDefault = 32;
  const std::string key = "general.alignment";
  Reporting(on_fault_, [&] {
    const std::uint64_t alignment = result_.Unsigned(key).value_or(kDefault);
    if (!std::has_single_bit(alignment) || alignment < 8 ||
        alignment > kMaxAlignment) {
      throw Error(ErrorCode::kMalformed,
                  file_->path().string() + ": key '" + key +
                      "': " + std::to_string(alignment) +
                      " is no power of two from 8 to 1048576; the file is "
                      "damaged, fetch it again");
    }
    result_.alignment = alignment;
  });
}

void Parser::ReadTensorTable() {
  // No reserve: the number is only believed entry by entry.
  for (std::uint64_t i = 0; i < tensor_count_; ++i) {
    reader_.set_context("tensor number " + std::to_string(i));
    GgufEntry entry;
    ReadEntry(entry);
    entries_.push_back(std::move(entry));
  }
  is_whole_ = true;
}

void Parser::ReadEntry(GgufEntry& entry) {
  entry.tensor.name = reader_.String();
  entry.tensor.file = file_;
  reader_.set_context("tensor " + Quote(entry.tensor.name));
  entry.tensor.shape = ReadDimensions();
  entry.has_shape = CheckShape(entry.tensor.shape);
  std::reverse(entry.tensor.shape.begin(), entry.tensor.shape.end());
  entry.type_number = reader_.Number<std::uint32_t>();
  entry.tensor.type_name = GgufTypeName(entry.type_number);
  entry.relative_offset = reader_.Number<std::uint64_t>();
  if (entry.relative_offset % result_.alignment != 0) {
    on_fault_(reader_.Fault("its offset " +
                            std::to_string(entry.relative_offset) +
                            " is not a multiple of the alignment, " +
                            std::to_string(result_.alignment)));
  }
}

// Innermost first, as they are stored.
std::vector<std::uint64_t> Parser::ReadDimensions() {
  const auto dims = reader_.Number<std::uint32_t>();
  if (dims < 1 || dims > 4) {
    reader_.Fail(std::to_string(dims) +
                 " dimensions, where 1 to 4 are allowed");
  }
  std::vector<std::uint64_t> shape(dims);
  for (std::uint64_t& size : shape) size = reader_.Number<std::uint64_t>();
  return shape;
}

// False, and told, of a shape that no tensor in this file can have.
bool Parser::CheckShape(const std::vector<std::uint64_t>& shape) const {
  // No layout stores more than 16 weights in a byte, so this also keeps every
  // later product within 64 bits.
  const std::uint64_t max_elements = 16 * file_->size();
  std::uint64_t elements = 1;
  for (const std::uint64_t size : shape) {
    if (size == 0) {
      on_fault_(reader_.Fault("a dimension of size 0"));
      return false;
    }
    if (size > max_elements / elements) {
      on_fault_(reader_.Fault("more elements than the file has room for"));
      return false;
    }
    elements *= size;
  }
  return true;
}

}  // namespace

GgufFile ReadGguf(const std::filesystem::path& path, const OnFault& on_fault) {
  return Parser(path, on_fault).Parse();
}

bool IsGguf(const std::filesystem::path& path) {
  const InputFile file(path);
  std::array<std::uint8_t, 4> magic{};
  if (file.size() < magic.size()) {
    return false;
  }
  file.Read(0, magic);
  return std::equal(magic.begin(), magic.end(), kMagic.begin());
}

}  // namespace tern::files
