// What a client does wrong is told to it, in OpenAI's form, with the parameter.
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cli/serve/http_client.h"
#include "tests/cli/serve/server_process.h"
#include "tests/support/subprocess.h"

namespace tern::testing {
namespace {

using Json = nlohmann::json;

constexpr const char* kChat = "/v1/chat/completions";
constexpr const char* kText = "/v1/completions";

class ServeErrorsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<ServerProcess>(
        std::vector<std::string>{"--slots", "2", "--ctx", "256", "--max-body",
                                 "20000", "--max-header", "2000"});
  }
  static void TearDownTestSuite() { server_.reset(); }
  static int port() { return server_->port(); }

  static std::unique_ptr<ServerProcess> server_;
};

std::unique_ptr<ServerProcess> ServeErrorsTest::server_;

void ExpectError(const HttpResponse& response, int status,
                 const std::string& param, const std::string& what) {
  EXPECT_EQ(response.status, status) << what << "\n" << response.body;
  EXPECT_EQ(response.field("content-type"), "application/json") << what;
  const Json error = response.json()["error"];
  EXPECT_TRUE(error["message"].is_string()) << what;
  EXPECT_EQ(error["type"],
            status >= 500 ? "server_error" : "invalid_request_error")
      << what;
  EXPECT_TRUE(error.contains("code")) << what;
  if (param.empty()) {
    EXPECT_TRUE(error["param"].is_null()) << what << error;
  } else {
    EXPECT_EQ(error["param"], param) << what;
  }
}

// More alternatives than a schema may have.
std::string WideFormat() {
  std::string all = R"({"type":"string"})";
  for (int i = 1; i <= 256; ++i) {
    all += R"(,{"type":"string","maxLength":)" + std::to_string(i) + "}";
  }
  return R"({"type":"json_schema","json_schema":{"schema":{"anyOf":[)" + all +
         "]}}}";
}

struct BadField {
  const char* path;
  const char* name;   // of the parameter
  std::string value;  // JSON
  const char* param;  // that the error names
  int status = 400;
};

Json Harmless(const std::string& path) {
  Json body = {{"max_tokens", 1}};
  if (path == kChat) {
    body["messages"] = Json::parse(R"([{"role":"user","content":"x"}])");
  } else if (path == kText) {
    body["prompt"] = "x";
  } else if (path == "/v1/embeddings") {
    body = {{"input", "x"}};
  } else {
    body = Json::object();
  }
  return body;
}

const std::vector<BadField> kBadFields = {
    {kChat, "model", "\"gpt-5\"", "model", 404},
    {kChat, "model", "7", "model"},
    {kChat, "messages", "[]", "messages"},
    {kChat, "messages", "\"x\"", "messages"},
    {kChat, "messages", "[7]", "messages[0]"},
    {kChat, "messages", R"([{"content":"x"}])", "messages[0].role"},
    {kChat, "messages", R"([{"role":"tool","content":"x"}])",
     "messages[0].role"},
    {kChat, "messages", R"([{"role":"user"}])", "messages[0].content"},
    {kChat, "messages", R"([{"role":"user","content":7}])",
     "messages[0].content"},
    {kChat, "messages",
     R"([{"role":"user","content":[{"type":"image_url","image_url":{}}]}])",
     "messages[0].content[0].type"},
    {kChat, "messages", R"([{"role":"user","content":"x","name":"Al"}])",
     "messages[0].name"},
    {kChat, "tools", R"([{"type":"function"}])", "tools"},
    {kChat, "tool_choice", "\"required\"", "tool_choice"},
    {kChat, "functions", "[{}]", "functions"},
    {kChat, "logit_bias", R"({"5":1})", "logit_bias"},
    {kChat, "top_logprobs", "3", "top_logprobs"},
    {kChat, "logprobs", "3", "logprobs"},
    {kChat, "modalities", R"(["audio"])", "modalities"},
    {kChat, "audio", R"({"voice":"x"})", "audio"},
    {kChat, "max_completion_tokens", "3", "max_tokens"},
    {kChat, "max_tokens", "0", "max_tokens"},
    {kChat, "max_tokens", "1.5", "max_tokens"},
    {kChat, "max_tokens", "99999999999999999999", "max_tokens"},
    {kChat, "temperature", "2.5", "temperature"},
    {kChat, "temperature", "\"hot\"", "temperature"},
    {kChat, "top_p", "-0.1", "top_p"},
    {kChat, "presence_penalty", "3", "presence_penalty"},
    {kChat, "n", "0", "n"},
    {kChat, "n", "100", "n"},
    {kChat, "stop", "\"\"", "stop"},
    {kChat, "stop", "[7]", "stop"},
    {kChat, "seed", "\"x\"", "seed"},
    {kChat, "stream", "\"yes\"", "stream"},
    {kChat, "stream_options", R"({"include_usage":true})", "stream_options"},
    {kChat, "response_format", R"({"type":"xml"})", "response_format.type"},
    {kChat, "response_format", R"({"type":"json_schema"})",
     "response_format.json_schema"},
    {kChat, "response_format",
     R"({"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object","patternProperties":{}}}})",
     "response_format"},
    {kChat, "response_format", WideFormat(), "response_format"},
    {kChat, "surprise", "1", "surprise"},
    {kText, "prompt", "\"\"", ""},
    {kText, "prompt", "[[1,\"a\"]]", "prompt"},
    {kText, "prompt", "[1,99999999]", "prompt"},
    {kText, "prompt", "[1,-1]", "prompt"},
    {kText, "prompt", "{}", "prompt"},
    {kText, "suffix", "\"end\"", "suffix"},
    {kText, "best_of", "3", "best_of"},
    {kText, "logprobs", "true", "logprobs"},
    {kText, "messages", "[]", "messages"},
    {"/v1/embeddings", "input", "\"\"", ""},
    {"/v1/embeddings", "input", "[[]]", "input"},
    {"/v1/embeddings", "dimensions", "5", "dimensions"},
    {"/v1/embeddings", "encoding_format", "\"hex\"", "encoding_format"},
    {"/tokenize", "content", "7", "content"},
    {"/tokenize", "other", "7", "content"},
    {"/detokenize", "tokens", "[-1]", "tokens"},
    {"/detokenize", "tokens", "[\"a\"]", "tokens"},
};

TEST_F(ServeErrorsTest, WrongParametersAreRefusedByName) {
  for (const BadField& bad : kBadFields) {
    Json body = Harmless(bad.path);
    body[bad.name] = Json::parse(bad.value);
    const std::string what =
        std::string(bad.path) + " " + bad.name + "=" + bad.value;
    const HttpResponse response = Post(port(), bad.path, body);
    // The tokenizer begins a text with a token, so that "" is no empty prompt.
    if (std::string(bad.param).empty()) {
      EXPECT_TRUE(response.status == 200 || response.status == 400) << what;
      continue;
    }
    ExpectError(response, bad.status, bad.param, what);
  }
}

TEST_F(ServeErrorsTest, WhatChangesNothingIsAccepted) {
  for (const char* more :
       {R"({"user":"a","metadata":{"a":"b"},"store":true})",
        R"({"tools":[],"tool_choice":"none","logit_bias":{},"n":1})",
        R"({"stop":null,"seed":null,"functions":null,"top_p":0})",
        R"({"response_format":{"type":"text"},"modalities":["text"]})",
        R"({"service_tier":"auto","parallel_tool_calls":true,"seed":-5})"}) {
    Json body = Harmless(kChat);
    body.update(Json::parse(more));
    const HttpResponse response = Post(port(), kChat, body);
    EXPECT_EQ(response.status, 200) << more << response.body;
  }
}

TEST_F(ServeErrorsTest, TooLongPromptIsRefusedAndLongAnswerEnds) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "word ";
  const HttpResponse response =
      Post(port(), kText, {{"prompt", text}, {"max_tokens", 1}});
  ExpectError(response, 400, "prompt", "long");
  EXPECT_EQ(response.json()["error"]["code"], "context_length_exceeded");
  const HttpResponse embedding =
      Post(port(), "/v1/embeddings", {{"input", text}});
  ExpectError(embedding, 400, "input", "long");
  const Json answer = Post(port(), kText,
                           {{"prompt", std::string(text, 0, 1100)},
                            {"max_tokens", 1000},
                            {"temperature", 0}})
                          .json();
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "length");
}

struct BadBytes {
  const char* what;
  std::string bytes;
  int status;
  bool close_sending = false;
};

std::string Deep(int depth) {
  return "{\"a\":" + std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']') + "}";
}

std::string ManyMembers() {
  std::string body = "{";
  for (int i = 0; i < 2000; ++i) body += "\"" + std::to_string(i) + "\":1,";
  return body + "\"a\":1}";
}

std::vector<BadBytes> BadRequests() {
  const std::string host = " HTTP/1.1\r\nHost: t\r\n";
  const std::string json = "Content-Type: application/json\r\n";
  return {
      {"no HTTP", "hello\r\n\r\n", 400},
      {"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
      {"no Host", "GET /health HTTP/1.1\r\n\r\n", 400},
      {"two Hosts", "GET /health" + host + "Host: u\r\n\r\n", 400},
      {"other version", "GET /health HTTP/3.0\r\nHost: t\r\n\r\n", 505},
      {"control character", "GET /he\x01lth" + host + "\r\n", 400},
      {"field without colon", "GET /health" + host + "what\r\n\r\n", 400},
      {"two lengths",
       "POST /tokenize" + host + json +
           "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
       400},
      {"length and chunks",
       "POST /tokenize" + host + json +
           "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
       400},
      {"length is no number",
       "POST /tokenize" + host + json + "Content-Length: -2\r\n\r\n", 400},
      {"bad chunk",
       "POST /tokenize" + host + json +
           "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
       400},
      {"other coding",
       "POST /tokenize" + host + json + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {"other expectation",
       "POST /tokenize" + host + json +
           "Expect: miracles\r\nContent-Length: 2\r\n\r\n{}",
       417},
      {"no length", "POST /tokenize" + host + json + "\r\n", 411},
      {"no type", "POST /tokenize" + host + "Content-Length: 2\r\n\r\n{}", 415},
      {"form",
       "POST /tokenize" + host +
           "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
       415},
      {"gzip",
       "POST /tokenize" + host + json +
           "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
       415},
      {"unknown path", "GET /v2/models" + host + "\r\n", 404},
      {"wrong method", "GET /v1/completions" + host + "\r\n", 405},
      {"unknown method", "BREW /health" + host + "\r\n", 405},
      {"large header",
       "GET /health" + host + "X: " + std::string(4000, 'x') + "\r\n\r\n", 431},
      {"large body told",
       "POST /tokenize" + host + json + "Content-Length: 30000\r\n\r\n", 413},
      {"large body in chunks",
       "POST /tokenize" + host + json +
           "Transfer-Encoding: chunked\r\n\r\n7530\r\n" +
           std::string(30000, ' ') + "\r\n0\r\n\r\n",
       413},
      {"half a header", "GET /health HTTP/1.1\r\nHo", 400, true},
      {"half a body",
       "POST /tokenize" + host + json + "Content-Length: 9\r\n\r\n{}", 400,
       true},
      {"no JSON", PostBytes("/tokenize", "{'a'}"), 400},
      {"no object", PostBytes("/tokenize", "[1]"), 400},
      {"empty body", PostBytes("/tokenize", ""), 400},
      {"no UTF-8", PostBytes("/tokenize", "{\"content\":\"\xff\"}"), 400},
      {"half a character", PostBytes("/tokenize", R"({"content":"\ud800"})"),
       400},
      {"deep", PostBytes("/tokenize", Deep(2000)), 400},
      {"wide", PostBytes("/tokenize", ManyMembers()), 400},
      {"twice", PostBytes("/tokenize", R"({"content":"a","content":"b"})"),
       400},
      {"huge number", PostBytes("/tokenize", R"({"content":1e999})"), 400},
  };
}

TEST_F(ServeErrorsTest, WhereABodyStopsBeingJsonIsToldInPlainWords) {
  HttpClient client(port());
  client.Send(PostBytes("/tokenize", "{\"content\": 1,"));
  const std::string message = client.Read().json()["error"]["message"];
  EXPECT_EQ(message.find("the body is not JSON: parse error at line 1"), 0U)
      << message;
}

TEST_F(ServeErrorsTest, BytesThatAreNoRequestGetTheirStatusAndDoNoHarm) {
  for (int round = 0; round < 3; ++round) {
    for (const BadBytes& bad : BadRequests()) {
      HttpClient client(port());
      client.Send(bad.bytes);
      if (bad.close_sending) client.CloseSending();
      const HttpResponse response = client.Read();
      EXPECT_EQ(response.status, bad.status) << bad.what << response.body;
      EXPECT_TRUE(response.json()["error"]["message"].is_string()) << bad.what;
      if (bad.status == 405) {
        EXPECT_NE(response.field("allow"), "") << bad.what;
      }
    }
  }
  EXPECT_EQ(Get(port(), "/health").status, 200);
}

TEST_F(ServeErrorsTest, AfterAnErrorTheNextRequestOfTheConnectionIsAnswered) {
  HttpClient client(port());
  client.Send(PostBytes("/tokenize", "{") +
              PostBytes("/tokenize", R"({"content":"a"})"));
  EXPECT_EQ(client.Read().status, 400);
  EXPECT_EQ(client.Read().status, 200);
}

TEST(ServeAccessTest, KeysAreDemandedWhereTheyMatter) {
  const ServerProcess server({"--api-key", "first", "--api-key", "second"});
  const int port = server.port();
  EXPECT_EQ(Get(port, "/health").status, 200);
  EXPECT_EQ(Get(port, "/").status, 200);
  for (const char* path : {"/v1/models", "/metrics"}) {
    const HttpResponse none = Get(port, path);
    EXPECT_EQ(none.status, 401) << path;
    EXPECT_EQ(none.field("www-authenticate"), "Bearer");
    EXPECT_EQ(none.json()["error"]["code"], "invalid_api_key");
    for (const char* key :
         {"Bearer", "Bearer ", "Bearer firs", "Bearer firstfirst",
          "Bearer first second", "Basic first", "first"}) {
      EXPECT_EQ(Get(port, path, {{"Authorization", key}}).status, 401) << key;
    }
    for (const char* key : {"Bearer first", "bearer second"}) {
      EXPECT_EQ(Get(port, path, {{"Authorization", key}}).status, 200) << key;
    }
  }
  EXPECT_EQ(Post(port, kText, {{"prompt", "x"}, {"max_tokens", 1}}).status,
            401);
}

// A client that is told 503 tries again, and a proxy asks another server.
TEST(ServeMemoryTest, ARequestThatCanNeverFitIsToldWhatToAskFor) {
  const ServerProcess server({"--cache-mib", "1"});
  const HttpResponse large =
      Post(server.port(), kText, {{"prompt", "x"}, {"max_tokens", 600}});
  ExpectError(large, 400, "max_tokens", "600 tokens in 1 MiB");
  EXPECT_EQ(large.json()["error"]["code"], "out_of_memory");
  EXPECT_EQ(large.field("retry-after"), "");
  // A chat that says nothing asks for the whole context.
  const Json hello = Json::array({{{"role", "user"}, {"content", "Hello"}}});
  ExpectError(Post(server.port(), kChat, {{"messages", hello}}), 400,
              "max_tokens", "a context in 1 MiB");
  EXPECT_EQ(
      Post(server.port(), kText, {{"prompt", "x"}, {"max_tokens", 6}}).status,
      200);
}

TEST(ServeAccessTest, OnlyNamedOriginsMayRead) {
  const ServerProcess server({"--cors-origin", "https://a.example"});
  const auto ask = [&](const char* origin) {
    HttpClient client(server.port());
    client.Send(std::string("OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: t"
                            "\r\nOrigin: ") +
                origin +
                "\r\nAccess-Control-Request-Method: POST\r\n"
                "Access-Control-Request-Headers: authorization, "
                "content-type\r\n\r\n");
    return client.Read();
  };
  const HttpResponse yes = ask("https://a.example");
  EXPECT_EQ(yes.status, 204);
  EXPECT_EQ(yes.field("access-control-allow-origin"), "https://a.example");
  EXPECT_EQ(yes.field("access-control-allow-methods"), "POST, OPTIONS");
  EXPECT_EQ(yes.field("access-control-allow-headers"),
            "authorization, content-type");
  EXPECT_EQ(yes.field("vary"), "Origin");
  EXPECT_EQ(Get(server.port(), "/health", {{"Origin", "https://a.example"}})
                .field("access-control-allow-origin"),
            "https://a.example");
  EXPECT_EQ(ask("https://b.example").status, 403);
  EXPECT_EQ(Get(server.port(), "/health", {{"Origin", "https://b.example"}})
                .field("access-control-allow-origin"),
            "");
}

TEST(ServeAccessTest, WrongUsageIsToldBeforeTheModelIsLoaded) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"--port", "65536"},
      {"--slots", "0"},
      {"--max-waiting", "-1"},
      {"--log-format", "xml"},
      {"--pooling", "max"},
      {"--api-key", ""},
      {"--idle-timeout", "0"},
      {"--max-body", "10"},
      {"--cors-origin", "a.example"},
      {"--cors-origin", "https://a.example/"},
      {"--cors-origin", "https://A.example"},
      {"--cors-origin", "://a.example"}};
  for (const auto& [option, value] : wrong) {
    const ProgramResult result = RunProgram(
        TERN_PROGRAM, {"serve", option, value, "-m", "/no/such/model"});
    EXPECT_EQ(result.status, 2) << option;
    EXPECT_NE(result.err.find(option), std::string::npos) << result.err;
  }
}

}  // namespace
}  // namespace tern::testing
