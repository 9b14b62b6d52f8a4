#include "runtime/files/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <utility>
#include <vector>

#include <tern/error.h>

#include "runtime/files/byte_reader.h"
#include "runtime/files/gguf_types.h"
#include "runtime/files/quote.h"

namespace tern::files {
namespace {

constexpr std::array<char, 4> kMagic = {'G', 'G', 'U', 'F'};
constexpr std::uint64_t kMaxAlignment = std::uint64_t{1} << 20;

class Parser {
 public:
  explicit Parser(const std::filesystem::path& path)
      : file_(std::make_shared<const InputFile>(path)), reader_(*file_) {
    result_.path = path;
  }

  GgufFile Parse() {
    ReadHeader();
    ReadMetadata();
    ReadTensorTable();
    PlaceTensors();
    return std::move(result_);
  }

 private:
  // A tensor of the table, before its place in the file is known.
  struct Entry {
    StoredTensor tensor;
    std::uint32_t type_number = 0;
    std::uint64_t relative_offset = 0;
  };

  void ReadHeader();
  void CheckVersion(std::uint32_t version) const;
  void ReadMetadata();
  GgufValue ReadValue(std::uint32_t type);
  GgufValue ReadArray();
  bool ReadBool();
  template <typename Wide, typename Stored>
  std::vector<Wide> ReadNumbers();
  void SetAlignment();
  void ReadTensorTable();
  std::vector<std::uint64_t> ReadShape();
  void PlaceTensors();
  void PlaceTensor(const Entry& entry, std::uint64_t available, bool ends_file,
                   StoredTensor& tensor) const;
  [[nodiscard]] bool Fits(std::uint64_t needed, std::uint64_t available,
                          bool ends_file) const;
  [[noreturn]] static void RefuseRows(const StoredTensor& tensor,
                                      const GgufLayout& layout);
  [[noreturn]] static void RefuseBytes(
      const StoredTensor& tensor, const std::vector<const GgufLayout*>& layouts,
      std::uint64_t available, bool ends_file);

  [[nodiscard]] std::uint64_t Aligned(std::uint64_t bytes) const {
    return (bytes + result_.alignment - 1) & ~(result_.alignment - 1);
  }

  std::shared_ptr<const InputFile> file_;
  ByteReader reader_;
  GgufFile result_;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t key_count_ = 0;
  std::vector<Entry> entries_;
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
      reader_.Fail("appears twice");
    }
    GgufValue value = ReadValue(reader_.Number<std::uint32_t>());
    result_.metadata.emplace(std::move(key), std::move(value));
  }
  SetAlignment();
}

GgufValue Parser::ReadValue(std::uint32_t type) {
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
  switch (type) {
    case kUint8:
      return ReadNumbers<std::uint64_t, std::uint8_t>();
    case kInt8:
      return ReadNumbers<std::int64_t, std::int8_t>();
    case kUint16:
      return ReadNumbers<std::uint64_t, std::uint16_t>();
    case kInt16:
      return ReadNumbers<std::int64_t, std::int16_t>();
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
  const std::string key = "general.alignment";
  result_.alignment = result_.Unsigned(key).value_or(32);
  if (!std::has_single_bit(result_.alignment) || result_.alignment < 8 ||
      result_.alignment > kMaxAlignment) {
    throw Error(ErrorCode::kMalformed,
                file_->path().string() + ": key '" + key +
                    "': " + std::to_string(result_.alignment) +
                    " is no power of two from 8 to 1048576; the file is "
                    "damaged, fetch it again");
  }
}

void Parser::ReadTensorTable() {
  entries_.reserve(tensor_count_);
  for (std::uint64_t i = 0; i < tensor_count_; ++i) {
    reader_.set_context("tensor number " + std::to_string(i));
    Entry entry;
    entry.tensor.name = reader_.String();
    entry.tensor.file = file_;
    reader_.set_context("tensor " + Quote(entry.tensor.name));
    entry.tensor.shape = ReadShape();
    entry.type_number = reader_.Number<std::uint32_t>();
    entry.tensor.type_name = GgufTypeName(entry.type_number);
    entry.relative_offset = reader_.Number<std::uint64_t>();
    if (entry.relative_offset % result_.alignment != 0) {
      reader_.Fail("its offset " + std::to_string(entry.relative_offset) +
                   " is not a multiple of the alignment, " +
                   std::to_string(result_.alignment));
    }
    entries_.push_back(std::move(entry));
  }
}

std::vector<std::uint64_t> Parser::ReadShape() {
  const auto dims = reader_.Number<std::uint32_t>();
  if (dims < 1 || dims > 4) {
    reader_.Fail(std::to_string(dims) +
                 " dimensions, where 1 to 4 are allowed");
  }
  // No layout stores more than 16 weights in a byte, so this also keeps every
  // later product within 64 bits.
  const std::uint64_t max_elements = 16 * file_->size();
  std::uint64_t elements = 1;
  std::vector<std::uint64_t> shape(dims);
  for (std::uint64_t& size : shape) {
    size = reader_.Number<std::uint64_t>();
    if (size == 0) {
      reader_.Fail("a dimension of size 0");
    }
    if (size > max_elements / elements) {
      reader_.Fail("more elements than the file has room for");
    }
    elements *= size;
  }
  std::reverse(shape.begin(), shape.end());
  return shape;
}

void Parser::PlaceTensors() {
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) {
              return a.relative_offset < b.relative_offset;
            });
  const std::uint64_t data_begin = Aligned(reader_.position());
  const std::uint64_t data_bytes =
      file_->size() - std::min(data_begin, file_->size());
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    const std::uint64_t begin = entry.relative_offset;
    const std::uint64_t end =
        i + 1 == entries_.size() ? data_bytes : entries_[i + 1].relative_offset;
    const auto fail = [&](const std::string& what) {
      throw Error(ErrorCode::kMalformed, entry.tensor.Place() + ": " + what +
                                             "; fetch the file again");
    };
    if (begin >= data_bytes) {
      fail("begins at byte " + std::to_string(begin) +
           " of the data, but only " + std::to_string(data_bytes) +
           " bytes of it are here");
    }
    if (i == 0 && begin != 0) {
      fail("is the first, but begins at byte " + std::to_string(begin) +
           " of the data instead of 0");
    }
    if (end == begin) {
      fail("begins at the same byte of the data, " + std::to_string(begin) +
           ", as tensor " + Quote(entries_[i + 1].tensor.name));
    }
    entry.tensor.offset = data_begin + begin;
    PlaceTensor(entry, std::min(end, data_bytes) - begin, end >= data_bytes,
                entry.tensor);
    if (!result_.tensors.emplace(entry.tensor.name, entry.tensor).second) {
      fail("appears twice");
    }
  }
}

// Finds the layout that the type number means here: the one whose bytes are
// those that the tensor has.
void Parser::PlaceTensor(const Entry& entry, std::uint64_t available,
                         bool ends_file, StoredTensor& tensor) const {
  const std::vector<GgufLayout> layouts = GgufLayouts(entry.type_number);
  tensor.bytes = available;
  if (layouts.empty()) return;  // not read; whoever needs it refuses it
  const std::uint64_t cols = tensor.shape.back();
  const std::uint64_t rows = tensor.ElementCount() / cols;
  std::vector<const GgufLayout*> possible;
  std::vector<const GgufLayout*> fitting;
  for (const GgufLayout& layout : layouts) {
    if (layout.tensor_bytes == 0 && cols % layout.block != 0) continue;
    possible.push_back(&layout);
    if (Fits(layout.Bytes(rows, cols), available, ends_file)) {
      fitting.push_back(&layout);
    }
  }
  if (possible.empty()) RefuseRows(tensor, layouts.front());
  if (fitting.size() > 1) {
    throw Error(ErrorCode::kUnsupported,
                tensor.Place() + ": its " + std::to_string(available) +
                    " bytes may be " + fitting[0]->name + " or " +
                    fitting[1]->name +
                    ", which share the type number; convert the model to "
                    "another type");
  }
  if (fitting.empty()) RefuseBytes(tensor, possible, available, ends_file);
  tensor.type = fitting[0]->type;
  tensor.type_name = fitting[0]->name;
  tensor.bytes = fitting[0]->Bytes(rows, cols);
}

// The size rule: the room up to the next tensor is what the layout needs,
// rounded up; the last tensor may end without padding.
bool Parser::Fits(std::uint64_t needed, std::uint64_t available,
                  bool ends_file) const {
  return available == Aligned(needed) || (ends_file && available == needed);
}

void Parser::RefuseRows(const StoredTensor& tensor, const GgufLayout& layout) {
  throw Error(ErrorCode::kUnsupported,
              tensor.Place() + ": rows of " +
                  std::to_string(tensor.shape.back()) + " weights as " +
                  layout.name + ", whose blocks of " +
                  std::to_string(layout.block) +
                  " would run over the row ends; convert the model to I2_S "
                  "from the original");
}

void Parser::RefuseBytes(const StoredTensor& tensor,
                         const std::vector<const GgufLayout*>& layouts,
                         std::uint64_t available, bool ends_file) {
  const std::uint64_t cols = tensor.shape.back();
  const std::uint64_t rows = tensor.ElementCount() / cols;
  std::string needs;
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  for (const GgufLayout* layout : layouts) {
    const std::uint64_t bytes = layout->Bytes(rows, cols);
    least = std::min(least, bytes);
    needs += (needs.empty() ? "" : ", ") + std::string(layout->name) +
             " of this shape takes " + std::to_string(bytes) + " bytes";
  }
  std::string advice = "the file is damaged, fetch it again";
  if (ends_file && available < least) {
    advice = "the file ends too early, fetch it again";
  } else if (layouts.front()->type == StoredType::kI2S) {
    advice =
        "either a quantiser with several threads has written it, which "
        "corrupts I2_S (quantise again with one thread), or the number means "
        "another layout";
  } else if (layouts.size() > 1) {
    advice = "the type number means yet another layout, or the file is damaged";
  }
  throw Error(ErrorCode::kMalformed,
              tensor.Place() + ": " + needs + ", but the file has " +
                  std::to_string(available) + " for it; " + advice);
}

}  // namespace

GgufFile ReadGguf(const std::filesystem::path& path) {
  return Parser(path).Parse();
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
