// Typed access to the metadata of a GGUF file.
#include <tern/error.h>

#include "runtime/files/gguf.h"
#include "runtime/files/quote.h"

namespace tern::files {
namespace {

// The value of a key as T, or Error if it has another type.
template <typename T>
const T* Get(const GgufFile& file, const std::string& key, const char* kind) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) {
    return nullptr;
  }
  const T* value = std::get_if<T>(&found->second);
  if (value == nullptr) {
    throw Error(ErrorCode::kMalformed, file.path.string() + ": key " +
                                           Quote(key) + ": is not " + kind +
                                           "; fetch or convert the file again");
  }
  return value;
}

// True if the key is there and holds a T.
template <typename T>
bool Holds(const GgufFile& file, const std::string& key) {
  const auto found = file.metadata.find(key);
  return found != file.metadata.end() &&
         std::holds_alternative<T>(found->second);
}

}  // namespace

std::optional<std::uint64_t> GgufFile::Unsigned(const std::string& key) const {
  const char* kind = "an integer of 0 or more";
  if (Holds<std::int64_t>(*this, key)) {
    const auto value = std::get<std::int64_t>(metadata.at(key));
    if (value >= 0) {
      return static_cast<std::uint64_t>(value);
    }
  }
  const auto* value = Get<std::uint64_t>(*this, key, kind);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<double> GgufFile::Number(const std::string& key) const {
  const auto* value = Get<double>(*this, key, "a floating-point number");
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<bool> GgufFile::Bool(const std::string& key) const {
  const bool* value = Get<bool>(*this, key, "a bool");
  return value == nullptr ? std::nullopt : std::optional(*value);
}

const std::string* GgufFile::String(const std::string& key) const {
  return Get<std::string>(*this, key, "a string");
}

const std::vector<std::string>* GgufFile::Strings(
    const std::string& key) const {
  return Get<std::vector<std::string>>(*this, key, "an array of strings");
}

const std::vector<double>* GgufFile::Numbers(const std::string& key) const {
  return Get<std::vector<double>>(*this, key,
                                  "an array of floating-point numbers");
}

}  // namespace tern::files
