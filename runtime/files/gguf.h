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

#include "runtime/files/gguf_types.h"
#include "runtime/files/on_fault.h"
#include "runtime/files/safetensors.h"

namespace tern::files {

// A metadata value.  Integers of every width become int64 or uint64, floats
// double, and so do the elements of arrays, but for those of 8 and 16 bits:
// what is in memory is at most twice what is in the file.
using GgufValue =
    std::variant<bool, std::int64_t, std::uint64_t, double, std::string,
                 std::vector<std::int64_t>, std::vector<std::uint64_t>,
                 std::vector<double>, std::vector<bool>,
                 std::vector<std::string>, std::vector<std::int8_t>,
                 std::vector<std::uint8_t>, std::vector<std::int16_t>,
                 std::vector<std::uint16_t>>;
// The types of numbers that files have (gguf_types.h), of keys: those of
// arrays, of their elements.
using GgufNumberTypes = std::map<std::string, ValueType>;

// What the table says of a tensor, beside what was made of it.
struct GgufClaim {
  std::uint32_t type_number = 0;
  std::uint64_t room = 0;  // bytes up to the next tensor, 0: none in this file
  bool ends_file = false;  // no tensor follows, or only beyond the end
  bool has_shape = false;  // one that a file can hold
};

struct GgufFile {
  std::filesystem::path path;
  std::uint32_t version = 0;
  std::uint64_t alignment = 32;
  std::map<std::string, GgufValue> metadata;
  GgufNumberTypes number_types;  // of all that are numbers, or arrays of them
  TensorMap tensors;  // shapes outermost first (GGUF stores them reversed)
  std::map<std::string, GgufClaim> claims;  // of each tensor

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
//
// With an `on_fault` that returns, gives what can be read in spite of the
// faults: metadata up to the place where it cannot be followed any more, and
// every tensor of the table as far as it can be followed, those with a fault as
// kOther.  Throws Error only if the file cannot be opened.
GgufFile ReadGguf(const std::filesystem::path& path,
                  const OnFault& on_fault = ThrowFault);

// True if the file starts with the magic "GGUF".
bool IsGguf(const std::filesystem::path& path);

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_GGUF_H_
