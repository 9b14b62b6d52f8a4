#include "runtime/tokenizer/json_document.h"

#include <algorithm>

#include "runtime/files/quote.h"

namespace tern::tokenizer {

using nlohmann::json;

std::string JsonNode::KeyOf(std::string_view name) const {
  const std::string quoted = files::Quote(name);
  const std::string printable = quoted.substr(1, quoted.size() - 2);
  return key_.empty() ? printable : key_ + "." + printable;
}

std::optional<JsonNode> JsonNode::Find(const std::string& name) const {
  RequireObject();
  const auto member = value_->find(name);
  if (member == value_->end() || member->is_null()) return std::nullopt;
  return JsonNode(*member, file_, KeyOf(name));
}

JsonNode JsonNode::Require(const std::string& name) const {
  if (auto member = Find(name)) return *std::move(member);
  Refuse(ErrorCode::kMalformed, file_, KeyOf(name),
         "missing; use the file as it was published");
}

JsonNode JsonNode::At(std::size_t index) const {
  return {(*value_)[index], file_, key_ + "[" + std::to_string(index) + "]"};
}

const std::string& JsonNode::String() const {
  const auto* text = value_->get_ptr<const std::string*>();
  if (text == nullptr) RefuseType("a string");
  return *text;
}

bool JsonNode::Bool() const {
  if (!value_->is_boolean()) RefuseType("true or false");
  return value_->get<bool>();
}

Token JsonNode::Id(std::size_t limit) const {
  if (!value_->is_number_integer()) RefuseType("a token id");
  if (!value_->is_number_unsigned() || value_->get<std::uint64_t>() >= limit) {
    Refuse(ErrorCode::kMalformed, file_, key_,
           "id " + value_->dump() + " is not within 0 to " +
               std::to_string(limit - 1) +
               ", the ids of the vocabulary; use the file as it was published");
  }
  return value_->get<Token>();
}

void JsonNode::RequireObject() const {
  if (!value_->is_object()) RefuseType("an object");
}

void JsonNode::RequireArray() const {
  if (!value_->is_array()) RefuseType("an array");
}

void JsonNode::AllowOnly(std::initializer_list<std::string_view> names) const {
  RequireObject();
  for (const auto& [name, unused] : value_->items()) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    Refuse(ErrorCode::kUnsupported, file_, KeyOf(name),
           "not known to tern, and could change the result; use a byte-level "
           "BPE tokenizer");
  }
}

void JsonNode::RefuseValue(const std::string& why) const {
  const auto* text = value_->get_ptr<const std::string*>();
  const std::string printed =
      text != nullptr
          ? *text
          : value_->dump(-1, ' ', true, json::error_handler_t::replace);
  Refuse(ErrorCode::kUnsupported, file_, key_,
         files::Quote(printed) + " " + why);
}

void JsonNode::RefuseType(const char* wanted) const {
  Refuse(ErrorCode::kMalformed, file_, key_.empty() ? "top level" : key_,
         "not " + std::string(wanted) + " but " + value_->type_name() +
             "; use the file as it was published");
}

void RequireUnset(const JsonNode& node, const char* name,
                  const json& harmless) {
  const auto member = node.Find(name);
  if (member.has_value() && member->value() != harmless) {
    member->RefuseValue("is not known to tern; it needs " + harmless.dump() +
                        " or null here");
  }
}

void RequireType(const JsonNode& node, const char* wanted) {
  const JsonNode type = node.Require("type");
  if (type.String() == wanted) return;
  type.RefuseValue("is not known to tern; it needs '" + std::string(wanted) +
                   "' here");
}

}  // namespace tern::tokenizer
