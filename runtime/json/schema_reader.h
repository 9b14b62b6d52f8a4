// From the text of a JSON Schema to its nodes.
#ifndef TERN_RUNTIME_JSON_SCHEMA_READER_H_
#define TERN_RUNTIME_JSON_SCHEMA_READER_H_

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/json/schema.h"
#include "runtime/json/schema_syntax.h"

namespace tern::json {

class SchemaReader {
 public:
  explicit SchemaReader(Schema& schema) : schema_(schema) {}
  // Takes 30 ms at the most on a server's core of 2023, by the limits that the
  // .cc file names.
  void Read(std::string_view text);

 private:
  using Json = SchemaJson;

  std::size_t NewNode(const Place& place);
  std::size_t ReadNode(const Json& json, const Place& place);
  void Fill(const Json& json, const Place& place, std::size_t index);
  void FillAnyOf(const Json& json, const Place& place, std::size_t index);
  void FillObject(const Json& json, const Place& place, std::size_t index);
  void FillProperties(const Json& json, const Place& place, std::size_t index);
  void FillArray(const Json& json, const Place& place, std::size_t index);
  // Adds to `literals` what enum or const lists.
  void AddLiterals(const Json& json, const Place& place,
                   std::vector<std::string>& literals);
  void SetLiterals(std::size_t index, std::vector<std::string> literals);
  std::size_t Reference(const Json& json, const Place& place);
  std::size_t AnyNode();
  // Fills Node::alternatives.
  void FindAlternatives();
  void AddAlternatives(std::size_t index);

  // Counts one more node or value of enum, and the bytes of its text.
  void CountPart(const Place& place, std::size_t bytes);

  Schema& schema_;
  const Json* root_ = nullptr;
  std::map<std::string, std::size_t, std::less<>> by_name_;  // what $ref names
  std::size_t parts_ = 0;
  std::size_t bytes_ = 0;
  std::size_t any_ = kNever;
};

}  // namespace tern::json

#endif  // TERN_RUNTIME_JSON_SCHEMA_READER_H_
