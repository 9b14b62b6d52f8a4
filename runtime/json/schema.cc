#include "runtime/json/schema.h"

#include <algorithm>

#include "runtime/json/schema_reader.h"

namespace tern::json {
namespace {

std::size_t Deeper(std::size_t depth) {
  return depth == kNever ? kNever : depth + 1;
}

}  // namespace

Schema::Schema()
    : null_text_(texts_.Add({"null"})),
      boolean_texts_(texts_.Add({"true", "false"})) {}

Schema Schema::Parse(std::string_view text) {
  Schema schema;
  SchemaReader(schema).Read(text);
  return schema;
}

Schema Schema::AnyOf(unsigned types) {
  Schema schema;
  Node any;
  any.additional = any.items = 1;
  schema.nodes_ = {any, any};
  schema.nodes_[0].types = types;
  schema.nodes_[0].alternatives = {0};
  schema.nodes_[1].alternatives = {1};
  schema.ComputeDepths();
  schema.ComputeFirstBytes();
  return schema;
}

std::size_t Schema::ArrayDepth(const Node& node) const {
  if (node.count.least > node.count.most) return kNever;
  return node.count.least == 0 ? 1 : Deeper(nodes_[node.items].depth);
}

std::size_t Schema::ObjectDepth(const Node& node) const {
  std::size_t deepest = 0;
  for (const Property& property : node.properties) {
    if (property.is_required) {
      deepest = std::max(deepest, nodes_[property.node].depth);
    }
  }
  return Deeper(deepest);
}

std::size_t Schema::DepthOf(const Node& node) const {
  if (node.has_literals) return node.texts == kNoText ? kNever : 0;
  std::size_t least = kNever;
  if (!node.any_of.empty()) {
    for (const std::size_t i : node.any_of) {
      least = std::min(least, nodes_[i].depth);
    }
    return least;
  }
  if ((node.types & (kNull | kBoolean | kNumber | kInteger)) != 0) return 0;
  if ((node.types & kString) != 0 && node.length.least <= node.length.most) {
    return 0;
  }
  if ((node.types & kArray) != 0) least = std::min(least, ArrayDepth(node));
  if ((node.types & kObject) != 0) least = std::min(least, ObjectDepth(node));
  return least;
}

// The least fixed point: a node that needs itself never gets a depth.  Most
// nodes need later ones.
void Schema::ComputeDepths() {
  for (bool changed = true; changed;) {
    changed = false;
    for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
      const std::size_t depth = DepthOf(*node);
      changed = changed || depth != node->depth;
      node->depth = depth;
    }
  }
}

// Of a node that is no anyOf.
std::string Schema::FirstBytesOf(const Node& node) const {
  if (node.has_literals) {
    return node.texts == kNoText ? "" : texts_.Bytes(node.texts);
  }
  const auto of = [&](unsigned types, const char* bytes) {
    return (node.types & types) != 0 ? bytes : "";
  };
  std::string bytes = of(kNull, "n");
  bytes += of(kBoolean, "tf");
  bytes += of(kNumber | kInteger, "-0123456789");
  bytes += of(kString, "\"");
  bytes += of(kArray, "[");
  bytes += of(kObject, "{");
  return bytes;
}

void Schema::ComputeFirstBytes() {
  for (Node& node : nodes_) {
    if (node.any_of.empty()) node.first_bytes = FirstBytesOf(node);
  }
  for (Node& node : nodes_) {
    if (node.any_of.empty()) continue;
    std::string& bytes = node.first_bytes;
    for (const std::uint32_t one : node.alternatives) {
      bytes += nodes_[one].first_bytes;
    }
    std::sort(bytes.begin(), bytes.end());
    bytes.erase(std::unique(bytes.begin(), bytes.end()), bytes.end());
  }
}

}  // namespace tern::json
