// Strict JSON for files that nobody vouches for: one Error for whatever is
// wrong with the text, no duplicate keys, bounded nesting.
#ifndef TERN_RUNTIME_FILES_JSON_H_
#define TERN_RUNTIME_FILES_JSON_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace tern::files {

struct JsonLimits {
  std::size_t depth = 32;            // of nested objects and arrays
  std::size_t array_length = 65536;  // elements of one array
};

// Throws Error (kMalformed) that begins with `place`: not JSON (with the byte
// position), not an object, a key twice in one object, a limit exceeded.
nlohmann::json ParseJsonObject(std::string_view text, const std::string& place,
                               JsonLimits limits = {});

// The same for a whole file; `place` is its path.
nlohmann::json ReadJsonObject(const std::filesystem::path& path,
                              std::uint64_t max_bytes, JsonLimits limits = {});

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_JSON_H_
