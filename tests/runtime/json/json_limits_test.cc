// No schema makes a mask, or its own reading, take long.  Work is counted, not
// timed: runtime/json/automaton.h says what a unit is.
#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/tokenizer.h>

#include "runtime/json/automaton.h"
#include "runtime/json/schema.h"
#include "runtime/json/text_tree.h"
#include "runtime/json/token_trie.h"
#include "tests/support/expect_error.h"
#include "tests/support/golden.h"

namespace tern::json {
namespace {

// As the schemas are written: in the order of their members.
using Json = nlohmann::ordered_json;

const Tokenizer& Books() {
  static const Tokenizer tokenizer =
      Tokenizer::Load(testing::SourceDir() / "models/books-79m.gguf");
  return tokenizer;
}

const TokenTrie& Trie() {
  static const TokenTrie trie(Books());
  return trie;
}

std::string Name(std::size_t i) { return "a" + std::to_string(i); }

Json AnyOf(std::size_t count, const std::function<Json(std::size_t)>& make) {
  Json all = Json::array();
  for (std::size_t i = 0; i < count; ++i) all.push_back(make(i));
  return {{"anyOf", all}};
}

Json Strings(std::size_t i) {
  return {{"type", "string"}, {"maxLength", 5000 + i}};
}
Json ArraysOfAll(std::size_t i) {
  return {{"type", "array"}, {"items", {{"$ref", "#"}}}, {"maxItems", 900 + i}};
}
Json ObjectsOfAll(std::size_t i) {
  return {{"type", "object"},
          {"properties", {{Name(i), {{"$ref", "#"}}}}},
          {"additionalProperties", {{"$ref", "#"}}}};
}
Json Anything(std::size_t i) {
  if (i % 3 == 0) return ArraysOfAll(i);
  if (i % 3 == 1) return ObjectsOfAll(i);
  return {{"type", {"string", "number", "null"}}, {"maxLength", 100 + i}};
}

// Every token that is text, among `count` of them, without what JSON escapes.
std::vector<std::string> Words(std::size_t count) {
  std::vector<std::string> words;
  for (std::size_t id = 0; id < Books().vocab_size(); ++id) {
    const auto token = static_cast<Token>(id);
    if (Books().IsSpecial(token) || Books().IsEndOfText(token)) continue;
    const std::string word = Books().Decode(token);
    const bool is_plain = std::all_of(word.begin(), word.end(), [](char c) {
      return c >= ' ' && c != '"' && c != '\\';
    });
    if (is_plain && word.size() > 3) words.push_back(word);
    if (words.size() == count) break;
  }
  return words;
}

std::vector<std::pair<std::string, Json>> SlowSchemas() {
  std::vector<std::pair<std::string, Json>> all = {
      {"strings of many lengths", AnyOf(256, Strings)},
      {"arrays in arrays", AnyOf(256, ArraysOfAll)},
      {"objects in objects", AnyOf(200, ObjectsOfAll)},
      {"all of these", AnyOf(255, Anything)},
      {"any", Json::object()},
      {"enum", {{"enum", Words(1900)}}},
      {"long string", {{"type", "string"}, {"minLength", 10000}}}};
  Json names;
  for (const std::string& word : Words(1000)) names[word] = {{"type", "null"}};
  all.emplace_back("names", Json{{"type", "object"}, {"properties", names}});
  all.emplace_back("values within arrays", AnyOf(100, [](std::size_t i) {
                     return Json{{"type", "array"},
                                 {"items", AnyOf(5, [=](std::size_t k) {
                                    return k == 0 ? Strings(i)
                                                  : ArraysOfAll(i + k);
                                  })}};
                   }));
  return all;
}

// The work of a mask, and the tokens of it.
std::size_t Mask(Automaton& automaton, int state, std::vector<Token>& tokens) {
  const std::size_t before = automaton.work();
  tokens.clear();
  automaton.BeginMask(state);
  Trie().Walk(
      state,
      [&](int from, unsigned char byte) {
        return automaton.StepInMask(from, byte);
      },
      [&](Token token) { tokens.push_back(token); });
  std::sort(tokens.begin(), tokens.end());
  return automaton.work() - before;
}

std::size_t CountSyntax(Token token) {
  const std::string_view bytes = Trie().Bytes(token);
  return static_cast<std::size_t>(
      std::count_if(bytes.begin(), bytes.end(), [](char c) {
        return std::string_view("[]{}:,\"").find(c) != std::string_view::npos;
      }));
}

// The most work of a mask along a text of random tokens, or mostly of brackets.
std::size_t MostWork(const Schema& schema, bool is_syntax, unsigned seed,
                     std::size_t limit = Automaton::kMostMaskWork) {
  Automaton automaton(schema, limit);
  std::mt19937 random(seed);
  int state = automaton.start();
  std::size_t most = 0;
  std::vector<Token> tokens;
  for (int i = 0; i < 12; ++i) {
    most = std::max(most, Mask(automaton, state, tokens));
    if (tokens.empty()) return most;
    Token token = tokens[random() % tokens.size()];
    for (int k = 0; is_syntax && k < 30; ++k) {
      const Token other = tokens[random() % tokens.size()];
      if (CountSyntax(other) > CountSyntax(token)) token = other;
    }
    for (const char byte : Trie().Bytes(token)) {
      state = automaton.Step(state, static_cast<unsigned char>(byte));
    }
    automaton.Forget(state);
  }
  return most;
}

// With less work than a mask may take, so that a small vocabulary needs more.
constexpr std::size_t kLittleWork = 20000;
// What no limit cuts: all stacks are looked at until one takes the byte.
constexpr std::size_t kForEachByte = 256 * 4 * Automaton::kMostStacks;

TEST(JsonLimits, TheWorkOfAMaskIsBoundedWhateverTheSchema) {
  std::size_t cut = 0;
  for (const auto& [name, json] : SlowSchemas()) {
    const Schema schema = Schema::Parse(json.dump());
    for (unsigned seed = 0; seed < 4; ++seed) {
      const bool is_syntax = seed % 2 == 0;
      EXPECT_LE(MostWork(schema, is_syntax, seed), 2 * Automaton::kMostMaskWork)
          << name;
      const std::size_t little = MostWork(schema, is_syntax, seed, kLittleWork);
      EXPECT_LE(little, kLittleWork + Automaton::kMostStepWork + kForEachByte)
          << name;
      cut += little > kLittleWork ? 1 : 0;
    }
  }
  EXPECT_GE(cut, 8U);
}

// No limit cuts what people write: 100 tools that a name tells apart.
TEST(JsonLimits, OrdinarySchemasStayFarBelow) {
  const Json tools = AnyOf(100, [](std::size_t i) {
    const Json text = {{"type", "string"}};
    const Json arguments = {{"type", "object"},
                            {"properties", {{"text", text}, {"to", text}}},
                            {"required", {"text"}},
                            {"additionalProperties", false}};
    return Json{{"type", "object"},
                {"properties",
                 {{"tool", {{"const", Name(i)}}}, {"arguments", arguments}}},
                {"required", {"tool", "arguments"}},
                {"additionalProperties", false}};
  });
  const Schema schema = Schema::Parse(tools.dump());
  for (unsigned seed = 0; seed < 8; ++seed) {
    EXPECT_LE(MostWork(schema, seed % 2 == 0, seed),
              Automaton::kMostMaskWork / 4);
  }
}

// What a mask leaves out for lack of time can still be written, byte by byte.
TEST(JsonLimits, WhereAMaskIsCutEachByteIsStillFound) {
  const Schema schema = Schema::Parse(AnyOf(3, Anything).dump());
  const std::string text = R"([[],[[null,{"a1":[]}],{"b":"x"}],12.5])";
  Automaton cut(schema, 0);
  Automaton whole(schema);
  int state = cut.start();
  int whole_state = whole.start();
  std::vector<Token> tokens;
  std::vector<Token> all_tokens;
  std::size_t missing = 0;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    Mask(cut, state, tokens);
    Mask(whole, whole_state, all_tokens);
    EXPECT_TRUE(std::includes(all_tokens.begin(), all_tokens.end(),
                              tokens.begin(), tokens.end()));
    missing += all_tokens.size() - tokens.size();
    state = cut.StepInMask(state, byte);
    whole_state = whole.Step(whole_state, byte);
    ASSERT_NE(state, Automaton::kDead) << character;
  }
  EXPECT_TRUE(cut.IsComplete(state));
  EXPECT_GT(missing, 100U);
}

TEST(JsonLimits, WorkIsNotDoneTwice) {
  const Schema schema = Schema::Parse(AnyOf(256, Strings).dump());
  Automaton automaton(schema);
  std::vector<Token> tokens;
  const int state = automaton.Step(automaton.start(), '"');
  EXPECT_GT(Mask(automaton, state, tokens), 10000U);
  const std::size_t count = tokens.size();
  EXPECT_EQ(Mask(automaton, state, tokens), 0U);
  EXPECT_EQ(tokens.size(), count);
}

void ExpectTooLarge(const std::string& schema, const std::string& limit) {
  ExpectError(ErrorCode::kUnsupported, {"schema", limit, "use"},
              [&] { Schema::Parse(schema); });
}

TEST(JsonLimits, ASchemaBeyondALimitIsRefusedWithTheLimit) {
  ExpectTooLarge(AnyOf(257, Strings).dump(), "limit of 256");
  // One anyOf within another, through references.
  Json within = AnyOf(2, [](std::size_t i) {
    return Json{{"$ref", "#/$defs/" + Name(i)}};
  });
  within["$defs"] = {{Name(0), AnyOf(200, Strings)},
                     {Name(1), AnyOf(200, ArraysOfAll)}};
  ExpectTooLarge(within.dump(), "leads to 400 schemas");
  ExpectTooLarge(Json{{"title", std::string(300000, 'a')}}.dump(),
                 "limit of 262144");
  Json many;
  for (std::size_t i = 0; i < 1025; ++i) many[Name(i)] = 1;
  ExpectTooLarge(Json{{"default", many}}.dump(), "limit of 1024");
  ExpectTooLarge(Json{{"items", {{"default", many}}}}.dump(), "1025 members");
  ExpectTooLarge(Json{{"const", std::string(140000, 'a')}}.dump(), "131072");
  ExpectTooLarge(
      Json{{"properties", {{std::string(140000, 'a'), true}}}}.dump(),
      "131072");
  std::vector<std::size_t> values(2000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = i;
  ExpectTooLarge(Json{{"enum", values}}.dump(), "2000");
}

// Constants one by one, as people write them who describe each.
TEST(JsonLimits, AnyNumberOfConstantsInAnAnyOfIsAnEnum) {
  const Json schema = AnyOf(900, [](std::size_t i) {
    return Json{{"const", Name(i)}, {"description", "no. " + Name(i)}};
  });
  const Schema parsed = Schema::Parse(schema.dump());
  Automaton automaton(parsed);
  int state = automaton.start();
  for (const char byte : std::string("\"a899\"")) {
    state = automaton.Step(state, static_cast<unsigned char>(byte));
    ASSERT_NE(state, Automaton::kDead);
  }
  EXPECT_TRUE(automaton.IsComplete(state));
  EXPECT_LT(automaton.work(), 2000U);
}

// A name of 60 KiB above 900 schemas: no error is put together for each.
TEST(JsonLimits, PlacesOfErrorsAreNamedWhereverTheyAre) {
  const std::string name(60000, 'n');
  const Json schema = {
      {"properties", {{name, {{"properties", {{"b", {{"no", 1}}}}}}}}}};
  ExpectError(ErrorCode::kUnsupported, {"schema #/properties/nnn", "'no'"},
              [&] { Schema::Parse(schema.dump()); });
}

TEST(TextTrees, FindsWhatATextBeginsLike) {
  TextTrees trees;
  const std::uint32_t one = trees.Add({"ab", "b", "abc"});
  const std::uint32_t two = trees.Add({"x"});
  const std::uint32_t a = trees.Child(one, 'a');
  const std::uint32_t ab = trees.Child(a, 'b');
  EXPECT_EQ(trees.Child(one, 'x'), kNoText);
  EXPECT_EQ(trees.Child(two, 'a'), kNoText);
  EXPECT_TRUE(trees.Ends(trees.Child(two, 'x')));
  EXPECT_FALSE(trees.Ends(a));
  EXPECT_TRUE(trees.Ends(ab));
  EXPECT_TRUE(trees.GoesOn(ab));
  EXPECT_FALSE(trees.GoesOn(trees.Child(ab, 'c')));
  const auto texts = trees.Texts(ab);
  EXPECT_EQ(std::vector(texts.begin(), texts.end()),
            (std::vector<std::uint32_t>{0, 2}));
}

}  // namespace
}  // namespace tern::json
