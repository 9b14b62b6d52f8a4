// A JSON Schema, a 0 byte, and bytes that choose a text among those that it
// allows: byte by byte through the automaton, and token by token through the
// masks of tern/json_constraint.h.  Every state leads on or ends the text, and
// what may end is JSON that satisfies the schema, as a second reading of the
// specification has it.
#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include <tern/json_constraint.h>
#include <tern/tokenizer.h>

#include "runtime/json/automaton.h"
#include "runtime/json/schema.h"
#include "tests/fuzz/accepts.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/json_values.h"

namespace tern::fuzz {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostBytes = 400;
constexpr std::size_t kMostTokens = 6;  // a mask takes a millisecond

// A second reading of the specification.
class Judge {
 public:
  explicit Judge(const Json& root) : root_(root) {}

  // Gives up, and is content, after very many steps.
  bool Satisfies(const Json& value, const Json& schema) {
    if (++steps_ > 20000) return true;
    if (schema.is_boolean()) return schema.get<bool>();
    if (schema.contains("$ref")) {
      return Satisfies(value, Target(schema["$ref"].get<std::string>()));
    }
    if (schema.contains("anyOf")) {
      return std::any_of(schema["anyOf"].begin(), schema["anyOf"].end(),
                         [&](const Json& s) { return Satisfies(value, s); });
    }
    if (!HasOneType(value, schema)) return false;
    if (schema.contains("const")) return value == schema["const"];
    if (schema.contains("enum")) {
      const Json& all = schema["enum"];
      return std::find(all.begin(), all.end(), value) != all.end();
    }
    if (value.is_string()) {
      return IsWithin(Characters(value), schema, "minLength", "maxLength");
    }
    if (value.is_array()) return ArraySatisfies(value, schema);
    return !value.is_object() || ObjectSatisfies(value, schema);
  }

 private:
  const Json& Target(const std::string& name) const {
    if (name == "#") return root_;
    const std::size_t slash = name.rfind('/');
    return root_.at(name.substr(2, slash - 2)).at(name.substr(slash + 1));
  }
  static bool HasOneType(const Json& value, const Json& schema) {
    if (!schema.contains("type")) return true;
    const Json& type = schema["type"];
    if (type.is_string()) return HasType(value, type.get<std::string>());
    return std::any_of(type.begin(), type.end(), [&](const Json& t) {
      return HasType(value, t.get<std::string>());
    });
  }
  static bool IsWithin(std::size_t n, const Json& schema, const char* least,
                       const char* most) {
    return n >= schema.value(least, std::size_t{0}) &&
           n <= schema.value(most, std::size_t{1} << 30U);
  }
  bool ArraySatisfies(const Json& value, const Json& schema) {
    const Json items = schema.value("items", Json(true));
    return IsWithin(value.size(), schema, "minItems", "maxItems") &&
           std::all_of(value.begin(), value.end(), [&](const Json& item) {
             return Satisfies(item, items);
           });
  }
  bool ObjectSatisfies(const Json& value, const Json& schema) {
    for (const Json& name : schema.value("required", Json::array())) {
      if (!value.contains(name.get<std::string>())) return false;
    }
    const Json listed = schema.value("properties", Json::object());
    const Json others = schema.value("additionalProperties", Json(true));
    for (const auto& [name, member] : value.items()) {
      const auto found = listed.find(name);
      if (!Satisfies(member, found == listed.end() ? others : *found)) {
        return false;
      }
    }
    return true;
  }

  const Json& root_;
  std::size_t steps_ = 0;
};

void CheckDocument(const std::string& text, const Json& schema) {
  const Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) Fail("a complete text is no JSON: " + text);
  if (!Judge(schema).Satisfies(value, schema)) {
    Fail("a complete text does not satisfy the schema: " + text);
  }
}

void WalkBytes(const json::Schema& schema, Input input, const Json& judged) {
  json::Automaton automaton(schema);
  int state = automaton.start();
  std::string text;
  while (text.size() < kMostBytes) {
    const bool is_complete = automaton.IsComplete(state);
    if (is_complete) CheckDocument(text, judged);
    std::vector<unsigned char> allowed;
    for (unsigned byte = 0; byte < 256; ++byte) {
      if (automaton.Step(state, static_cast<unsigned char>(byte)) >= 0) {
        allowed.push_back(static_cast<unsigned char>(byte));
      }
    }
    if (allowed.empty() && !is_complete) Fail("a dead end: " + text);
    if (allowed.empty() || input.Rest().empty()) return;
    const auto choice = input.Number<std::uint8_t>();
    // The byte itself if it may come, so that texts can be written down.
    const bool is_allowed =
        std::find(allowed.begin(), allowed.end(), choice) != allowed.end();
    const unsigned char byte =
        is_allowed ? choice : allowed[choice % allowed.size()];
    automaton.Forget(state);
    state = automaton.Step(state, byte);
    text += static_cast<char>(byte);
  }
}

const Tokenizer& Books() {
  static const Tokenizer tokenizer =
      Tokenizer::Load(TERN_SOURCE_DIR "/models/books-79m.gguf");
  return tokenizer;
}

void WalkTokens(TokenConstraint& constraint, Input input, const Json& judged) {
  std::string text;
  for (std::size_t i = 0; i < kMostTokens && !input.Rest().empty(); ++i) {
    std::vector<std::uint8_t> mask(Books().vocab_size());
    constraint.Allow(mask);
    std::vector<Token> allowed;
    bool may_end = false;
    for (std::size_t id = 0; id < mask.size(); ++id) {
      const auto token = static_cast<Token>(id);
      if (mask[id] == 0) continue;
      if (Books().IsEndOfText(token)) {
        may_end = true;
      } else {
        allowed.push_back(token);
      }
    }
    if (may_end) CheckDocument(text, judged);
    if (allowed.empty() && !may_end) Fail("no token may follow: " + text);
    if (allowed.empty()) return;
    const Token token = allowed[input.Below(allowed.size())];
    constraint.Accept(token);
    text += Books().Decode(token);
  }
}

}  // namespace
}  // namespace tern::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace tern::fuzz;  // NOLINT(google-build-using-namespace)
  static const tern::JsonConstraints constraints(Books());
  const std::string_view all = AsText(data, size);
  const std::string_view text = all.substr(0, all.find('\0'));
  const std::size_t rest = std::min(size, text.size() + 1);
  const Input input(data + rest, size - rest);
  Accepts([&] {
    const tern::json::Schema schema = tern::json::Schema::Parse(text);
    const Json judged = Json::parse(text);
    WalkBytes(schema, input, judged);
    WalkTokens(*constraints.Schema(text), input, judged);
  });
  return 0;
}
