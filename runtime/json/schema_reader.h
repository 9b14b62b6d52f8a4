// From the text of a JSON Schema to its nodes.
#ifndef TERN_RUNTIME_JSON_SCHEMA_READER_H_
#define TERN_RUNTIME_JSON_SCHEMA_READER_H_

#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/json/schema.h"

namespace tern::json {

class SchemaReader {
 public:
  explicit SchemaReader(Schema& schema) : schema_(schema) {}
  void Read(std::string_view text);

 private:
  using Json = nlohmann::ordered_json;

  // `place` is where in the schema: "#/properties/name".
  std::size_t ReadNode(const Json& json, const std::string& place);
  void Fill(const Json& json, const std::string& place, std::size_t index);
  void FillObject(const Json& json, const std::string& place,
                  std::size_t index);
  void FillArray(const Json& json, const std::string& place, std::size_t index);
  void FillLiterals(const Json& json, const std::string& place, Node& node);
  std::size_t Reference(const Json& json, const std::string& place);
  std::size_t AnyNode();
  void RefuseCircles() const;

  // Counts one more node or value of enum, and the bytes of its text.
  void CountPart(const std::string& place, std::size_t bytes);

  Schema& schema_;
  const Json* root_ = nullptr;
  std::map<std::string, std::size_t> by_name_;  // what $ref names
  std::size_t parts_ = 0;
  std::size_t bytes_ = 0;
  std::size_t any_ = kNever;
};

}  // namespace tern::json

#endif  // TERN_RUNTIME_JSON_SCHEMA_READER_H_
