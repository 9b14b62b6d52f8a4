#include "runtime/json/schema_reader.h"

#include <algorithm>
#include <set>
#include <utility>

#include <tern/error.h>

#include "runtime/files/json.h"

namespace tern::json {
namespace {

// Of JSON.  What a schema takes to read grows with these two.
constexpr std::size_t kMostText = std::size_t{256} << 10U;
// Looked up one after another, to keep their order.
constexpr std::size_t kMostMembers = 1024;
// References to references are followed by recursion.
constexpr std::size_t kMostParts = 2000;
// Of names and values of enum: each may become a frame, and a state.
constexpr std::size_t kMostBytes = std::size_t{128} << 10U;

void CheckMembers(const nlohmann::json& json) {
  if (json.is_object() && json.size() > kMostMembers) {
    throw Error(ErrorCode::kUnsupported,
                "schema: an object has " + std::to_string(json.size()) +
                    " members, more than the limit of " +
                    std::to_string(kMostMembers) + "; use a smaller schema");
  }
  for (const nlohmann::json& value : json) {
    if (value.is_structured()) CheckMembers(value);
  }
}

bool HasLiterals(const SchemaJson& json) {
  return json.is_object() && !json.contains("$ref") &&
         !json.contains("anyOf") &&
         (json.contains("enum") || json.contains("const"));
}

}  // namespace

void SchemaReader::Read(std::string_view text) {
  if (text.size() > kMostText) {
    throw Error(ErrorCode::kUnsupported,
                "schema: has " + std::to_string(text.size()) +
                    " bytes, more than the limit of " +
                    std::to_string(kMostText) + "; use a smaller schema");
  }
  // Strict: no key twice, bounded nesting.  It sorts the keys, whose order
  // matters here: so the text is parsed once more.
  const auto strict = files::ParseJsonObject(text, "schema");
  CheckMembers(*strict);
  const Json json = Json::parse(text);
  root_ = &json;
  ReadNode(json, {});
  FindAlternatives();
  schema_.ComputeDepths();
  schema_.ComputeFirstBytes();
  if (schema_.nodes_[0].depth > kMostDepth) {
    FailSchema(ErrorCode::kInvalidArgument, {},
               schema_.nodes_[0].depth == kNever
                   ? "nothing can satisfy it; look for what requires itself"
                   : "takes more than 32 levels of nesting; use fewer");
  }
}

std::size_t SchemaReader::NewNode(const Place& place) {
  CountPart(place, 0);
  schema_.nodes_.emplace_back();
  return schema_.nodes_.size() - 1;
}

std::size_t SchemaReader::ReadNode(const Json& json, const Place& place) {
  const std::size_t index = NewNode(place);
  if (json.is_boolean()) {
    if (json.get<bool>()) {
      const std::size_t any = AnyNode();
      schema_.nodes_[index].any_of = {any};
    } else {
      schema_.nodes_[index].has_literals = true;  // none
    }
    return index;
  }
  if (!json.is_object()) {
    FailSchema(ErrorCode::kMalformed, place, "is no schema; give an object");
  }
  Fill(json, place, index);
  return index;
}

void SchemaReader::CountPart(const Place& place, std::size_t bytes) {
  bytes_ += bytes;
  if (++parts_ > kMostParts) {
    FailSchema(ErrorCode::kUnsupported, place,
               "is too large: more than " + std::to_string(kMostParts) +
                   " schemas and values of enum; use a smaller schema");
  }
  if (bytes_ > kMostBytes) {
    FailSchema(ErrorCode::kUnsupported, place,
               "is too large: names and values of enum of more than " +
                   std::to_string(kMostBytes) + " bytes; use a smaller schema");
  }
}

void SchemaReader::Fill(const Json& json, const Place& place,
                        std::size_t index) {
  CheckKeywords(json, place);
  if (json.contains("$ref")) {
    CheckAlone(json, place, "$ref", "");
    const std::size_t other = Reference(json.at("$ref"), place);
    schema_.nodes_[index].any_of = {other};
    return;
  }
  if (json.contains("anyOf")) {
    FillAnyOf(json, place, index);
    return;
  }
  if (HasLiterals(json)) {
    std::vector<std::string> literals;
    AddLiterals(json, place, literals);
    SetLiterals(index, std::move(literals));
    return;
  }
  Node& node = schema_.nodes_[index];
  node.types = TypesOf(json, place);
  node.length = {CountOf(json, "minLength", place, 0),
                 CountOf(json, "maxLength", place, kUnlimited)};
  node.count = {CountOf(json, "minItems", place, 0),
                CountOf(json, "maxItems", place, kUnlimited)};
  FillArray(json, place, index);
  FillObject(json, place, index);
}

// All values that its enum's and const's list are one node: many alternatives
// that are a constant each are as good as an enum.
void SchemaReader::FillAnyOf(const Json& json, const Place& place,
                             std::size_t index) {
  CheckAlone(json, place, "anyOf", "");
  const Json& all = ArrayOf(json, "anyOf", place);
  if (all.empty()) {
    FailSchema(ErrorCode::kMalformed, place,
               "'anyOf' is no array of schemas; list at least one");
  }
  std::vector<std::size_t> nodes;
  std::vector<std::string> literals;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string number = std::to_string(i);
    const Place member{&place, "/anyOf/", number};
    if (HasLiterals(all[i])) {
      CountPart(member, 0);
      CheckKeywords(all[i], member);
      AddLiterals(all[i], member, literals);
    } else {
      nodes.push_back(ReadNode(all[i], member));
    }
  }
  if (nodes.size() < all.size()) {
    nodes.push_back(NewNode(place));
    SetLiterals(nodes.back(), std::move(literals));
  }
  schema_.nodes_[index].any_of = std::move(nodes);
}

void SchemaReader::AddLiterals(const Json& json, const Place& place,
                               std::vector<std::string>& literals) {
  const bool is_enum = json.contains("enum");
  CheckAlone(json, place, is_enum ? "enum" : "const", "type");
  const unsigned types = TypesOf(json, place);
  const auto add = [&](const Json& value) {
    if (!HasType(value, types)) return;
    literals.push_back(value.dump());
    CountPart(place, literals.back().size());
  };
  if (!is_enum) {
    add(json.at("const"));
    return;
  }
  for (const Json& value : ArrayOf(json, "enum", place)) add(value);
}

void SchemaReader::SetLiterals(std::size_t index,
                               std::vector<std::string> literals) {
  std::sort(literals.begin(), literals.end());
  literals.erase(std::unique(literals.begin(), literals.end()), literals.end());
  schema_.nodes_[index].has_literals = true;
  if (!literals.empty()) {
    schema_.nodes_[index].texts = schema_.texts_.Add(literals);
  }
}

void SchemaReader::FillArray(const Json& json, const Place& place,
                             std::size_t index) {
  const std::size_t items =
      json.contains("items")
          ? ReadNode(json.at("items"), Place{&place, "/items"})
          : AnyNode();
  schema_.nodes_[index].items = items;
}

void SchemaReader::FillObject(const Json& json, const Place& place,
                              std::size_t index) {
  FillProperties(json, place, index);
  const auto additional = json.find("additionalProperties");
  std::size_t others = kNever;
  if (additional == json.end() || *additional == Json(true)) {
    others = AnyNode();
  } else if (*additional != Json(false)) {
    others = ReadNode(*additional, Place{&place, "/additionalProperties"});
  }
  schema_.nodes_[index].additional = others;
}

void SchemaReader::FillProperties(const Json& json, const Place& place,
                                  std::size_t index) {
  std::set<std::string> required;
  if (json.contains("required")) {
    for (const Json& name : ArrayOf(json, "required", place)) {
      if (!name.is_string()) {
        FailSchema(ErrorCode::kMalformed, place,
                   "'required' is no array of names");
      }
      required.insert(name.get<std::string>());
    }
  }
  std::vector<Property> properties;
  std::vector<std::string> names;
  if (json.contains("properties")) {
    for (const auto& [name, value] :
         ObjectOf(json, "properties", place).items()) {
      names.push_back(Json(name).dump());
      bytes_ += names.back().size();
      const std::size_t node =
          ReadNode(value, Place{&place, "/properties/", name});
      properties.push_back({node, required.erase(name) != 0});
    }
  }
  if (!required.empty()) {
    FailSchema(ErrorCode::kUnsupported, place,
               "'" + Shown(*required.begin()) +
                   "' is required but not among 'properties'; list it there");
  }
  Node& node = schema_.nodes_[index];
  if (!names.empty()) node.names = schema_.texts_.Add(names);
  const auto count = static_cast<std::uint32_t>(properties.size());
  node.next_required.assign(properties.size() + 1, count);
  for (std::uint32_t i = count; i-- > 0;) {
    node.next_required[i] =
        properties[i].is_required ? i : node.next_required[i + 1];
  }
  node.properties = std::move(properties);
}

std::size_t SchemaReader::Reference(const Json& json, const Place& place) {
  const std::string target = json.is_string() ? json.get<std::string>() : "";
  if (target == "#") return 0;
  const auto known = by_name_.find(target);
  if (known != by_name_.end()) return known->second;
  for (const std::string key : {"$defs", "definitions"}) {
    const std::string start = "#/" + key + "/";
    if (target.rfind(start, 0) != 0) continue;
    const std::string name = target.substr(start.size());
    if (name.find_first_of("/~%") != std::string::npos) break;
    if (root_->contains(key) && root_->at(key).is_object() &&
        root_->at(key).contains(name)) {
      // Known before it is read: it may name itself.
      const std::size_t index = schema_.nodes_.size();
      by_name_.emplace(target, index);
      ReadNode(root_->at(key).at(name), Place{nullptr, target});
      return index;
    }
    FailSchema(
        ErrorCode::kMalformed, place,
        "'$ref' to " + Shown(target) + ", which is not there; define it");
  }
  FailSchema(ErrorCode::kUnsupported, place,
             "'$ref' to '" + Shown(target) + "'; use # or #/$defs/NAME");
}

// The node of any value.
std::size_t SchemaReader::AnyNode() {
  if (any_ == kNever) {
    any_ = schema_.nodes_.size();
    Node any;
    any.items = any.additional = any_;
    schema_.nodes_.push_back(any);
  }
  return any_;
}

// From the ends of anyOf and $ref back.  A node that is nothing but itself
// would never say what it is.
void SchemaReader::FindAlternatives() {
  enum class Seen { kNot, kOnTheWay, kDone };
  std::vector<Seen> seen(schema_.nodes_.size());
  std::vector<std::pair<std::size_t, std::size_t>> way;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (seen[i] == Seen::kNot) way = {{i, 0}};
    while (!way.empty()) {
      auto& [at, next] = way.back();
      const std::vector<std::size_t>& others = schema_.nodes_[at].any_of;
      seen[at] = Seen::kOnTheWay;
      if (next == others.size()) {
        seen[at] = Seen::kDone;
        AddAlternatives(at);
        way.pop_back();
        continue;
      }
      const std::size_t other = others[next++];
      if (seen[other] == Seen::kOnTheWay) {
        FailSchema(
            ErrorCode::kInvalidArgument, {},
            "a '$ref' or 'anyOf' leads back to itself; look for a circle");
      }
      if (seen[other] == Seen::kNot) way.emplace_back(other, 0);
    }
  }
}

void SchemaReader::AddAlternatives(std::size_t index) {
  Node& node = schema_.nodes_[index];
  if (node.any_of.empty()) {
    node.alternatives = {static_cast<std::uint32_t>(index)};
    return;
  }
  std::vector<bool> is_there(schema_.nodes_.size());
  for (const std::size_t other : node.any_of) {
    for (const std::uint32_t one : schema_.nodes_[other].alternatives) {
      if (is_there[one]) continue;
      is_there[one] = true;
      node.alternatives.push_back(one);
    }
  }
  if (node.alternatives.size() > kMostAlternatives) {
    FailSchema(ErrorCode::kUnsupported, {},
               "an 'anyOf' leads to " +
                   std::to_string(node.alternatives.size()) +
                   " schemas other than enum and const, more than the limit "
                   "of " +
                   std::to_string(kMostAlternatives) + "; use fewer");
  }
}

}  // namespace tern::json
