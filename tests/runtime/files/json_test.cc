#include "runtime/files/json.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "tests/runtime/files/error_of.h"
#include "tests/runtime/files/temporary_directory.h"

namespace tern::files {
namespace {

using test::ErrorOf;

std::string Complaint(const std::string& text, JsonLimits limits = {}) {
  const auto thrown =
      ErrorOf([&] { (void)ParseJsonObject(text, "place", limits); });
  if (thrown.code) {
    EXPECT_EQ(thrown.code, ErrorCode::kMalformed);
    EXPECT_EQ(thrown.message.find("place: "), 0U) << thrown.message;
  }
  return thrown.message;
}

TEST(ParseJsonObject, ReadsObjects) {
  const JsonDocument document =
      ParseJsonObject(R"({"a": [1, {"a": 2}], "b": {"a": null}} )", "place");
  const auto& value = *document;
  EXPECT_EQ(value["a"][1]["a"], 2);
  EXPECT_TRUE(value["b"]["a"].is_null());
}

TEST(ParseJsonObject, SaysWhereTheTextIsNoJson) {
  EXPECT_NE(Complaint("{\"a\":1,}").find("at byte 8"), std::string::npos);
  EXPECT_NE(Complaint("").find("not valid JSON"), std::string::npos);
  EXPECT_NE(Complaint("{} x").find("not valid JSON"), std::string::npos);
  EXPECT_NE(Complaint("{\"a\":1e999}").find("out of range"), std::string::npos);
  EXPECT_NE(Complaint("{\"a\":NaN}").find("not valid JSON"), std::string::npos);
}

TEST(ParseJsonObject, RefusesWhatIsNoObject) {
  for (const char* text : {"[]", "1", "\"a\"", "null"}) {
    EXPECT_NE(Complaint(text).find("object was expected"), std::string::npos);
  }
}

TEST(ParseJsonObject, RefusesAKeyTwiceInOneObjectOnly) {
  EXPECT_NE(Complaint(R"({"x":{"a":1,"b":2,"a":1}})").find("'a' appears twice"),
            std::string::npos);
  // Spelt differently, still the same key.
  EXPECT_NE(Complaint(R"({"a":1,"\u0061":2})").find("'a' appears twice"),
            std::string::npos);
  EXPECT_EQ(Complaint(R"({"a":{"a":1},"b":[{"a":1},{"a":2}]})"), "");
}

TEST(ParseJsonObject, BoundsDepthAndArrays) {
  EXPECT_EQ(Complaint("{\"a\":[[1]]}", {.depth = 3}), "");
  EXPECT_NE(Complaint("{\"a\":[[1]]}", {.depth = 2}).find("deeper than 2"),
            std::string::npos);
  EXPECT_EQ(Complaint("{\"a\":[1,[2,3,4],5]}", {.array_length = 3}), "");
  EXPECT_NE(
      Complaint("{\"a\":[1,{},[],4]}", {.array_length = 3}).find("than 3"),
      std::string::npos);
}

// A parser that looks through the object around at each inner end takes
// minutes.
TEST(ParseJsonObject, TakesTimeInProportionToTheText) {
  constexpr int kEntries = 50'000;
  std::string text = "{\"a\":1";
  for (int i = 0; i < kEntries; ++i) {
    text += ",\"" + std::to_string(i) + R"(":{"shape":[0]})";
  }
  text += "}";
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(ParseJsonObject(text, "place")->size(), kEntries + 1U);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST(ReadJsonObject, NamesTheFile) {
  const test::TemporaryDirectory directory;
  const auto path = directory.Write("config.json", "{");
  const auto thrown = ErrorOf([&] { (void)ReadJsonObject(path, 100); });
  EXPECT_EQ(thrown.message.find(path.string() + ": not valid JSON"), 0U);
  EXPECT_EQ(ErrorOf([&] { (void)ReadJsonObject(path, 0); }).code,
            ErrorCode::kMalformed);
}

}  // namespace
}  // namespace tern::files
