// What JSON schemas ask of values, read once more for tests of constraints.
#ifndef TERN_TESTS_SUPPORT_JSON_VALUES_H_
#define TERN_TESTS_SUPPORT_JSON_VALUES_H_

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

namespace tern {

// Of UTF-8.
inline std::size_t Characters(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) {
        return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
      }));
}

inline bool HasType(const nlohmann::json& value, const std::string& type) {
  return (type == "null" && value.is_null()) ||
         (type == "boolean" && value.is_boolean()) ||
         (type == "integer" && value.is_number_integer()) ||
         (type == "number" && value.is_number()) ||
         (type == "string" && value.is_string()) ||
         (type == "array" && value.is_array()) ||
         (type == "object" && value.is_object());
}

}  // namespace tern

#endif  // TERN_TESTS_SUPPORT_JSON_VALUES_H_
