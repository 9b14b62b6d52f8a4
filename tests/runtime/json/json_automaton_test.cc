// Which texts the automaton takes as whole documents, and which schemas are
// refused.
#include <ctime>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>

#include "runtime/json/automaton.h"
#include "runtime/json/schema.h"
#include "tests/support/expect_error.h"

namespace tern::json {
namespace {

bool Takes(const Schema& schema, std::string_view text) {
  Automaton automaton(schema);
  int state = automaton.start();
  for (const char byte : text) {
    state = automaton.Step(state, static_cast<unsigned char>(byte));
    if (state == Automaton::kDead) return false;
  }
  return automaton.IsComplete(state);
}

bool Takes(const char* schema, std::string_view text) {
  return Takes(Schema::Parse(schema), text);
}

std::string Nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

TEST(JsonAutomaton, TakesJsonAndNothingElse) {
  const Schema any = Schema::AnyOf(kAllTypes);
  for (const std::string text :
       {"null", "true", "false", "0", "-0", "-12.5e+10", "1E9", "\"\"", "[]",
        "{}", "[ ]", "{\n}", "[1, 2 ,3]", R"({"a": [true, {"b" : null}]})",
        R"("\"\\\/\b\f\n\r\t\u00e9\uD7ff")", "\"\xC3\xA9\xE2\x82\xAC\"",
        "\"\xF0\x9F\x98\x80\"", "123456789012345678"}) {
    EXPECT_TRUE(Takes(any, text)) << text;
  }
  EXPECT_TRUE(Takes(any, Nested(32)));
  for (const std::string text : {"",
                                 "nul",
                                 "truee",
                                 "01",
                                 "-",
                                 "1.",
                                 ".5",
                                 "1e",
                                 "+1",
                                 "\"",
                                 "\"a",
                                 "\"\\x\"",
                                 "\"\\u12\"",
                                 "\"\\ud800\"",
                                 "\"\n\"",
                                 "[",
                                 "[1,]",
                                 "[,1]",
                                 "[1 2]",
                                 "{",
                                 R"({"a"})",
                                 R"({"a":})",
                                 R"({"a":1,})",
                                 "{a:1}",
                                 " 1",
                                 "1 ",
                                 "[]]",
                                 "\"\xC3\"",
                                 "\"\xC0\x80\"",
                                 "\"\xED\xA0\x80\"",
                                 "\"\xF4\x90\x80\x80\"",
                                 "\"\x80\"",
                                 "1234567890123456789",
                                 "1e100"}) {
    EXPECT_FALSE(Takes(any, text)) << text;
  }
  EXPECT_FALSE(Takes(any, Nested(33)));
  EXPECT_FALSE(Takes(any, "[" + std::string(21, ' ') + "]"));
}

TEST(JsonAutomaton, AnObjectIsAnObject) {
  const Schema object = Schema::AnyOf(kObject);
  EXPECT_TRUE(Takes(object, R"({"a\"b": [1]})"));
  EXPECT_FALSE(Takes(object, "[1]"));
}

struct Case {
  const char* schema;
  std::vector<const char*> taken;
  std::vector<const char*> not_taken;
};

TEST(JsonAutomaton, KeywordsMeanWhatTheSpecificationSays) {
  const std::vector<Case> cases = {
      {R"({"type": "integer"})", {"1", "-20", "0"}, {"1.5", "1e3", "\"1\""}},
      {R"({"type": ["null", "string"]})", {"null", "\"x\""}, {"1", "true"}},
      {R"({"enum": ["a", 1, null, [1, 2]]})",
       {"\"a\"", "1", "null", "[1,2]"},
       {"\"b\"", "12", "[1]"}},
      {R"({"enum": ["a", 1], "type": "string"})", {"\"a\""}, {"1"}},
      {R"({"const": {"a": 1}})", {R"({"a":1})"}, {"{}", R"({"a":2})"}},
      {R"({"type": "string", "minLength": 2, "maxLength": 3})",
       {"\"ab\"", "\"abc\"", "\"\xC3\xA9\xC3\xA9\"", R"("\n\u0041x")"},
       {"\"a\"", "\"abcd\"", "\"\xC3\xA9\""}},
      {R"({"type": "array", "items": {"type": "boolean"}, "minItems": 1,
           "maxItems": 2})",
       {"[true]", "[true, false]"},
       {"[]", "[true,true,true]", "[1]"}},
      {R"({"type": "array", "maxItems": 0})", {"[]", "[ ]"}, {"[1]"}},
      {R"({"type": "object",
           "properties": {"b": {"type": "integer"}, "a": {}, "c": {}},
           "required": ["a"], "additionalProperties": false})",
       {R"({"a":1})", R"({"b":1,"a":2})", R"({"b": 1, "a": 2, "c": 3})",
        R"({"a":1,"c":2})"},
       {"{}", R"({"b":1})", R"({"a":1,"b":1})", R"({"a":1,"d":1})",
        R"({"b":"x","a":1})", R"({"a":1,"a":1})", R"({"a":1,})"}},
      {R"({"type": "object", "properties": {"ab": {"type": "integer"}},
           "additionalProperties": {"type": "null"}})",
       {"{}", R"({"ab":1})", R"({"ab":1,"a":null,"abc":null,"":null})",
        "{\"\xC3\xA9\":null}"},
       {R"({"x":1})", R"({"ab":null})", R"({"a":null,"ab":1})",
        R"({"\u0061b":null})"}},
      {R"({"anyOf": [{"type": "integer"},
           {"type": "array", "items": {"type": "integer"}},
           {"type": "array", "items": {"type": "string"}}]})",
       {"1", "[1,2]", "[\"a\"]", "[]"},
       {"[1,\"a\"]", "true"}},
      {R"({"$defs": {"tree": {"type": "object", "properties": {
           "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
           "additionalProperties": false}}, "$ref": "#/$defs/tree"})",
       {"{}", R"({"kids":[{},{"kids":[]}]})"},
       {R"({"kids":[1]})", "[]"}},
      {R"({"type": "array", "items": {"$ref": "#"}})",
       {"[]", "[[],[[]]]"},
       {"[1]"}},
      {R"({"type": "object", "title": "T", "properties": {"x": false}})",
       {"{}", R"({"y":1})"},
       {R"({"x":1})"}},
  };
  for (const Case& c : cases) {
    for (const char* text : c.taken) {
      EXPECT_TRUE(Takes(c.schema, text)) << c.schema << "\n" << text;
    }
    for (const char* text : c.not_taken) {
      EXPECT_FALSE(Takes(c.schema, text)) << c.schema << "\n" << text;
    }
  }
}

TEST(JsonAutomaton, WhatIsNotSupportedIsRefusedByName) {
  const auto refuse = [](ErrorCode code, const char* schema,
                         const std::string& word) {
    ExpectError(code, {"schema", word}, [&] { Schema::Parse(schema); });
  };
  const ErrorCode unsupported = ErrorCode::kUnsupported;
  refuse(unsupported, R"({"type": "string", "pattern": "a+"})", "'pattern'");
  refuse(unsupported, R"({"type": "integer", "minimum": 3})", "'minimum'");
  refuse(unsupported, R"({"oneOf": [{}]})", "'oneOf'");
  refuse(unsupported, R"({"properties": {"a": {"items": {"format": "date"}}}})",
         "#/properties/a/items: 'format'");
  refuse(unsupported, R"({"anyOf": [{}], "type": "object"})", "'type' beside");
  refuse(unsupported, R"({"enum": [1], "minLength": 1})", "'minLength'");
  refuse(unsupported, R"({"required": ["a"]})", "'a' is required");
  refuse(unsupported, R"({"$ref": "http://x/y"})", "http://x/y");
  refuse(unsupported, R"({"maxLength": 10001})", "'maxLength'");
  refuse(unsupported, "{\"a\\nb\\u0000\": 1}", "'a?b?'");
  refuse(unsupported, R"({"properties": {"\t": {"x": 1}}})", "#/properties/?");
  const ErrorCode malformed = ErrorCode::kMalformed;
  refuse(malformed, "[]", "");
  refuse(malformed, "{", "");
  refuse(malformed, R"({"type": "text"})", "'type'");
  refuse(malformed, R"({"minItems": -1})", "'minItems'");
  refuse(malformed, R"({"anyOf": []})", "'anyOf'");
  refuse(malformed, R"({"$ref": "#/$defs/a"})", "#/$defs/a");
  refuse(malformed, R"({"items": 3})", "#/items");
  refuse(malformed, R"({"properties": []})", "'properties'");
  const ErrorCode invalid = ErrorCode::kInvalidArgument;
  refuse(invalid, R"({"enum": []})", "nothing can satisfy");
  refuse(invalid, R"({"type": "string", "minLength": 3, "maxLength": 2})",
         "nothing");
  refuse(invalid,
         R"({"type": "object", "properties": {"a": {"$ref": "#"}},
             "required": ["a"]})",
         "nothing");
  refuse(invalid, R"({"$defs": {"a": {"$ref": "#/$defs/a"}},
                      "$ref": "#/$defs/a"})",
         "circle");
}

std::string Name(int i) { return "a" + std::to_string(i); }

// anyOf's that meet again: 2^100 ways to one node.
TEST(JsonAutomaton, AlternativesThatMeetAgainTakeNoLonger) {
  nlohmann::json schema = {{"$ref", "#/$defs/a0"}};
  for (int i = 0; i < 100; ++i) {
    const nlohmann::json next = {{"$ref", "#/$defs/" + Name(i + 1)}};
    schema["$defs"][Name(i)] = {{"anyOf", {next, next}}};
  }
  schema["$defs"][Name(100)] = {{"type", "null"}};
  EXPECT_TRUE(Takes(Schema::Parse(schema.dump()), "null"));
}

// Arrays that cannot be told apart: 2^32 stacks.
TEST(JsonAutomaton, AlternativesThatNestDoNotMultiplyWithoutEnd) {
  const Schema schema = Schema::Parse(
      R"({"anyOf": [{"type": "array", "items": {"$ref": "#"}},
                    {"type": "array", "items": {"$ref": "#"}}]})");
  EXPECT_TRUE(Takes(schema, Nested(32)));
}

// 240 arrays that cannot be told apart at each of four levels.  Every byte is
// tried at each, as for a vocabulary: it takes a second, and would take minutes
// if all of the 240^4 stacks were read before some are dropped.
TEST(JsonAutomaton, WideAlternativesThatNestTakeBoundedTime) {
  nlohmann::json schema = {{"$ref", "#/$defs/a0"}};
  for (int i = 0; i < 4; ++i) {
    const nlohmann::json array = {
        {"type", "array"},
        {"minItems", 1},
        {"items", {{"$ref", "#/$defs/" + Name(i + 1)}}}};
    schema["$defs"][Name(i)]["anyOf"] = std::vector<nlohmann::json>(240, array);
  }
  schema["$defs"][Name(4)] = {{"type", "null"}};
  const Schema parsed = Schema::Parse(schema.dump());
  const std::clock_t begin = std::clock();
  Automaton automaton(parsed);
  int state = automaton.start();
  for (int depth = 0; depth < 4; ++depth) {
    for (int byte = 0; byte < 256; ++byte) {
      (void)automaton.Step(state, static_cast<unsigned char>(byte));
    }
    state = automaton.Step(state, '[');
    ASSERT_NE(state, Automaton::kDead);
  }
  EXPECT_LT((std::clock() - begin) / CLOCKS_PER_SEC, 20);
  for (const char byte : std::string("null]]]]")) {
    state = automaton.Step(state, static_cast<unsigned char>(byte));
    ASSERT_NE(state, Automaton::kDead);
  }
  EXPECT_TRUE(automaton.IsComplete(state));
}

TEST(JsonAutomaton, AnEnumIsNeverCutButRefusedIfItIsTooLarge) {
  nlohmann::json values;
  for (int i = 0; i < 1990; ++i) values.push_back(Name(i));
  const nlohmann::json schema = {{"enum", values}};
  const Schema parsed = Schema::Parse(schema.dump());
  for (const int i : {0, 1000, 1989}) {
    EXPECT_TRUE(Takes(parsed, '"' + Name(i) + '"')) << i;
  }
  for (int i = 1990; i < 2010; ++i) values.push_back(Name(i));
  const nlohmann::json more = {{"enum", values}};
  ExpectError(ErrorCode::kUnsupported, {"schema", "too large"},
              [&] { Schema::Parse(more.dump()); });
  const nlohmann::json wide = {{"const", std::string(200000, 'a')}};
  ExpectError(ErrorCode::kUnsupported, {"schema", "too large"},
              [&] { Schema::Parse(wide.dump()); });
}

// Forgetting in the middle of a text changes nothing.
TEST(JsonAutomaton, ALongTextForgetsItsStates) {
  const Schema schema = Schema::Parse(
      R"({"type": "array", "items": {"type": "string", "maxLength": 9000}})");
  Automaton automaton(schema);
  std::string text = "[";
  for (int i = 0; i < 4; ++i) {
    text += (i == 0 ? "\"" : ",\"") + std::string(9000, 'a') + "\"";
  }
  text += "]";
  int state = automaton.start();
  for (const char byte : text) {
    automaton.Forget(state);
    state = automaton.Step(state, static_cast<unsigned char>(byte));
    ASSERT_NE(state, Automaton::kDead);
  }
  EXPECT_TRUE(automaton.IsComplete(state));
}

}  // namespace
}  // namespace tern::json
