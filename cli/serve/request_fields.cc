#include "cli/serve/request_fields.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cli/serve/api_error.h"

namespace tern::cli::serve {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxMembers = 1024;

ApiError BadJson(const std::string& what) {
  return {400, "the body " + what, "", "invalid_json"};
}

// Looks at the events of the parser.  A name given twice would leave open which
// value counts.
class Bounds {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    if (depth > kMaxDepth) {
      throw BadJson("is nested deeper than " + std::to_string(kMaxDepth));
    }
    if (event == Json::parse_event_t::object_start) names_.emplace_back();
    if (event == Json::parse_event_t::object_end) names_.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto& name = parsed.get_ref<const std::string&>();
      if (!names_.back().insert(name).second) {
        throw BadJson("has '" + name.substr(0, 100) + "' twice in one object");
      }
      if (names_.back().size() > kMaxMembers) {
        throw BadJson("has an object of more than " +
                      std::to_string(kMaxMembers) + " members");
      }
    }
    return true;
  }

 private:
  std::vector<std::set<std::string>> names_;
};

std::string InWords(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15
             ? std::to_string(static_cast<std::int64_t>(value))
             : std::to_string(value);
}

}  // namespace

Json ParseObject(const std::string& body) {
  Json json;
  try {
    json = Json::parse(body,
                       [bounds = Bounds()](int depth, Json::parse_event_t event,
                                           const Json& parsed) mutable {
                         return bounds(depth, event, parsed);
                       });
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, ..."
    const std::string what = error.what();
    const std::size_t name = what.find("] ");
    throw BadJson("is not JSON: " +
                  what.substr(name == std::string::npos ? 0 : name + 2));
  }
  if (!json.is_object()) throw BadJson("is not a JSON object");
  return json;
}

RequestFields::RequestFields(const Json& object, std::string prefix)
    : object_(object), prefix_(std::move(prefix)) {}

const Json* RequestFields::Find(const std::string& name) {
  known_.insert(name);
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<bool> RequestFields::Bool(const std::string& name) {
  const Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) {
    throw BadParameter(Name(name), "is not true or false", "invalid_type");
  }
  return value->get<bool>();
}

std::optional<std::int64_t> RequestFields::Integer(const std::string& name,
                                                   std::int64_t min,
                                                   std::int64_t max) {
  const Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_integer()) {
    throw BadParameter(Name(name), "is not a whole number", "invalid_type");
  }
  const bool fits = !value->is_number_unsigned() ||
                    value->get<std::uint64_t>() <= std::uint64_t{INT64_MAX};
  const auto number = value->get<std::int64_t>();
  if (!fits || number < min || number > max) {
    throw BadParameter(Name(name), "is not from " + std::to_string(min) +
                                       " to " + std::to_string(max));
  }
  return number;
}

std::optional<double> RequestFields::Number(const std::string& name, double min,
                                            double max) {
  const Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) {
    throw BadParameter(Name(name), "is not a number", "invalid_type");
  }
  const auto number = value->get<double>();
  if (!(number >= min && number <= max)) {
    throw BadParameter(Name(name),
                       "is not from " + InWords(min) + " to " + InWords(max));
  }
  return number;
}

std::optional<std::string> RequestFields::String(const std::string& name) {
  const Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    throw BadParameter(Name(name), "is not a string", "invalid_type");
  }
  return value->get<std::string>();
}

const Json* RequestFields::Object(const std::string& name) {
  const Json* value = Find(name);
  if (value != nullptr && !value->is_object()) {
    throw BadParameter(Name(name), "is not an object", "invalid_type");
  }
  return value;
}

void RequestFields::Accept(std::initializer_list<const char*> names) {
  known_.insert(names.begin(), names.end());
}

void RequestFields::Refuse(std::initializer_list<const char*> names,
                           std::initializer_list<const char*> harmless) {
  for (const char* name : names) {
    const Json* value = Find(name);
    if (value == nullptr) continue;
    const bool is_none = (value->is_boolean() && !value->get<bool>()) ||
                         (value->is_structured() && value->empty());
    const bool is_harmless =
        value->is_string() &&
        std::any_of(harmless.begin(), harmless.end(),
                    [&](const char* text) { return *value == text; });
    if (is_none || is_harmless) continue;
    throw BadParameter(Name(name), "asks for what tern cannot do; leave it out",
                       "unsupported_parameter");
  }
}

void RequestFields::RefuseUnknown() const {
  for (const auto& [name, value] : object_.items()) {
    if (known_.count(name) != 0) continue;
    throw BadParameter(Name(name).substr(0, 200),
                       "is not a parameter that tern knows; leave it out",
                       "unknown_parameter");
  }
}

}  // namespace tern::cli::serve
