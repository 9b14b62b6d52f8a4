#include "runtime/json/schema_reader.h"

#include <algorithm>
#include <array>
#include <set>

#include <tern/error.h>

#include "runtime/files/json.h"

namespace tern::json {
namespace {

using Json = nlohmann::ordered_json;

// References to references are followed by recursion; and each value of an enum
// may be a stack of its own.
constexpr std::size_t kMostParts = 2000;
// Of names and values of enum: each may become a frame.
constexpr std::size_t kMostBytes = std::size_t{128} << 10U;

constexpr std::array<std::string_view, 11> kAnnotations = {
    "title",    "description", "default",     "examples", "$schema",  "$id",
    "$comment", "$defs",       "definitions", "readOnly", "writeOnly"};
constexpr std::array<std::string_view, 13> kRestrictions = {
    "type",     "enum",       "const",    "anyOf",
    "$ref",     "properties", "required", "additionalProperties",
    "items",    "minItems",   "maxItems", "minLength",
    "maxLength"};

// Names are the user's: on one line, and not without end.
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

[[noreturn]] void Fail(ErrorCode code, const std::string& place,
                       const std::string& what) {
  throw Error(code, "schema " + Shown(place) + ": " + what);
}

bool IsAnnotation(std::string_view key) {
  return key == "deprecated" ||
         std::find(kAnnotations.begin(), kAnnotations.end(), key) !=
             kAnnotations.end();
}

// Every keyword is known; besides `alone` and those in `with` none restricts.
void CheckKeywords(const Json& json, const std::string& place) {
  for (const auto& [key, value] : json.items()) {
    const bool known = IsAnnotation(key) ||
                       std::find(kRestrictions.begin(), kRestrictions.end(),
                                 key) != kRestrictions.end();
    if (!known) {
      Fail(ErrorCode::kUnsupported, place,
           "'" + Shown(key) + "' is not supported; leave it out");
    }
  }
}

void CheckAlone(const Json& json, const std::string& place,
                std::string_view alone, std::string_view with) {
  for (const auto& [key, value] : json.items()) {
    if (key == alone || key == with || IsAnnotation(key)) continue;
    Fail(ErrorCode::kUnsupported, place,
         "'" + Shown(key) + "' beside '" + std::string(alone) +
             "' is not supported; leave one of them out");
  }
}

unsigned TypeNamed(const Json& name, const std::string& place) {
  static const std::map<std::string, unsigned> names = {
      {"null", kNull},       {"boolean", kBoolean}, {"number", kNumber},
      {"integer", kInteger}, {"string", kString},   {"array", kArray},
      {"object", kObject}};
  const auto found =
      name.is_string() ? names.find(name.get<std::string>()) : names.end();
  if (found == names.end()) {
    Fail(ErrorCode::kMalformed, place,
         "'type' is not the name of a type; see json-schema.org");
  }
  return found->second;
}

unsigned TypesOf(const Json& json, const std::string& place) {
  if (!json.contains("type")) return kAllTypes;
  const Json& type = json.at("type");
  if (!type.is_array()) return TypeNamed(type, place);
  unsigned types = 0;
  for (const Json& name : type) types |= TypeNamed(name, place);
  return types;
}

// Whether a value of `enum` has one of the types.
bool HasType(const Json& value, unsigned types) {
  if (value.is_null()) return (types & kNull) != 0;
  if (value.is_boolean()) return (types & kBoolean) != 0;
  if (value.is_number_integer()) return (types & (kInteger | kNumber)) != 0;
  if (value.is_number()) return (types & kNumber) != 0;
  if (value.is_string()) return (types & kString) != 0;
  return (types & (value.is_array() ? kArray : kObject)) != 0;
}

std::size_t Count(const Json& json, const char* key, const std::string& place,
                  std::size_t otherwise) {
  if (!json.contains(key)) return otherwise;
  const Json& count = json.at(key);
  if (!count.is_number_unsigned()) {
    Fail(ErrorCode::kMalformed, place,
         std::string("'") + key + "' is no whole number of at least 0");
  }
  if (count.get<std::uint64_t>() > kMostCount) {
    Fail(ErrorCode::kUnsupported, place,
         std::string("'") + key + "' is above " + std::to_string(kMostCount) +
             "; use a smaller number");
  }
  return count.get<std::size_t>();
}

const Json& Member(const Json& json, const char* key, const std::string& place,
                   bool is_right, const char* what) {
  if (!is_right) {
    Fail(ErrorCode::kMalformed, place,
         std::string("'") + key + "' is no " + what);
  }
  return json.at(key);
}

}  // namespace

void SchemaReader::Read(std::string_view text) {
  // Strict: no key twice, bounded nesting.  It sorts the keys, whose order
  // matters here: so the text is parsed once more.
  const auto strict = files::ParseJsonObject(text, "schema");
  const Json json = Json::parse(text);
  root_ = &json;
  ReadNode(json, "#");
  RefuseCircles();
  schema_.ComputeDepths();
  if (schema_.nodes_[0].depth > kMostDepth) {
    Fail(ErrorCode::kInvalidArgument, "#",
         schema_.nodes_[0].depth == kNever
             ? "nothing can satisfy it; look for what requires itself"
             : "takes more than 32 levels of nesting; use fewer");
  }
}

std::size_t SchemaReader::ReadNode(const Json& json, const std::string& place) {
  CountPart(place, 0);
  const std::size_t index = schema_.nodes_.size();
  schema_.nodes_.emplace_back();
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
    Fail(ErrorCode::kMalformed, place, "is no schema; give an object");
  }
  Fill(json, place, index);
  return index;
}

void SchemaReader::CountPart(const std::string& place, std::size_t bytes) {
  bytes_ += bytes;
  if (++parts_ > kMostParts || bytes_ > kMostBytes) {
    Fail(ErrorCode::kUnsupported, place, "is too large; use a smaller schema");
  }
}

void SchemaReader::Fill(const Json& json, const std::string& place,
                        std::size_t index) {
  CheckKeywords(json, place);
  if (json.contains("$ref")) {
    CheckAlone(json, place, "$ref", "");
    const std::size_t other = Reference(json.at("$ref"), place);
    schema_.nodes_[index].any_of = {other};
    return;
  }
  if (json.contains("anyOf")) {
    CheckAlone(json, place, "anyOf", "");
    const Json& all =
        Member(json, "anyOf", place,
               json.at("anyOf").is_array() && !json.at("anyOf").empty(),
               "array of schemas");
    std::vector<std::size_t> nodes;
    for (std::size_t i = 0; i < all.size(); ++i) {
      nodes.push_back(ReadNode(all[i], place + "/anyOf/" + std::to_string(i)));
    }
    schema_.nodes_[index].any_of = nodes;
    return;
  }
  if (json.contains("enum") || json.contains("const")) {
    FillLiterals(json, place, schema_.nodes_[index]);
    return;
  }
  Node& node = schema_.nodes_[index];
  node.types = TypesOf(json, place);
  node.length = {Count(json, "minLength", place, 0),
                 Count(json, "maxLength", place, kUnlimited)};
  node.count = {Count(json, "minItems", place, 0),
                Count(json, "maxItems", place, kUnlimited)};
  FillArray(json, place, index);
  FillObject(json, place, index);
}

void SchemaReader::FillLiterals(const Json& json, const std::string& place,
                                Node& node) {
  const char* key = json.contains("enum") ? "enum" : "const";
  CheckAlone(json, place, key, "type");
  const unsigned types = TypesOf(json, place);
  node.has_literals = true;
  const auto add = [&](const Json& value) {
    if (!HasType(value, types)) return;
    node.literals.push_back(value.dump());
    CountPart(place, node.literals.back().size());
  };
  if (json.contains("const")) {
    add(json.at("const"));
    return;
  }
  for (const Json& value :
       Member(json, "enum", place, json.at("enum").is_array(), "array")) {
    add(value);
  }
}

void SchemaReader::FillArray(const Json& json, const std::string& place,
                             std::size_t index) {
  const std::size_t items = json.contains("items")
                                ? ReadNode(json.at("items"), place + "/items")
                                : AnyNode();
  schema_.nodes_[index].items = items;
}

void SchemaReader::FillObject(const Json& json, const std::string& place,
                              std::size_t index) {
  std::vector<Property> properties;
  std::set<std::string> required;
  if (json.contains("required")) {
    for (const Json& name : Member(json, "required", place,
                                   json.at("required").is_array(), "array")) {
      if (!name.is_string()) {
        Fail(ErrorCode::kMalformed, place, "'required' is no array of names");
      }
      required.insert(name.get<std::string>());
    }
  }
  if (json.contains("properties")) {
    const Json& all = Member(json, "properties", place,
                             json.at("properties").is_object(), "object");
    for (const auto& [name, value] : all.items()) {
      std::string member = place;
      member += "/properties/";
      member += name;
      bytes_ += name.size();
      const std::size_t node = ReadNode(value, member);
      properties.push_back(
          {Json(name).dump(), node, required.erase(name) != 0});
    }
  }
  if (!required.empty()) {
    Fail(ErrorCode::kUnsupported, place,
         "'" + Shown(*required.begin()) +
             "' is required but not among 'properties'; list it there");
  }
  const Json additional = json.value("additionalProperties", Json(true));
  std::size_t others = kNever;
  if (!additional.is_boolean()) {
    others = ReadNode(additional, place + "/additionalProperties");
  } else if (additional.get<bool>()) {
    others = AnyNode();
  }
  Node& node = schema_.nodes_[index];
  node.properties = properties;
  node.additional = others;
}

std::size_t SchemaReader::Reference(const Json& json,
                                    const std::string& place) {
  const std::string target = json.is_string() ? json.get<std::string>() : "";
  if (target == "#") return 0;
  for (const std::string key : {"$defs", "definitions"}) {
    const std::string start = "#/" + key + "/";
    if (target.rfind(start, 0) != 0) continue;
    const std::string name = target.substr(start.size());
    if (name.find_first_of("/~%") != std::string::npos) break;
    if (root_->contains(key) && root_->at(key).is_object() &&
        root_->at(key).contains(name)) {
      const auto [found, is_new] =
          by_name_.try_emplace(target, schema_.nodes_.size());
      // Known before it is read: it may name itself.
      if (is_new) ReadNode(root_->at(key).at(name), target);
      return found->second;
    }
    Fail(ErrorCode::kMalformed, place,
         "'$ref' to " + Shown(target) + ", which is not there; define it");
  }
  Fail(ErrorCode::kUnsupported, place,
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

// A node that is nothing but itself would never say what it is.
void SchemaReader::RefuseCircles() const {
  // 0: not seen, 1: on the way, 2: done
  std::vector<int> seen(schema_.nodes_.size(), 0);
  std::vector<std::pair<std::size_t, std::size_t>> way;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (seen[i] == 0) way = {{i, 0}};
    while (!way.empty()) {
      auto& [at, next] = way.back();
      const std::vector<std::size_t>& others = schema_.nodes_[at].any_of;
      seen[at] = 1;
      if (next == others.size()) {
        seen[at] = 2;
        way.pop_back();
        continue;
      }
      const std::size_t other = others[next++];
      if (seen[other] == 1) {
        Fail(ErrorCode::kInvalidArgument, "#",
             "a '$ref' or 'anyOf' leads back to itself; look for a circle");
      }
      if (seen[other] == 0) way.emplace_back(other, 0);
    }
  }
}

}  // namespace tern::json
