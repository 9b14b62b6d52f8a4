#include "runtime/files/safetensors_writer.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include <tern/error.h>

#include "runtime/files/quote.h"

namespace tern::files {
namespace {

constexpr std::uint64_t kLengthBytes = 8;

struct ElementType {
  const char* name = nullptr;
  std::uint64_t bytes = 0;
};

ElementType TypeOf(StoredType type) {
  switch (type) {
    case StoredType::kF32:
      return {"F32", 4};
    case StoredType::kF16:
      return {"F16", 2};
    case StoredType::kBf16:
      return {"BF16", 2};
    case StoredType::kU8:
      return {"U8", 1};
    default:
      return {};
  }
}

// A name is escaped to at most six characters for each byte; type, shape of two
// dimensions and offsets take fewer than 160.
std::uint64_t HeaderBytes(const std::vector<std::string>& names) {
  constexpr std::uint64_t kEntry = 160;
  std::uint64_t bytes = kEntry;
  for (const std::string& name : names) bytes += kEntry + 6 * name.size();
  return (bytes + 7) / 8 * 8;  // so that data begins on a multiple of 8
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(std::filesystem::path destination,
                                     const std::vector<std::string>& names,
                                     std::uint64_t data_bytes)
    : file_(std::move(destination), false), header_bytes_(HeaderBytes(names)) {
  file_.Reserve(kLengthBytes + header_bytes_ + data_bytes);
  file_.Write(std::vector<std::uint8_t>(kLengthBytes + header_bytes_, ' '));
}

void SafetensorsWriter::Misuse(const std::string& what) const {
  throw Error(ErrorCode::kInvalidArgument,
              file_.destination().string() + ": cannot be written: tensor " +
                  Quote(current_) + " " + what +
                  "; convert the model again from the original");
}

void SafetensorsWriter::Begin(const std::string& name, StoredType type,
                              const std::vector<std::uint64_t>& shape) {
  if (missing_ != 0) Misuse("has too little data");
  current_ = name;
  const ElementType element = TypeOf(type);
  if (element.name == nullptr) Misuse("has a type that safetensors have not");
  missing_ = element.bytes;
  for (const std::uint64_t size : shape) missing_ *= size;
  const nlohmann::json entry = {
      {"dtype", element.name},
      {"shape", shape},
      {"data_offsets", {data_size_, data_size_ + missing_}}};
  header_ += "," + nlohmann::json(name).dump() + ":" + entry.dump();
}

void SafetensorsWriter::Write(std::span<const std::uint8_t> piece) {
  if (piece.size() > missing_) Misuse("has too much data");
  file_.Write(piece);
  missing_ -= piece.size();
  data_size_ += piece.size();
}

std::uint64_t SafetensorsWriter::Finish() {
  if (missing_ != 0) Misuse("has too little data");
  header_ += "}";
  if (header_.size() > header_bytes_) Misuse("was not announced");
  std::vector<std::uint8_t> header(kLengthBytes + header_bytes_, ' ');
  std::memcpy(header.data(), &header_bytes_, kLengthBytes);
  std::memcpy(header.data() + kLengthBytes, header_.data(), header_.size());
  file_.WriteAt(0, header);
  file_.Commit();
  return header.size() + data_size_;
}

}  // namespace tern::files
