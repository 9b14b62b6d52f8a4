// GGUF versions 2 and 3: metadata and a table of tensors.
#ifndef TERN_RUNTIME_FILES_GGUF_H_
#define TERN_RUNTIME_FILES_GGUF_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/files/safetensors.h"

namespace tern::files {

// A metadata value.  Integers of every width become int64 or uint64, floats
// double; arrays keep one element type.
using GgufValue = std::variant<bool, std::int64_t, std::uint64_t, double,
                               std::string, std::vector<std::int64_t>,
                               std::vector<std::uint64_t>, std::vector<double>,
                               std::vector<bool>, std::vector<std::string>>;

struct GgufFile {
  std::filesystem::path path;
  std::uint32_t version = 0;
  std::uint64_t alignment = 32;
  std::map<std::string, GgufValue> metadata;
  TensorMap tensors;  // shapes outermost first (GGUF stores them reversed)

  // Absent: nullopt.  Of another type, or out of range: Error (kMalformed)
  // naming the file and the key.
  [[nodiscard]] std::optional<std::uint64_t> Unsigned(
      const std::string& key) const;
  [[nodiscard]] std::optional<double> Number(const std::string& key) const;
  [[nodiscard]] std::optional<bool> Bool(const std::string& key) const;
  [[nodiscard]] const std::string* String(const std::string& key) const;
  [[nodiscard]] const std::vector<std::string>* Strings(
      const std::string& key) const;
  [[nodiscard]] const std::vector<double>* Numbers(
      const std::string& key) const;
};

// Reads metadata and tensor table; no tensor data.  Counts and lengths are
// checked against the file's size before anything is allocated for them, and
// each tensor's bytes against its type (formats.md's size rule: the space up to
// the next tensor must be what the type needs).  A tensor of a type that tern
// does not read is kept as StoredType::kOther, so that inspect can show it.
GgufFile ReadGguf(const std::filesystem::path& path);

// True if the file starts with the magic "GGUF".
bool IsGguf(const std::filesystem::path& path);

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_GGUF_H_
