#include "runtime/files/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <map>
#include <utility>

#include <tern/error.h>

#include "runtime/files/json.h"
#include "runtime/files/quote.h"

namespace tern::files {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own
constexpr std::uint64_t kMaxIndexBytes = 100'000'000;
constexpr std::size_t kMaxDims = 16;

struct DataType {
  std::string_view name;
  std::uint64_t bytes;  // of an element
  StoredType type;
};

constexpr std::array kDataTypes = {
    DataType{"F32", 4, StoredType::kF32},
    DataType{"F16", 2, StoredType::kF16},
    DataType{"BF16", 2, StoredType::kBf16},
    DataType{"U8", 1, StoredType::kU8},
    DataType{"F64", 8, StoredType::kOther},
    DataType{"I64", 8, StoredType::kOther},
    DataType{"U64", 8, StoredType::kOther},
    DataType{"C64", 8, StoredType::kOther},
    DataType{"I32", 4, StoredType::kOther},
    DataType{"U32", 4, StoredType::kOther},
    DataType{"I16", 2, StoredType::kOther},
    DataType{"U16", 2, StoredType::kOther},
    DataType{"I8", 1, StoredType::kOther},
    DataType{"BOOL", 1, StoredType::kOther},
    DataType{"F8_E4M3", 1, StoredType::kOther},
    DataType{"F8_E5M2", 1, StoredType::kOther},
    DataType{"F8_E8M0", 1, StoredType::kOther},
};

Error Damage(const std::string& place, const std::string& what) {
  return {ErrorCode::kMalformed,
          place + ": " + what + "; the file is damaged, fetch it again"};
}

[[noreturn]] void Malformed(const std::string& place, const std::string& what) {
  throw Damage(place, what);
}

// The JSON text at the start of the file.
std::string ReadHeader(const InputFile& file) {
  const std::string place = file.path().string();
  if (file.size() < 8) {
    Malformed(place, "too short for a safetensors file (" +
                         std::to_string(file.size()) + " bytes)");
  }
  std::uint64_t length = 0;
  std::array<std::uint8_t, 8> bytes{};
  file.Read(0, bytes);
  std::memcpy(&length, bytes.data(), sizeof(length));
  const std::uint64_t limit = std::min(kMaxHeaderBytes, file.size() - 8);
  if (length > limit) {
    Malformed(place, "byte 0: a header of " + std::to_string(length) +
                         " bytes is announced, where " + std::to_string(limit) +
                         " are possible");
  }
  std::string header(length, '\0');
  file.Read(8, std::span(reinterpret_cast<std::uint8_t*>(header.data()),
                         header.size()));
  if (!header.starts_with('{')) {
    Malformed(place, "byte 8: the header does not begin with '{'");
  }
  return header;
}

// Unsigned integers only: 1e3, -1 or anything beyond 64 bits is none.
std::vector<std::uint64_t> Integers(const json& entry, const char* key,
                                    const std::string& place) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_array()) {
    Malformed(place, std::string("no array '") + key + "'");
  }
  std::vector<std::uint64_t> numbers;
  for (const json& number : *found) {
    if (!number.is_number_unsigned()) {
      Malformed(place,
                std::string("'") + key + "' holds something that is no size");
    }
    numbers.push_back(number.get<std::uint64_t>());
  }
  return numbers;
}

const DataType& TypeOf(const json& entry, const std::string& place) {
  const auto found = entry.find("dtype");
  if (found == entry.end() || !found->is_string()) {
    Malformed(place, "no string 'dtype'");
  }
  const auto& name = found->get_ref<const std::string&>();
  const auto* known =
      std::find_if(kDataTypes.begin(), kDataTypes.end(),
                   [&](const DataType& type) { return type.name == name; });
  if (known == kDataTypes.end()) {
    throw Error(ErrorCode::kUnsupported,
                place + ": dtype " + Quote(name) +
                    " is unknown; F32, F16, BF16 and U8 are read");
  }
  return *known;
}

void CheckKeys(const json& entry, const std::string& place) {
  for (const auto& [key, value] : entry.items()) {
    if (key != "dtype" && key != "shape" && key != "data_offsets") {
      Malformed(place, "unknown key " + Quote(key) + " in the header");
    }
  }
}

// dtype size times shape; a product beyond 64 bits is malformed.
std::uint64_t BytesOf(const DataType& type,
                      const std::vector<std::uint64_t>& shape,
                      const std::string& place) {
  std::uint64_t bytes = type.bytes;
  for (const std::uint64_t size : shape) {
    if (size != 0 && bytes > std::numeric_limits<std::uint64_t>::max() / size) {
      Malformed(place, "its shape overflows");
    }
    bytes *= size;
  }
  return bytes;
}

// Fills `tensor`, whose name and file are set.
void ReadEntry(const json& entry, std::uint64_t data_begin,
               StoredTensor& tensor) {
  const std::string place = tensor.Place();
  if (!entry.is_object()) {
    Malformed(place, "its header entry is not an object");
  }
  CheckKeys(entry, place);
  const DataType& type = TypeOf(entry, place);
  tensor.type_name = type.name;
  tensor.shape = Integers(entry, "shape", place);
  const std::vector<std::uint64_t> range =
      Integers(entry, "data_offsets", place);
  const std::uint64_t data_bytes = tensor.file->size() - data_begin;
  if (range.size() != 2 || range[0] > range[1] || range[1] > data_bytes) {
    Malformed(place, "data_offsets are not a range within the " +
                         std::to_string(data_bytes) + " bytes of data");
  }
  tensor.offset = data_begin + range[0];
  tensor.bytes = range[1] - range[0];
  const std::uint64_t needed = BytesOf(type, tensor.shape, place);
  if (needed != tensor.bytes) {
    Malformed(place, "data_offsets span " + std::to_string(tensor.bytes) +
                         " bytes, but dtype and shape need " +
                         std::to_string(needed));
  }
  tensor.type = type.type;
}

void ReadEntries(const json& entries,
                 const std::shared_ptr<const InputFile>& file,
                 std::uint64_t data_begin, const OnFault& on_fault,
                 TensorMap& tensors) {
  for (const auto& [name, entry] : entries.items()) {
    if (name == "__metadata__") continue;
    StoredTensor tensor;
    tensor.name = name;
    tensor.type_name = "?";
    tensor.file = file;
    tensor.has_fault = !Reporting(
        on_fault, [&, &from = entry] { ReadEntry(from, data_begin, tensor); });
    tensors.emplace(name, std::move(tensor));
  }
}

// The format allows neither gaps nor overlaps: every data byte belongs to
// exactly one tensor.
void CheckTiling(const TensorMap& tensors, const InputFile& file,
                 std::uint64_t data_begin, const OnFault& on_fault) {
  std::vector<const StoredTensor*> order;
  order.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) {
    if (tensor.has_fault) return;  // told; where it lies is anybody's guess
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(),
            [](const StoredTensor* a, const StoredTensor* b) {
              return std::pair(a->offset, a->bytes) <
                     std::pair(b->offset, b->bytes);
            });
  std::uint64_t end = data_begin;
  for (const StoredTensor* tensor : order) {
    if (tensor->offset != end) {
      on_fault(Damage(
          tensor->Place(),
          "begins at byte " + std::to_string(tensor->offset) +
              (tensor->offset < end ? ", inside" : ", not at the end of") +
              " the tensor before it, which ends at " + std::to_string(end)));
    }
    end = std::max(end, tensor->offset + tensor->bytes);
  }
  if (end != file.size()) {
    on_fault(Damage(file.path().string(),
                    std::to_string(file.size() - end) + " bytes from byte " +
                        std::to_string(end) + " on belong to no tensor"));
  }
}

// A name that stays inside its directory, and on one line of a message.
bool IsPlainFileName(const std::string& name) {
  return name.ends_with(".safetensors") && name.size() > 12 &&
         name.find('/') == std::string::npos &&
         name.find('\\') == std::string::npos && !name.starts_with('.') &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return c >= 0x20 && c <= 0x7e; });
}

// tensor name -> file name
std::map<std::string, std::string> ReadIndex(
    const std::filesystem::path& path) {
  const JsonDocument index = ReadJsonObject(path, kMaxIndexBytes, {.depth = 8});
  const std::string place = path.string();
  const auto weight_map = index->find("weight_map");
  if (weight_map == index->end() || !weight_map->is_object() ||
      weight_map->empty()) {
    Malformed(place, "no object 'weight_map' that names the shards");
  }
  std::map<std::string, std::string> shard_of;
  for (const auto& [name, shard] : weight_map->items()) {
    if (!shard.is_string() || !IsPlainFileName(shard.get<std::string>())) {
      Malformed(place, "tensor " + Quote(name) + " is said to be in " +
                           Quote(shard.is_string() ? shard.get<std::string>()
                                                   : shard.type_name()) +
                           ", which is not the name of a .safetensors file "
                           "in the same directory");
    }
    shard_of.emplace(name, shard.get<std::string>());
  }
  return shard_of;
}

// file name -> whether it can be read.  All that are missing are told before
// any is read: fetching them takes longest.
std::map<std::string, bool> FindShards(
    const std::filesystem::path& directory,
    const std::map<std::string, std::string>& shard_of,
    const std::string& index_name, const OnFault& on_fault) {
  std::map<std::string, bool> shards;
  for (const auto& [name, shard] : shard_of) {
    if (shards.contains(shard)) continue;
    const std::filesystem::path path = directory / shard;
    shards[shard] = IsThere(path);
    if (!shards[shard]) {
      on_fault(Error(ErrorCode::kNotFound,
                     path.string() + ": missing, though " + index_name +
                         " names it; fetch the whole model"));
    }
  }
  return shards;
}

TensorMap ReadShards(const std::filesystem::path& directory,
                     const std::filesystem::path& index_path,
                     const OnFault& on_fault) {
  const auto shard_of = ReadIndex(index_path);
  auto shards =
      FindShards(directory, shard_of, index_path.filename().string(), on_fault);
  TensorMap all;
  for (auto& [shard, is_readable] : shards) {
    if (!is_readable) continue;
    TensorMap tensors;
    is_readable = Reporting(on_fault, [&, &file = shard] {
      tensors = ReadSafetensors(directory / file, on_fault);
    });
    for (auto& [name, tensor] : tensors) {
      const auto entry = shard_of.find(name);
      if (entry == shard_of.end() || entry->second != shard) {
        on_fault(Damage(tensor.Place(), entry == shard_of.end()
                                            ? "is not in the index"
                                            : "the index says that it is in " +
                                                  Quote(entry->second)));
      }
      all.emplace(name, tensor);
    }
  }
  for (const auto& [name, shard] : shard_of) {
    if (!all.contains(name) && shards.at(shard)) {
      on_fault(Damage((directory / shard).string(),
                      "tensor " + Quote(name) +
                          " is missing, though the index says that it is "
                          "here"));
    }
  }
  return all;
}

}  // namespace

TensorMap ReadSafetensors(const std::filesystem::path& path,
                          const OnFault& on_fault) {
  const auto file = std::make_shared<const InputFile>(path);
  const std::string header = ReadHeader(*file);
  const JsonDocument entries =
      ParseJsonObject(header, path.string() + ": header",
                      {.depth = 4, .array_length = kMaxDims});
  const std::uint64_t data_begin = 8 + header.size();
  TensorMap tensors;
  ReadEntries(*entries, file, data_begin, on_fault, tensors);
  CheckTiling(tensors, *file, data_begin, on_fault);
  return tensors;
}

TensorMap ReadSafetensorsDirectory(const std::filesystem::path& directory,
                                   const OnFault& on_fault) {
  const std::filesystem::path single = directory / "model.safetensors";
  const std::filesystem::path index =
      directory / "model.safetensors.index.json";
  const bool has_single = IsThere(single);
  if (!IsThere(index)) {
    if (!has_single) {
      throw Error(ErrorCode::kNotFound,
                  directory.string() +
                      ": neither model.safetensors nor "
                      "model.safetensors.index.json is here; fetch the whole "
                      "model");
    }
    return ReadSafetensors(single, on_fault);
  }
  TensorMap tensors = ReadShards(directory, index, on_fault);
  const bool names_single = std::any_of(
      tensors.begin(), tensors.end(),
      [&](const auto& entry) { return entry.second.file->path() == single; });
  if (has_single && !names_single) {
    on_fault(Error(ErrorCode::kMalformed,
                   single.string() +
                       ": lies beside an index that does not name it, two sets "
                       "of weights; remove one of them"));
  }
  return tensors;
}

}  // namespace tern::files
