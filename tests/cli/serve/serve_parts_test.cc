// Parts of the server by themselves.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/scheduler.h>
#include <tern/tokenizer.h>

#include "cli/serve/access.h"
#include "cli/serve/api_error.h"
#include "cli/serve/choice.h"
#include "cli/serve/http_text.h"
#include "cli/serve/log.h"
#include "cli/serve/metrics.h"
#include "cli/serve/request_fields.h"
#include "cli/text.h"

namespace tern::cli::serve {
namespace {

// All that is told of a text whose tokens come one by one.
Piece TellAll(const std::string& text, const std::vector<std::string>& stops) {
  static const Tokenizer tokenizer =
      Tokenizer::Load(TERN_SOURCE_DIR "/models/books-79m.gguf");
  Choice choice(tokenizer, stops, true);
  Piece all;
  for (const Token token : tokenizer.Encode(text, {.add_bos = false})) {
    if (choice.stopped()) break;
    GeneratedToken generated;
    generated.token = token;
    all.Append(choice.Push(generated));
    EXPECT_LE(all.details.size(), all.text.size());
  }
  all.Append(choice.Flush());
  return all;
}

std::string BytesOf(const Piece& piece) {
  std::string bytes;
  for (const TokenDetail& detail : piece.details) bytes += detail.chosen.bytes;
  return bytes;
}

TEST(ChoiceTest, DetailsAreThoseOfTheTextThatIsTold) {
  const std::string text = "The sea was calm that day – and so was I.";
  const Piece whole = TellAll(text, {"never"});
  EXPECT_EQ(whole.text, text);
  EXPECT_EQ(BytesOf(whole), text);
  // Characters, not bytes: the dash has three.
  const TokenDetail& last = whole.details.back();
  EXPECT_EQ(last.offset + last.chosen.bytes.size(), 41U);
  const Piece cut = TellAll(text, {"calm that d", "was I"});
  EXPECT_EQ(cut.text, "The sea was ");
  // The token that the stop string has cut counts, the others after it do not.
  EXPECT_TRUE(BytesOf(cut).starts_with(cut.text.substr(0, 11)));
  EXPECT_LT(BytesOf(cut).size(), 20U);
}

TEST(RequestFieldsTest, NullIsAbsentAndUnknownNamesAreRefused) {
  const Json object = ParseObject(R"({"a":null,"b":3,"c":[]})");
  RequestFields fields(object);
  EXPECT_FALSE(fields.Integer("a", 0, 9));
  EXPECT_EQ(fields.Integer("b", 0, 9), 3);
  EXPECT_THROW(fields.RefuseUnknown(), ApiError);
  fields.Refuse({"c"});
  fields.RefuseUnknown();
}

TEST(RequestFieldsTest, NumbersBeyond64BitsAreNotTakenForSmallOnes) {
  const Json object = ParseObject(
      R"({"a":18446744073709551615,"b":9223372036854775807,"c":1e3})");
  RequestFields fields(object);
  EXPECT_THROW(fields.Integer("a", INT64_MIN, INT64_MAX), ApiError);
  EXPECT_EQ(fields.Integer("b", INT64_MIN, INT64_MAX), INT64_MAX);
  EXPECT_THROW(fields.Integer("c", 0, 2000), ApiError);
  EXPECT_EQ(fields.Number("c", 0, 2000), 1000);
}

TEST(ApiErrorTest, HasOpenAisForm) {
  const Reply reply = BadParameter("n", "is odd").ToReply();
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.body,
            "{\"error\":{\"message\":\"'n' is odd\",\"type\":"
            "\"invalid_request_error\",\"param\":\"n\",\"code\":"
            "\"invalid_value\"}}\n");
  const Error busy(tern::ErrorCode::kBusy, "scheduler: full");
  const Reply later = ToApiError(busy).ToReply(7);
  EXPECT_EQ(later.status, 429);
  EXPECT_EQ(later.fields, (std::vector<HeaderField>{{"Retry-After", "7"}}));
}

TEST(AccessTest, OneOfSeveralKeysIsEnoughAndAPartOfOneIsNot) {
  const Access access({"abc", "defg"}, {});
  EXPECT_TRUE(access.MayAsk("Bearer abc"));
  EXPECT_TRUE(access.MayAsk("bearer defg"));
  for (const char* wrong :
       {"", "Bearer", "Bearer ", "Bearer ab", "Bearer abcabc", "Bearer abcd",
        "abc", "Basic abc"}) {
    EXPECT_FALSE(access.MayAsk(wrong)) << wrong;
  }
  EXPECT_TRUE(Access({}, {}).MayAsk(""));
}

TEST(LogTest, NoValueCanForgeALine) {
  const Json fields = {{"event", "request"},
                       {"path", "/a b\"\n level=error\x1b[0m"},
                       {"ms", 1.5},
                       {"none", nullptr}};
  EXPECT_EQ(FormatLogLine(fields, LogFormat::kText),
            "event=request path=\"/a b\\\"\\n level=error\\u001b[0m\" ms=1.5");
  const std::string json = FormatLogLine(fields, LogFormat::kJson);
  EXPECT_EQ(json.find('\n'), std::string::npos);
  EXPECT_EQ(Json::parse(json)["ms"], 1.5);
}

TEST(HistogramTest, BucketsAreCumulative) {
  Histogram histogram;
  histogram.Add(0.003);
  histogram.Add(7);
  histogram.Add(1000);
  const std::string text = histogram.Text("x", "a=\"b\",");
  for (const char* line :
       {"x_bucket{a=\"b\",le=\"0.001\"} 0\n",
        "x_bucket{a=\"b\",le=\"0.005\"} 1\n", "x_bucket{a=\"b\",le=\"10\"} 2\n",
        "x_bucket{a=\"b\",le=\"+Inf\"} 3\n", "x_count{a=\"b\"} 3\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST(HttpTextTest, PathIsFoundInEveryFormOfATarget) {
  EXPECT_EQ(PathOf("/health?x=/y"), "/health");
  EXPECT_EQ(PathOf("http://host:80/v1/models#a"), "/v1/models");
  EXPECT_EQ(PathOf("http://host"), "/");
  EXPECT_EQ(PathOf("/a?b://c"), "/a");
  EXPECT_EQ(PathOf("*"), "*");
}

TEST(TextTest, BytesThatAreNoUtf8AreReplacedOneByOne) {
  EXPECT_EQ(ReplaceInvalidUtf8("a\xC3\xA4\xFFz\xE2\x82"),
            "a\xC3\xA4\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD");
}

}  // namespace
}  // namespace tern::cli::serve
