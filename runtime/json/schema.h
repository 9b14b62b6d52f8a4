// A JSON Schema as the automaton reads it: nodes that name each other by index.
#ifndef TERN_RUNTIME_JSON_SCHEMA_H_
#define TERN_RUNTIME_JSON_SCHEMA_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/json/text_tree.h"

namespace tern::json {

// Objects and arrays within each other.
inline constexpr std::size_t kMostDepth = 32;
inline constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();
inline constexpr std::size_t kUnlimited = kNever;
// The largest count that a schema may name.
inline constexpr std::size_t kMostCount = 10000;
// Schemas that an anyOf may lead to.
inline constexpr std::size_t kMostAlternatives = 256;

enum Type : unsigned {
  kNull = 1U,
  kBoolean = 2U,
  kNumber = 4U,
  kInteger = 8U,
  kString = 16U,
  kArray = 32U,
  kObject = 64U,
  kAllTypes = kNull | kBoolean | kNumber | kString | kArray | kObject,
};

struct Property {
  std::size_t node = 0;
  bool is_required = false;
};

struct Range {
  std::size_t least = 0;
  std::size_t most = kUnlimited;
};

// What a value may be.
struct Node {
  // One of them, if there are any; then nothing else counts.
  std::vector<std::size_t> any_of;
  // The nodes that any_of leads to, themselves no anyOf; else the node itself.
  std::vector<std::uint32_t> alternatives;
  // What a value may begin with.
  std::string first_bytes;
  // One of these texts (of Schema::texts), if has_literals; then nothing else
  // counts.
  bool has_literals = false;
  std::uint32_t texts = kNoText;  // none

  unsigned types = kAllTypes;
  Range length;  // of a string, in characters
  std::vector<Property> properties;
  std::uint32_t names = kNoText;  // theirs, as JSON strings, in Schema::texts
  // [properties + 1]: the first from there on that is required; their number if
  // none is.
  std::vector<std::uint32_t> next_required = {0};
  std::size_t additional = kNever;  // node of other properties, or none
  std::size_t items = kNever;       // node
  Range count;                      // of items

  // Depth of nesting that the shallowest value takes; kNever: there is none.
  std::size_t depth = kNever;
};

class Schema {
 public:
  // Node 0 is the document.  Throws Error: kMalformed, kUnsupported,
  // kInvalidArgument as in tern/json_constraint.h.
  static Schema Parse(std::string_view text);
  static Schema AnyOf(unsigned types);

  [[nodiscard]] const Node& operator[](std::size_t i) const {
    return nodes_[i];
  }
  [[nodiscard]] const TextTrees& texts() const { return texts_; }
  [[nodiscard]] std::uint32_t null_text() const { return null_text_; }
  [[nodiscard]] std::uint32_t boolean_texts() const { return boolean_texts_; }

  // Depth of the shallowest array or object of that node.
  [[nodiscard]] std::size_t ArrayDepth(const Node& node) const;
  [[nodiscard]] std::size_t ObjectDepth(const Node& node) const;

 private:
  friend class SchemaReader;
  Schema();
  // What is known once all nodes are read.
  void ComputeDepths();
  void ComputeFirstBytes();
  [[nodiscard]] std::string FirstBytesOf(const Node& node) const;
  [[nodiscard]] std::size_t DepthOf(const Node& node) const;

  std::vector<Node> nodes_;
  TextTrees texts_;
  std::uint32_t null_text_;
  std::uint32_t boolean_texts_;
};

}  // namespace tern::json

#endif  // TERN_RUNTIME_JSON_SCHEMA_H_
