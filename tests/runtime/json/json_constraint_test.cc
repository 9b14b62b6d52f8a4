// Whatever a model says under a schema is a document that satisfies it: random
// tokens, and those of the model that ships.
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/json_constraint.h>
#include <tern/model.h>
#include <tern/sampler.h>
#include <tern/session.h>

#include "tests/runtime/scheduler/texts.h"
#include "tests/support/expect_error.h"
#include "tests/support/golden.h"
#include "tests/support/json_values.h"

namespace tern {
namespace {

using nlohmann::json;

std::shared_ptr<const Model> Books() {
  static const auto model =
      Model::Load(testing::SourceDir() / "models/books-79m.gguf");
  return model;
}

// A second reading of the specification, for the keywords that are supported.
bool Satisfies(const json& value, const json& schema, const json& root) {
  const auto all = [&](const auto& members, const auto& holds) {
    return std::all_of(members.begin(), members.end(), holds);
  };
  if (schema.is_boolean()) return schema.get<bool>();
  if (schema.contains("$ref")) {
    const std::string ref = schema["$ref"];
    return Satisfies(value, root.at(json::json_pointer(ref.substr(1))), root);
  }
  if (schema.contains("anyOf") && all(schema["anyOf"], [&](const json& s) {
        return !Satisfies(value, s, root);
      })) {
    return false;
  }
  if (schema.contains("const") && value != schema["const"]) return false;
  if (schema.contains("enum") &&
      all(schema["enum"], [&](const json& e) { return e != value; })) {
    return false;
  }
  if (schema.contains("type")) {
    const json types = schema["type"].is_array()
                           ? schema["type"]
                           : json::array({schema["type"]});
    if (all(types, [&](const json& t) { return !HasType(value, t); })) {
      return false;
    }
  }
  const auto within = [&](std::size_t n, const char* least, const char* most) {
    return n >= schema.value(least, std::size_t{0}) &&
           n <= schema.value(most, std::size_t{1} << 30U);
  };
  if (value.is_string()) {
    return within(Characters(value), "minLength", "maxLength");
  }
  if (value.is_array()) {
    return within(value.size(), "minItems", "maxItems") &&
           all(value, [&](const json& item) {
             return Satisfies(item, schema.value("items", json(true)), root);
           });
  }
  if (!value.is_object()) return true;
  const json listed = schema.value("properties", json::object());
  for (const json& name : schema.value("required", json::array())) {
    if (!value.contains(name.get<std::string>())) return false;
  }
  for (const auto& [name, member] : value.items()) {
    const json& of = listed.contains(name)
                         ? listed[name]
                         : schema.value("additionalProperties", json(true));
    if (!Satisfies(member, of, root)) return false;
  }
  return true;
}

const std::vector<std::string>& Schemas() {
  static const std::vector<std::string> schemas = {
      R"({"type": "object", "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 12},
            "age": {"type": "integer"},
            "kind": {"enum": ["cat", "dog", "caterpillar", null]},
            "tags": {"type": "array", "maxItems": 3,
                     "items": {"type": "string", "maxLength": 5}}},
          "required": ["name", "kind"], "additionalProperties": false})",
      R"({"type": "array", "minItems": 2, "maxItems": 4, "items":
            {"anyOf": [{"type": ["integer", "boolean"]},
                       {"type": "object", "properties": {"x":
                          {"type": "number"}}, "required": ["x"],
                        "additionalProperties": {"const": "more"}}]}})",
      R"({"$defs": {"tree": {"type": "object", "properties": {
            "value": {"type": "integer"},
            "kids": {"type": "array", "maxItems": 2,
                     "items": {"$ref": "#/$defs/tree"}}},
            "required": ["value"], "additionalProperties": false}},
          "$ref": "#/$defs/tree"})",
  };
  return schemas;
}

// Equal chances for all tokens that are allowed; where the text may end, it
// does after some tokens.
std::string RandomText(TokenConstraint& constraint, const Tokenizer& tokenizer,
                       std::mt19937& random) {
  std::string text;
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::uint8_t> allowed(tokenizer.vocab_size(), 0);
    constraint.Allow(allowed);
    std::vector<Token> choices;
    bool may_end = false;
    for (std::size_t t = 0; t < allowed.size(); ++t) {
      if (allowed[t] == 0) continue;
      const auto token = static_cast<Token>(t);
      if (tokenizer.IsEndOfText(token)) {
        may_end = true;
      } else {
        choices.push_back(token);
      }
    }
    if (may_end && (choices.empty() || random() % 4 == 0)) return text;
    if (choices.empty()) break;
    // Mostly short ones, so that documents come to an end.
    Token token = choices[random() % choices.size()];
    for (int k = 0; k < 3; ++k) {
      const Token other = choices[random() % choices.size()];
      if (tokenizer.Decode(other).size() < tokenizer.Decode(token).size()) {
        token = other;
      }
    }
    constraint.Accept(token);
    text += tokenizer.Decode(token);
  }
  return text + "\n(no end)";
}

TEST(JsonConstraint, RandomTokensUnderASchemaSatisfyIt) {
  const Tokenizer& tokenizer = Books()->tokenizer();
  const JsonConstraints constraints(tokenizer);
  std::mt19937 random(7);
  for (const std::string& schema : Schemas()) {
    const json parsed = json::parse(schema);
    for (int i = 0; i < 100; ++i) {
      const auto constraint = constraints.Schema(schema);
      const std::string text = RandomText(*constraint, tokenizer, random);
      const json document = json::parse(text, nullptr, false);
      ASSERT_FALSE(document.is_discarded()) << text;
      ASSERT_TRUE(Satisfies(document, parsed, parsed)) << schema << "\n"
                                                       << text;
    }
  }
}

// Every document of these, token by token as the tokenizer cuts it, is allowed.
TEST(JsonConstraint, ADocumentThatSatisfiesTheSchemaIsAllowed) {
  const Tokenizer& tokenizer = Books()->tokenizer();
  const JsonConstraints constraints(tokenizer);
  const std::vector<std::string> documents = {
      R"({"name": "Tom", "age": 7, "kind": "cat", "tags": ["a", "b"]})",
      R"([1, true, {"x": 2.5, "y": "more"}])",
      R"({"value": 1, "kids": [{"value": 2}, {"value": 3, "kids": []}]})"};
  const auto follow = [&](TokenConstraint& constraint,
                          const std::string& document) {
    std::vector<std::uint8_t> allowed;
    const std::vector<Token> tokens =
        tokenizer.Encode(document, {.add_bos = false});
    for (const Token token : tokens) {
      allowed.assign(tokenizer.vocab_size(), 0);
      constraint.Allow(allowed);
      ASSERT_EQ(allowed[static_cast<std::size_t>(token)], 1)
          << document << ": " << tokenizer.Decode(token);
      constraint.Accept(token);
    }
    allowed.assign(tokenizer.vocab_size(), 0);
    constraint.Allow(allowed);
    for (const Token token : tokenizer.end_tokens()) {
      EXPECT_EQ(allowed[static_cast<std::size_t>(token)], 1);
    }
    EXPECT_EQ(std::count(allowed.begin(), allowed.end(), 1),
              static_cast<std::ptrdiff_t>(tokenizer.end_tokens().size()));
  };
  for (std::size_t i = 0; i < documents.size(); ++i) {
    follow(*constraints.Schema(Schemas()[i]), documents[i]);
    follow(*constraints.Value(), documents[i]);
  }
}

TEST(JsonConstraint, ATokenThatWasNotAllowedIsRefused) {
  const Tokenizer& tokenizer = Books()->tokenizer();
  const JsonConstraints constraints(tokenizer);
  const auto constraint = constraints.Object();
  const Token word = tokenizer.Encode("word", {.add_bos = false})[0];
  ExpectError(ErrorCode::kInvalidArgument, {"not allowed"},
              [&] { constraint->Accept(word); });
  ExpectError(ErrorCode::kInvalidArgument, {"not allowed"},
              [&] { constraint->Accept(1 << 30); });
}

// Through a scheduler, with the model's own choices.
TEST(JsonConstraint, TheModelsTextsUnderASchemaSatisfyIt) {
  const auto model = Books();
  const JsonConstraints constraints(model->tokenizer());
  testing::Texts texts;
  Scheduler scheduler(model, {.slots = 6, .context_length = 512});
  for (std::size_t i = 0; i < 12; ++i) {
    const std::size_t n = texts.Add(
        {.prompt = model->tokenizer().Encode("The answer, as JSON: "),
         .sampler = {.temperature = 1, .top_k = 0, .top_p = 1, .seed = i},
         .max_tokens = 480});
    GenerateRequest request = texts.Request(n);
    request.constraint = constraints.Schema(Schemas()[i % 3]);
    scheduler.Submit(std::move(request));
  }
  texts.WaitForAll();
  std::size_t complete = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    ASSERT_NE(texts[i].result.reason, FinishReason::kError)
        << texts[i].result.error->what();
    if (texts[i].result.reason != FinishReason::kEndOfText) continue;
    ++complete;
    std::string text;
    for (const Token token : texts[i].ids) {
      text += model->tokenizer().Decode(token);
    }
    const json schema = json::parse(Schemas()[i % 3]);
    const json document = json::parse(text, nullptr, false);
    ASSERT_FALSE(document.is_discarded()) << text;
    EXPECT_TRUE(Satisfies(document, schema, schema)) << text;
  }
  EXPECT_GE(complete, 6U);
}

// What a Session's Next chooses under a schema, to the end of the text.
std::string SessionsText(const std::string& schema,
                         const SamplerOptions& options, std::size_t most) {
  const auto model = Books();
  const JsonConstraints constraints(model->tokenizer());
  const auto constraint = constraints.Schema(schema);
  Session session(model, {.context_length = 512});
  Sampler sampler(options);
  session.Append(model->tokenizer().Encode("The answer, as JSON: "));
  std::string text;
  for (std::size_t i = 0; i < most; ++i) {
    const Token token = session.Next(sampler, *constraint);
    if (model->tokenizer().IsEndOfText(token)) break;
    text += model->tokenizer().Decode(token);
  }
  return text;
}

TEST(JsonConstraint, ASessionsTextIsTheSchedulers) {
  const auto model = Books();
  const JsonConstraints constraints(model->tokenizer());
  const SamplerOptions options = {
      .temperature = 1, .top_k = 0, .top_p = 1, .seed = 3};
  constexpr std::size_t kMost = 60;
  testing::Texts texts;
  Scheduler scheduler(model, {.slots = 1, .context_length = 512});
  texts.Add({.prompt = model->tokenizer().Encode("The answer, as JSON: "),
             .sampler = options,
             .max_tokens = kMost});
  GenerateRequest request = texts.Request(0);
  request.constraint = constraints.Schema(Schemas()[0]);
  scheduler.Submit(std::move(request));
  texts.WaitForAll();
  std::string want;
  for (const Token token : texts[0].ids) {
    if (!model->tokenizer().IsEndOfText(token)) {
      want += model->tokenizer().Decode(token);
    }
  }
  EXPECT_EQ(SessionsText(Schemas()[0], options, kMost), want);
  EXPECT_EQ(want.front(), '{');
}

class NoToken : public TokenConstraint {
 public:
  void Allow(std::span<std::uint8_t> /*allowed*/) override {}
  void Accept(Token /*token*/) override {}
};

TEST(JsonConstraint, ASessionWithoutAnAllowedTokenSaysSoAndStaysAsItWas) {
  Session session(Books(), {.context_length = 64});
  Sampler sampler;
  session.Append(Books()->tokenizer().Encode("Once"));
  const std::size_t size = session.tokens().size();
  NoToken none;
  ExpectError(ErrorCode::kInvalidArgument, {"allows no token"},
              [&] { session.Next(sampler, none); });
  EXPECT_EQ(session.tokens().size(), size);
  EXPECT_NO_THROW(session.Next(sampler));
}

}  // namespace
}  // namespace tern
