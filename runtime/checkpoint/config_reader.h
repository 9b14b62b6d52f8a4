// A JSON object of a configuration, member by member, with errors that name the
// file and the key.
#ifndef TERN_RUNTIME_CHECKPOINT_CONFIG_READER_H_
#define TERN_RUNTIME_CHECKPOINT_CONFIG_READER_H_

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include <tern/error.h>

#include "runtime/files/quote.h"

namespace tern::checkpoint {

// Whether `value` is an array of `count` times `text`.
inline bool IsListOf(const nlohmann::json& value, std::size_t count,
                     std::string_view text) {
  return value.is_array() && value.size() == count &&
         std::all_of(value.begin(), value.end(), [&](const auto& element) {
           return element.is_string() &&
                  element.template get_ref<const std::string&>() == text;
         });
}

// A JSON object and where it comes from; null counts as absent.
class ConfigReader {
 public:
  ConfigReader(const nlohmann::json& object, std::string place)
      : object_(object), place_(std::move(place)) {}

  [[nodiscard]] bool Has(const char* key) const {
    const auto found = object_.find(key);
    return found != object_.end() && !found->is_null();
  }
  [[nodiscard]] std::size_t Size(const char* key) const {
    const nlohmann::json& value = Get(key);
    if (!value.is_number_unsigned()) {
      BadType(key, "a size");
    }
    return value.get<std::size_t>();
  }
  [[nodiscard]] float Float(const char* key) const {
    const nlohmann::json& value = Get(key);
    if (!value.is_number()) {
      BadType(key, "a number");
    }
    return static_cast<float>(value.get<double>());
  }
  [[nodiscard]] bool Bool(const char* key) const {
    const nlohmann::json& value = Get(key);
    if (!value.is_boolean()) {
      BadType(key, "true or false");
    }
    return value.get<bool>();
  }
  [[nodiscard]] std::string String(const char* key) const {
    const nlohmann::json& value = Get(key);
    if (!value.is_string()) {
      BadType(key, "a string");
    }
    return value.get<std::string>();
  }
  [[nodiscard]] const nlohmann::json& Get(const char* key) const {
    if (!Has(key)) {
      throw Error(ErrorCode::kNotFound,
                  place_ + ": key " + files::Quote(key) +
                      " is missing; take it from the original model");
    }
    return object_.at(key);
  }
  // An object inside this one.
  [[nodiscard]] ConfigReader Object(const char* key) const {
    const nlohmann::json& value = Get(key);
    if (!value.is_object()) {
      BadType(key, "an object");
    }
    return {value, place_ + ": " + key};
  }
  // Throws Error unless key is absent or one of the values.
  void Expect(const char* key, const nlohmann::json& value) const {
    if (Has(key) && Get(key) != value) {
      Refuse(key, "is " + Shown(Get(key)) + ", but only " + Shown(value) +
                      " is supported");
    }
  }
  [[noreturn]] void Refuse(const std::string& key,
                           const std::string& what) const {
    throw Error(ErrorCode::kUnsupported,
                place_ + ": key " + files::Quote(key) + ": " + what +
                    "; tern runs nothing that it does not understand");
  }
  static std::string Shown(const nlohmann::json& value) {
    return files::Quote(
        value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
  }

  [[nodiscard]] const nlohmann::json& object() const { return object_; }
  [[nodiscard]] const std::string& place() const { return place_; }

 private:
  [[noreturn]] void BadType(const char* key, const char* wanted) const {
    throw Error(ErrorCode::kMalformed, place_ + ": key " + files::Quote(key) +
                                           ": is not " + wanted +
                                           "; take it from the original model");
  }

  const nlohmann::json& object_;
  std::string place_;
};

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_CONFIG_READER_H_
