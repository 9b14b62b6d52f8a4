#include "runtime/files/json.h"

#include <set>
#include <utility>
#include <vector>

#include <tern/error.h>

#include "runtime/files/input_file.h"
#include "runtime/files/quote.h"

namespace tern::files {
namespace {

using nlohmann::json;

using Builder = nlohmann::detail::json_sax_dom_parser<json>;

// Builds the value from the parser's events and watches them: the library
// itself keeps the last of two equal keys and nests as deep as memory allows.
// (Its parser with a callback would do, but looks through the whole object
// around at each end of an object: quadratic in a file of many tensors.)
class Checked : public json::json_sax_t {
 public:
  Checked(json& value, const std::string& place, JsonLimits limits)
      : place_(place), limits_(limits), builder_(value) {}

  bool null() override {
    CountElement();
    return builder_.null();
  }
  bool boolean(bool value) override {
    CountElement();
    return builder_.boolean(value);
  }
  bool number_integer(number_integer_t value) override {
    CountElement();
    return builder_.number_integer(value);
  }
  bool number_unsigned(number_unsigned_t value) override {
    CountElement();
    return builder_.number_unsigned(value);
  }
  bool number_float(number_float_t value, const string_t& text) override {
    CountElement();
    return builder_.number_float(value, text);
  }
  bool string(string_t& value) override {
    CountElement();
    return builder_.string(value);
  }
  bool binary(binary_t& value) override { return builder_.binary(value); }

  bool start_object(std::size_t size) override {
    Enter(false);
    return builder_.start_object(size);
  }
  bool key(string_t& name) override {
    if (!open_.back().keys.insert(name).second) {
      Refuse("key " + Quote(name) +
             " appears twice in one JSON object; remove one");
    }
    return builder_.key(name);
  }
  bool end_object() override {
    open_.pop_back();
    return builder_.end_object();
  }
  bool start_array(std::size_t size) override {
    Enter(true);
    return builder_.start_array(size);
  }
  bool end_array() override {
    open_.pop_back();
    return builder_.end_array();
  }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const json::exception& error) override {
    if (dynamic_cast<const json::out_of_range*>(&error) != nullptr) {
      Refuse("not valid JSON (a number out of range); fetch the file again");
    }
    Refuse("not valid JSON at byte " + std::to_string(position) +
           "; fetch the file again");
  }

 private:
  struct Level {
    bool is_array = false;
    std::size_t elements = 0;    // of an array
    std::set<std::string> keys;  // of an object
  };

  [[noreturn]] void Refuse(const std::string& what) const {
    throw Error(ErrorCode::kMalformed, place_ + ": " + what);
  }

  void Enter(bool is_array) {
    CountElement();
    if (open_.size() == limits_.depth) {
      Refuse("JSON nested deeper than " + std::to_string(limits_.depth) +
             " levels; this is not the file it should be");
    }
    open_.push_back({.is_array = is_array, .elements = 0, .keys = {}});
  }

  void CountElement() {
    if (!open_.empty() && open_.back().is_array &&
        ++open_.back().elements > limits_.array_length) {
      Refuse("a JSON array of more than " +
             std::to_string(limits_.array_length) +
             " elements; this is not the file it should be");
    }
  }

  const std::string& place_;
  JsonLimits limits_;
  Builder builder_;
  std::vector<Level> open_;
};

// Empties `value` from its leaves up: a container of nothing but scalars and
// empty containers goes without an allocation.
// NOLINTNEXTLINE(misc-no-recursion): as deep as JsonLimits
void Empty(json& value) {
  if (!value.is_structured()) return;
  for (json& child : value) Empty(child);
  value.clear();
}

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): Empty throws nothing
JsonDocument::~JsonDocument() { Empty(value_); }

JsonDocument ParseJsonObject(std::string_view text, const std::string& place,
                             JsonLimits limits) {
  JsonDocument document;
  Checked checked(document.value(), place, limits);
  json::sax_parse(text,
                  &checked);  // false only after parse_error, which throws
  if (!document->is_object()) {
    throw Error(ErrorCode::kMalformed,
                place +
                    ": a JSON object was expected; this is not the file "
                    "it should be");
  }
  return document;
}

JsonDocument ReadJsonObject(const std::filesystem::path& path,
                            std::uint64_t max_bytes, JsonLimits limits) {
  return ParseJsonObject(ReadTextFile(path, max_bytes), path.string(), limits);
}

std::string DumpJson(const json& value, const std::string& place, int indent) {
  try {
    return value.dump(indent);
  } catch (const json::type_error&) {
    throw Error(ErrorCode::kUnsupported,
                place +
                    ": holds text that is no UTF-8, which JSON cannot hold; "
                    "keep the model as GGUF");
  }
}

}  // namespace tern::files
