// A JSON file, with Errors that name the file and the key.
#ifndef TERN_RUNTIME_TOKENIZER_JSON_DOCUMENT_H_
#define TERN_RUNTIME_TOKENIZER_JSON_DOCUMENT_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {

// Of tokenizer_config.json and its like.
inline constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{16} << 20;

// One value within a JSON file and the way to it ("model.merges[3]").
// Everything it gives refers to the document, which must outlive it.
class JsonNode {
 public:
  JsonNode(const nlohmann::json& value, std::string file, std::string key)
      : value_(&value), file_(std::move(file)), key_(std::move(key)) {}

  [[nodiscard]] const nlohmann::json& value() const { return *value_; }
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] const std::string& key() const { return key_; }

  // A member of an object; nullopt if it is absent or null.
  [[nodiscard]] std::optional<JsonNode> Find(const std::string& name) const;
  // The same; throws Error (kMalformed) if it is absent or null.
  [[nodiscard]] JsonNode Require(const std::string& name) const;
  // An element of an array.
  [[nodiscard]] JsonNode At(std::size_t index) const;

  // Each throws Error (kMalformed) if the value is of another type.
  [[nodiscard]] const std::string& String() const;
  [[nodiscard]] bool Bool() const;
  // A token id: an integer in [0, limit).
  [[nodiscard]] Token Id(std::size_t limit) const;
  void RequireObject() const;
  void RequireArray() const;

  // Throws Error (kUnsupported) for a member that is not among `names`: what is
  // not known could change a result.
  void AllowOnly(std::initializer_list<std::string_view> names) const;
  // "`value` WHY": throws Error (kUnsupported).
  [[noreturn]] void RefuseValue(const std::string& why) const;

 private:
  // The key of a member, on one line whatever its name holds.
  [[nodiscard]] std::string KeyOf(std::string_view name) const;
  [[noreturn]] void RefuseType(const char* wanted) const;

  const nlohmann::json* value_;
  std::string file_;
  std::string key_;
};

// Refuses the member `name` unless it is absent, null or equal to `harmless`.
void RequireUnset(const JsonNode& node, const char* name,
                  const nlohmann::json& harmless);
// Refuses an object whose "type" is not `wanted`.
void RequireType(const JsonNode& node, const char* wanted);

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_JSON_DOCUMENT_H_
