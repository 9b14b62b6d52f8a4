// The keywords of a JSON Schema one by one: which there are, and what their
// values must look like.  All throw Error (kMalformed, kUnsupported) that names
// the place.
#ifndef TERN_RUNTIME_JSON_SCHEMA_SYNTAX_H_
#define TERN_RUNTIME_JSON_SCHEMA_SYNTAX_H_

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include <tern/error.h>

namespace tern::json {

using SchemaJson = nlohmann::ordered_json;

// Where in a schema: "#/properties/name".  It is put together for an error
// only: of long names below each other that would be megabytes.
struct Place {
  const Place* above = nullptr;
  std::string_view keyword = "#";
  std::string_view name = {};

  [[nodiscard]] std::string Text() const;
};

[[noreturn]] void FailSchema(ErrorCode code, const Place& place,
                             const std::string& what);
// Names are the user's: on one line, and not without end.
std::string Shown(std::string text);

// Every keyword is known.
void CheckKeywords(const SchemaJson& json, const Place& place);
// Besides `alone` and `with` none restricts.
void CheckAlone(const SchemaJson& json, const Place& place,
                std::string_view alone, std::string_view with);

// Values of keywords.
unsigned TypesOf(const SchemaJson& json, const Place& place);
std::size_t CountOf(const SchemaJson& json, const char* key, const Place& place,
                    std::size_t otherwise);
const SchemaJson& ArrayOf(const SchemaJson& json, const char* key,
                          const Place& place);
const SchemaJson& ObjectOf(const SchemaJson& json, const char* key,
                           const Place& place);

// Whether a value has one of the types.
bool HasType(const SchemaJson& value, unsigned types);

}  // namespace tern::json

#endif  // TERN_RUNTIME_JSON_SCHEMA_SYNTAX_H_
