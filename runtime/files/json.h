// Strict JSON for files that nobody vouches for: one Error for whatever is
// wrong with the text, no duplicate keys, bounded nesting.
//
// The destructor of a nlohmann::json array or object that is not empty
// allocates, and ends the process where that fails; so JsonDocument owns what
// was parsed, and a value to compare with is parsed too, not put together.
#ifndef TERN_RUNTIME_FILES_JSON_H_
#define TERN_RUNTIME_FILES_JSON_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace tern::files {

struct JsonLimits {
  std::size_t depth = 32;            // of nested objects and arrays
  std::size_t array_length = 65536;  // elements of one array
};

// A value whose destructor does not allocate.
class JsonDocument {
 public:
  // NOLINTBEGIN(bugprone-exception-escape): what moves or empties throws
  // nothing
  JsonDocument() = default;
  JsonDocument(const JsonDocument&) = delete;
  JsonDocument& operator=(const JsonDocument&) = delete;
  JsonDocument(JsonDocument&& other) noexcept
      : value_(std::move(other.value_)) {}
  JsonDocument& operator=(JsonDocument&&) = delete;
  ~JsonDocument();
  // NOLINTEND(bugprone-exception-escape)

  [[nodiscard]] const nlohmann::json& operator*() const { return value_; }
  [[nodiscard]] const nlohmann::json* operator->() const { return &value_; }
  // To be filled.
  [[nodiscard]] nlohmann::json& value() { return value_; }

 private:
  nlohmann::json value_;
};

// Throws Error (kMalformed) that begins with `place`: not JSON (with the byte
// position), not an object, a key twice in one object, a limit exceeded.
JsonDocument ParseJsonObject(std::string_view text, const std::string& place,
                             JsonLimits limits = {});

// The same for a whole file; `place` is its path.
JsonDocument ReadJsonObject(const std::filesystem::path& path,
                            std::uint64_t max_bytes, JsonLimits limits = {});

// `value` as text, with `indent` spaces a level, or on one line.  Throws Error
// (kUnsupported) that begins with `place` if a string in it is no UTF-8, which
// JSON cannot hold.
std::string DumpJson(const nlohmann::json& value, const std::string& place,
                     int indent = -1);

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_JSON_H_
