#include "runtime/json/schema_syntax.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>

#include "runtime/json/schema.h"

namespace tern::json {
namespace {

constexpr std::array<std::string_view, 11> kAnnotations = {
    "title",    "description", "default",     "examples", "$schema",  "$id",
    "$comment", "$defs",       "definitions", "readOnly", "writeOnly"};
constexpr std::array<std::string_view, 13> kRestrictions = {
    "type",     "enum",       "const",    "anyOf",
    "$ref",     "properties", "required", "additionalProperties",
    "items",    "minItems",   "maxItems", "minLength",
    "maxLength"};

bool IsAnnotation(std::string_view key) {
  return key == "deprecated" ||
         std::find(kAnnotations.begin(), kAnnotations.end(), key) !=
             kAnnotations.end();
}

unsigned TypeNamed(const SchemaJson& name, const Place& place) {
  static const std::map<std::string, unsigned> names = {
      {"null", kNull},       {"boolean", kBoolean}, {"number", kNumber},
      {"integer", kInteger}, {"string", kString},   {"array", kArray},
      {"object", kObject}};
  const auto found =
      name.is_string() ? names.find(name.get<std::string>()) : names.end();
  if (found == names.end()) {
    FailSchema(ErrorCode::kMalformed, place,
               "'type' is not the name of a type; see json-schema.org");
  }
  return found->second;
}

const SchemaJson& Member(const SchemaJson& json, const char* key,
                         const Place& place, bool is_right, const char* what) {
  if (!is_right) {
    FailSchema(ErrorCode::kMalformed, place,
               std::string("'") + key + "' is no " + what);
  }
  return json.at(key);
}

}  // namespace

std::string Place::Text() const {
  std::string text = above == nullptr ? "" : above->Text();
  text += keyword;
  text += name;
  return text;
}

void FailSchema(ErrorCode code, const Place& place, const std::string& what) {
  throw Error(code, "schema " + Shown(place.Text()) + ": " + what);
}

std::string Shown(std::string text) {
  constexpr std::size_t kMostShown = 300;
  if (text.size() > kMostShown) {
    std::size_t end = kMostShown;
    while (end > 0 &&
           (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
      --end;
    }
    text = text.substr(0, end) + "...";
  }
  for (char& byte : text) {
    if (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7F) byte = '?';
  }
  return text;
}

void CheckKeywords(const SchemaJson& json, const Place& place) {
  for (const auto& [key, value] : json.items()) {
    const bool known = IsAnnotation(key) ||
                       std::find(kRestrictions.begin(), kRestrictions.end(),
                                 key) != kRestrictions.end();
    if (!known) {
      FailSchema(ErrorCode::kUnsupported, place,
                 "'" + Shown(key) + "' is not supported; leave it out");
    }
  }
}

void CheckAlone(const SchemaJson& json, const Place& place,
                std::string_view alone, std::string_view with) {
  for (const auto& [key, value] : json.items()) {
    if (key == alone || key == with || IsAnnotation(key)) continue;
    FailSchema(ErrorCode::kUnsupported, place,
               "'" + Shown(key) + "' beside '" + std::string(alone) +
                   "' is not supported; leave one of them out");
  }
}

unsigned TypesOf(const SchemaJson& json, const Place& place) {
  if (!json.contains("type")) return kAllTypes;
  const SchemaJson& type = json.at("type");
  if (!type.is_array()) return TypeNamed(type, place);
  unsigned types = 0;
  for (const SchemaJson& name : type) types |= TypeNamed(name, place);
  return types;
}

bool HasType(const SchemaJson& value, unsigned types) {
  if (value.is_null()) return (types & kNull) != 0;
  if (value.is_boolean()) return (types & kBoolean) != 0;
  if (value.is_number_integer()) return (types & (kInteger | kNumber)) != 0;
  if (value.is_number()) return (types & kNumber) != 0;
  if (value.is_string()) return (types & kString) != 0;
  return (types & (value.is_array() ? kArray : kObject)) != 0;
}

std::size_t CountOf(const SchemaJson& json, const char* key, const Place& place,
                    std::size_t otherwise) {
  if (!json.contains(key)) return otherwise;
  const SchemaJson& count = json.at(key);
  if (!count.is_number_unsigned()) {
    FailSchema(ErrorCode::kMalformed, place,
               std::string("'") + key + "' is no whole number of at least 0");
  }
  if (count.get<std::uint64_t>() > kMostCount) {
    FailSchema(ErrorCode::kUnsupported, place,
               std::string("'") + key + "' is above " +
                   std::to_string(kMostCount) + "; use a smaller number");
  }
  return count.get<std::size_t>();
}

const SchemaJson& ArrayOf(const SchemaJson& json, const char* key,
                          const Place& place) {
  return Member(json, key, place, json.at(key).is_array(), "array");
}

const SchemaJson& ObjectOf(const SchemaJson& json, const char* key,
                           const Place& place) {
  return Member(json, key, place, json.at(key).is_object(), "object");
}

}  // namespace tern::json
