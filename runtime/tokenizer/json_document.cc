#include "runtime/tokenizer/json_document.h"

#include <algorithm>

#include "runtime/files/input_file.h"

namespace tern::tokenizer {

using nlohmann::json;

std::optional<JsonNode> JsonNode::Find(const char* name) const {
  RequireObject();
  const auto member = value_->find(name);
  if (member == value_->end() || member->is_null()) return std::nullopt;
  return JsonNode(*member, file_, key_.empty() ? name : key_ + "." + name);
}

JsonNode JsonNode::Require(const char* name) const {
  if (auto member = Find(name)) return *std::move(member);
  Refuse(ErrorCode::kMalformed, file_, key_.empty() ? name : key_ + "." + name,
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
    Refuse(ErrorCode::kUnsupported, file_,
           key_.empty() ? name : key_ + "." + name,
           "not known to tern, and could change the result; use a byte-level "
           "BPE tokenizer");
  }
}

void JsonNode::RefuseValue(const std::string& why) const {
  const auto printed =
      value_->is_string()
          ? value_->get<std::string>()
          : value_->dump(-1, ' ', false, json::error_handler_t::replace);
  Refuse(ErrorCode::kUnsupported, file_, key_, Quoted(printed) + " " + why);
}

void JsonNode::RefuseType(const char* wanted) const {
  Refuse(ErrorCode::kMalformed, file_, key_.empty() ? "top level" : key_,
         "not " + std::string(wanted) + " but " + value_->type_name() +
             "; use the file as it was published");
}

json ReadJson(const std::filesystem::path& path, std::uint64_t max_bytes) {
  const std::string text = files::ReadTextFile(path, max_bytes);
  try {
    return json::parse(text);
  } catch (const json::parse_error& error) {
    Refuse(ErrorCode::kMalformed, path.string(),
           "byte " + std::to_string(error.byte - 1),
           "not JSON; use the file as it was published");
  } catch (const json::exception& error) {
    Refuse(ErrorCode::kMalformed, path.string(), "JSON",
           std::string(error.what()) + "; use the file as it was published");
  }
}

}  // namespace tern::tokenizer
