// A JSON Schema, a 0 byte, and bytes that choose a text among those that it
// allows: byte by byte through the automaton, and token by token through the
// masks of tern/json_constraint.h.  Every state leads on or ends the text, and
// what may end is JSON that satisfies the schema, as a second reading of the
// specification has it.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include <tern/json_constraint.h>
#include <tern/tokenizer.h>

#include "runtime/files/gguf.h"
#include "runtime/json/automaton.h"
#include "runtime/json/schema.h"
#include "runtime/tokenizer/byte_level.h"
#include "runtime/tokenizer/tokenizer_gguf.h"
#include "tests/fuzz/accepts.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/json_values.h"

namespace tern::fuzz {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostBytes = 400;
constexpr std::size_t kMostTokens = 12;
constexpr std::size_t kTokensEvery = 4;  // sizes of inputs

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

// All bytes, and first those of which most of JSON is: so that few have to be
// tried.
std::array<unsigned char, 256> MakeOrder() {
  std::string order = "\"{}[],:-01tfn \nea\\.";
  for (unsigned byte = 0; byte < 256; ++byte) {
    const auto character = static_cast<char>(byte);
    if (order.find(character) == std::string::npos) order += character;
  }
  std::array<unsigned char, 256> bytes{};
  std::copy(order.begin(), order.end(), bytes.begin());
  return bytes;
}

// The byte itself if it may come, so that texts can be written down, and else
// one that may; -1 if none may.
int Choose(json::Automaton& automaton, int state, std::uint8_t choice) {
  static const std::array<unsigned char, 256> order = MakeOrder();
  if (automaton.Step(state, choice) >= 0) return choice;
  constexpr std::size_t kUsual = 20;
  const std::size_t first = choice % kUsual;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const unsigned char byte = order[i < kUsual ? (first + i) % kUsual : i];
    if (automaton.Step(state, byte) >= 0) return byte;
  }
  return -1;
}

void WalkBytes(const json::Schema& schema, Input input, const Json& judged) {
  json::Automaton automaton(schema);
  int state = automaton.start();
  std::string text;
  while (text.size() < kMostBytes && !input.Rest().empty()) {
    const bool is_complete = automaton.IsComplete(state);
    if (is_complete) CheckDocument(text, judged);
    const int byte = Choose(automaton, state, input.Number<std::uint8_t>());
    if (byte < 0 && !is_complete) Fail("a dead end: " + text);
    if (byte < 0) return;
    automaton.Forget(state);
    state = automaton.Step(state, static_cast<unsigned char>(byte));
    text += static_cast<char>(byte);
  }
}

// All bytes and pieces of JSON: a vocabulary of 16000 would take nearly all of
// the time.
Tokenizer MakeTokenizer() {
  std::vector<std::string> texts;
  for (unsigned byte = 0; byte < 256; ++byte) {
    texts.emplace_back(1, static_cast<char>(byte));
  }
  for (const char* text : {"{\"",
                           "\":",
                           "\": ",
                           "\",",
                           "\", \"",
                           "\"}",
                           "\"]",
                           "[\"",
                           "[[",
                           "]]",
                           "}}",
                           "},",
                           "],",
                           "[]",
                           "{}",
                           ": ",
                           ", ",
                           "  ",
                           "        ",
                           "\n  ",
                           "null",
                           "true",
                           "false",
                           "fal",
                           "lse",
                           "00",
                           "1.5",
                           "-1",
                           "e+1",
                           "10",
                           "12345678901234567",
                           "\\n",
                           "\\u00",
                           "\\\"",
                           "aa",
                           "ab",
                           "abc",
                           "name",
                           "na",
                           "me",
                           "type",
                           "a\":",
                           "\"a",
                           "\"a\"",
                           "\xC3\xA9",
                           "\xE2\x82",
                           "\xF0\x9F",
                           "\x9F\x98\x80",
                           "\xA9\xC3",
                           "aaaaaaaaaaaaaaaa"}) {
    texts.emplace_back(text);
  }
  std::vector<std::string> tokens;
  for (const std::string& text : texts) {
    tokens.push_back(tokenizer::SpellingOfBytes(text));
  }
  std::vector<std::int64_t> types(tokens.size(), 1);
  const auto end = static_cast<std::uint64_t>(tokens.size());
  tokens.emplace_back("<|eot_id|>");
  types.push_back(3);
  files::GgufFile file;
  file.path = "made.gguf";
  file.metadata = {{"general.architecture", std::string("llama")},
                   {"tokenizer.ggml.model", std::string("gpt2")},
                   {"tokenizer.ggml.pre", std::string("llama-bpe")},
                   {"tokenizer.ggml.tokens", tokens},
                   {"tokenizer.ggml.token_type", types},
                   {"tokenizer.ggml.merges", std::vector<std::string>()},
                   {"tokenizer.ggml.eos_token_id", end}};
  return tokenizer::MakeGgufTokenizer(file);
}

const Tokenizer& Pieces() {
  static const Tokenizer tokenizer = MakeTokenizer();
  return tokenizer;
}

void WalkTokens(TokenConstraint& constraint, Input input, const Json& judged) {
  std::string text;
  for (std::size_t i = 0; i < kMostTokens && !input.Rest().empty(); ++i) {
    std::vector<std::uint8_t> mask(Pieces().vocab_size());
    constraint.Allow(mask);
    const bool may_end = mask.back() != 0;  // the token that ends a text
    mask.back() = 0;
    if (may_end) CheckDocument(text, judged);
    // The first one from a place on, round about.
    const auto from = static_cast<std::ptrdiff_t>(input.Below(mask.size()));
    std::rotate(mask.begin(), mask.begin() + from, mask.end());
    const void* found = std::memchr(mask.data(), 1, mask.size());
    if (found == nullptr && !may_end) Fail("no token may follow: " + text);
    if (found == nullptr) return;
    const auto place = static_cast<const std::uint8_t*>(found) - mask.data();
    const auto token = static_cast<Token>(
        static_cast<std::size_t>(place + from) % mask.size());
    constraint.Accept(token);
    text += Pieces().Decode(token);
  }
}

}  // namespace
}  // namespace tern::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace tern::fuzz;  // NOLINT(google-build-using-namespace)
  static const tern::JsonConstraints constraints(Pieces());
  const std::string_view all = AsText(data, size);
  const std::string_view text = all.substr(0, all.find('\0'));
  const std::size_t rest = std::min(size, text.size() + 1);
  const Input input(data + rest, size - rest);
  Accepts([&] {
    const tern::json::Schema schema = tern::json::Schema::Parse(text);
    const Json judged = Json::parse(text);
    WalkBytes(schema, input, judged);
    // Masks take more time than all the rest.
    if (size % kTokensEvery == 0) {
      WalkTokens(*constraints.Schema(text), input, judged);
    }
  });
  return 0;
}
