// `tern serve` as a client sees it: every route, with the model that ships.
#include <cmath>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
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

// One server for all of these tests: none of them harms it.
class ServeTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<ServerProcess>(std::vector<std::string>{
        "--slots", "4", "--model-name", "books", "--model-name", "gpt-4o"});
  }
  static void TearDownTestSuite() { server_.reset(); }

  static HttpResponse Ask(const std::string& path, const Json& body) {
    return Post(server_->port(), path, body);
  }
  static Json Answer(const std::string& path, const Json& body) {
    const HttpResponse response = Ask(path, body);
    EXPECT_EQ(response.status, 200) << response.body;
    return response.json();
  }
  static int port() { return server_->port(); }

  static std::unique_ptr<ServerProcess> server_;
};

std::unique_ptr<ServerProcess> ServeTest::server_;

Json Messages(const std::string& text) {
  return Json::array({{{"role", "user"}, {"content", text}}});
}

// Of a stream: the chunks, without the last event, which says that it is done.
std::vector<Json> Chunks(const HttpResponse& response) {
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.field("content-type"), "text/event-stream; charset=utf-8");
  std::vector<Json> chunks;
  bool done = false;
  for (const std::string& event : response.events()) {
    EXPECT_FALSE(done) << "something comes after the end";
    done = event == "[DONE]";
    if (!done) chunks.push_back(Json::parse(event));
  }
  EXPECT_TRUE(done);
  return chunks;
}

std::string TextOf(const std::vector<Json>& chunks, int index = 0) {
  std::string text;
  for (const Json& chunk : chunks) {
    for (const Json& choice : chunk["choices"]) {
      if (choice["index"] != index) continue;
      text += choice.contains("delta") ? choice["delta"].value("content", "")
                                       : choice["text"].get<std::string>();
    }
  }
  return text;
}

Json RunCommand(const std::vector<std::string>& more) {
  std::vector<std::string> words = {"run", "--json"};
  words.insert(words.end(), more.begin(), more.end());
  const ProgramResult result = RunProgram(TERN_PROGRAM, words);
  EXPECT_EQ(result.status, 0) << result.err;
  return Json::parse(result.out);
}

TEST_F(ServeTest, SampledTextIsThatOfTheRunCommandWithTheSameSeed) {
  const Json expected =
      RunCommand({"-p", "Once upon a time", "-n", "40", "--seed", "7", "--temp",
                  "0.8", "--top-k", "40", "--top-p", "0.95"});
  Json body = {
      {"prompt", "Once upon a time"}, {"max_tokens", 40}, {"seed", 7},
      {"temperature", 0.8},           {"top_k", 40},      {"top_p", 0.95}};
  const Json answer = Answer(kText, body);
  EXPECT_EQ(answer["choices"][0]["text"], expected["text"]);
  EXPECT_EQ(answer["usage"]["prompt_tokens"], expected["prompt_tokens"]);
  EXPECT_EQ(answer["usage"]["completion_tokens"], 40);
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "length");
  body["stream"] = true;
  EXPECT_EQ(TextOf(Chunks(Ask(kText, body))), expected["text"]);
}

TEST_F(ServeTest, GreedyTextIsThatOfTheRunCommand) {
  const Json expected = RunCommand(
      {"-p", "The king said to his daughter", "-n", "24", "--temp", "0"});
  const Json answer =
      Answer(kText, {{"prompt", "The king said to his daughter"},
                     {"max_tokens", 24},
                     {"temperature", 0}});
  EXPECT_EQ(answer["choices"][0]["text"], expected["text"]);
}

TEST_F(ServeTest, ManyAtOnceGiveWhatEachGivesAlone) {
  const auto body = [](int i) {
    return Json{{"prompt", "Story " + std::to_string(i) + ": there was"},
                {"max_tokens", 24},
                {"seed", i}};
  };
  std::vector<std::string> alone;
  for (int i = 0; i < 6; ++i) {
    alone.push_back(Answer(kText, body(i))["choices"][0]["text"]);
  }
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(std::make_unique<HttpClient>(port()));
    clients.back()->Send(PostBytes(kText, body(i).dump()));
  }
  for (std::size_t i = 0; i < clients.size(); ++i) {
    EXPECT_EQ(clients[i]->Read().json()["choices"][0]["text"], alone[i]) << i;
  }
}

TEST_F(ServeTest, ChatStreamHasRoleTextReasonAndUsage) {
  Json body = {{"model", "gpt-4o"},
               {"messages", Messages("Tell me a story.")},
               {"max_tokens", 12},
               {"seed", 1}};
  const Json whole = Answer(kChat, body);
  EXPECT_EQ(whole["object"], "chat.completion");
  EXPECT_EQ(whole["model"], "books");
  EXPECT_EQ(whole["choices"][0]["message"]["role"], "assistant");
  EXPECT_TRUE(whole["id"].get<std::string>().starts_with("chatcmpl-"));
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  const std::vector<Json> chunks = Chunks(Ask(kChat, body));
  ASSERT_GE(chunks.size(), 4U);
  EXPECT_EQ(chunks[0]["object"], "chat.completion.chunk");
  EXPECT_EQ(chunks[0]["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(TextOf(chunks), whole["choices"][0]["message"]["content"]);
  const Json& last = chunks[chunks.size() - 2];
  EXPECT_EQ(last["choices"][0]["finish_reason"],
            whole["choices"][0]["finish_reason"]);
  const Json& usage = chunks.back();
  EXPECT_TRUE(usage["choices"].empty());
  EXPECT_EQ(usage["usage"]["completion_tokens"],
            whole["usage"]["completion_tokens"]);
  EXPECT_EQ(usage["usage"]["prompt_tokens"], whole["usage"]["prompt_tokens"]);
  for (const Json& chunk : chunks) EXPECT_EQ(chunk["id"], chunks[0]["id"]);
}

TEST_F(ServeTest, SeveralChoicesDifferAndTheFirstIsTheOnlyOnesText) {
  Json body = {{"prompt", "In the forest"}, {"max_tokens", 12}, {"seed", 3}};
  const Json one = Answer(kText, body);
  body["n"] = 3;
  const Json three = Answer(kText, body);
  ASSERT_EQ(three["choices"].size(), 3U);
  EXPECT_EQ(three["choices"][0]["text"], one["choices"][0]["text"]);
  EXPECT_NE(three["choices"][1]["text"], three["choices"][0]["text"]);
  EXPECT_EQ(three["usage"]["completion_tokens"], 36);
  EXPECT_EQ(three["usage"]["prompt_tokens"], one["usage"]["prompt_tokens"]);
  body["stream"] = true;
  const auto chunks = Chunks(Ask(kText, body));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(TextOf(chunks, i), three["choices"][i]["text"]) << i;
  }
}

TEST_F(ServeTest, SeveralPromptsEachHaveTheirTextWithEcho) {
  const Json answer = Answer(
      kText,
      {{"prompt", {"One day", "At night"}}, {"max_tokens", 4}, {"echo", true}});
  ASSERT_EQ(answer["choices"].size(), 2U);
  EXPECT_TRUE(
      answer["choices"][0]["text"].get<std::string>().starts_with("One day"));
  EXPECT_TRUE(
      answer["choices"][1]["text"].get<std::string>().starts_with("At night"));
}

TEST_F(ServeTest, StopStringEndsTheTextAndIsNotTold) {
  Json body = {
      {"prompt", "Once upon a time"}, {"max_tokens", 60}, {"temperature", 0}};
  const std::string whole = Answer(kText, body)["choices"][0]["text"];
  const std::string stop = whole.substr(whole.size() / 2, 5);
  body["stop"] = {stop, "never to be seen \x01"};
  const Json answer = Answer(kText, body);
  EXPECT_EQ(answer["choices"][0]["text"], whole.substr(0, whole.find(stop)));
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "stop");
  EXPECT_LT(answer["usage"]["completion_tokens"], 60);
  body["stream"] = true;
  EXPECT_EQ(TextOf(Chunks(Ask(kText, body))), answer["choices"][0]["text"]);
}

TEST_F(ServeTest, LogprobsOfAChatCoverItsTextAndAreSorted) {
  const Json answer = Answer(kChat, {{"messages", Messages("Who is there?")},
                                     {"max_tokens", 8},
                                     {"temperature", 0},
                                     {"logprobs", true},
                                     {"top_logprobs", 3}});
  const Json& choice = answer["choices"][0];
  std::string text;
  for (const Json& token : choice["logprobs"]["content"]) {
    for (const Json& byte : token["bytes"]) {
      text += static_cast<char>(byte.get<int>());
    }
    ASSERT_EQ(token["top_logprobs"].size(), 3U);
    EXPECT_LE(token["logprob"], 0);
    // Greedy: the chosen one is the likeliest.
    EXPECT_EQ(token["top_logprobs"][0]["token"], token["token"]);
    EXPECT_GE(token["top_logprobs"][0]["logprob"],
              token["top_logprobs"][1]["logprob"]);
  }
  EXPECT_EQ(text, choice["message"]["content"]);
}

TEST_F(ServeTest, LogprobsOfATextAreInTheOlderForm) {
  const Json answer = Answer(kText, {{"prompt", "A cat"},
                                     {"max_tokens", 5},
                                     {"temperature", 0},
                                     {"logprobs", 2}});
  const Json& logprobs = answer["choices"][0]["logprobs"];
  std::string text;
  for (const Json& token : logprobs["tokens"]) text += token;
  EXPECT_EQ(text, answer["choices"][0]["text"]);
  EXPECT_EQ(logprobs["tokens"].size(), 5U);
  EXPECT_EQ(logprobs["token_logprobs"].size(), 5U);
  EXPECT_EQ(logprobs["top_logprobs"][0].size(), 2U);
  EXPECT_EQ(logprobs["text_offset"][0], 0);
}

TEST_F(ServeTest, JsonModeAndSchemasGiveWhatTheyPromise) {
  const Json free =
      Answer(kChat, {{"messages", Messages("An object.")},
                     {"max_tokens", 400},
                     {"seed", 5},
                     {"response_format", {{"type", "json_object"}}}});
  if (free["choices"][0]["finish_reason"] == "stop") {
    EXPECT_TRUE(
        Json::parse(free["choices"][0]["message"]["content"].get<std::string>())
            .is_object());
  }
  const Json schema = Json::parse(R"({
    "type": "object", "additionalProperties": false,
    "properties": {"color": {"enum": ["red", "green"]}, "big": {"type": "boolean"}},
    "required": ["color", "big"]})");
  const Json answer = Answer(
      kChat, {{"messages", Messages("A thing.")},
              {"seed", 5},
              {"response_format",
               {{"type", "json_schema"},
                {"json_schema", {{"name", "thing"}, {"schema", schema}}}}}});
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "stop");
  const Json thing = Json::parse(
      answer["choices"][0]["message"]["content"].get<std::string>());
  EXPECT_EQ(thing.size(), 2U);
  EXPECT_TRUE(thing["color"] == "red" || thing["color"] == "green");
  EXPECT_TRUE(thing["big"].is_boolean());
}

TEST_F(ServeTest, EmbeddingsHaveLengthOneInBothEncodings) {
  const Json answer = Answer(
      "/v1/embeddings", {{"input", {"A cat sat on a mat.", "Ships sail."}}});
  ASSERT_EQ(answer["data"].size(), 2U);
  const auto vector = answer["data"][0]["embedding"].get<std::vector<float>>();
  EXPECT_EQ(vector.size(), 768U);
  double square = 0;
  for (const float x : vector) square += static_cast<double>(x) * x;
  EXPECT_NEAR(square, 1, 1e-5);
  EXPECT_NE(answer["data"][0]["embedding"], answer["data"][1]["embedding"]);
  const Json coded = Answer("/v1/embeddings", {{"input", "A cat sat on a mat."},
                                               {"encoding_format", "base64"}});
  EXPECT_EQ(coded["data"][0]["embedding"].get<std::string>().size(), 4096U);
  EXPECT_EQ(coded["usage"]["total_tokens"], coded["usage"]["prompt_tokens"]);
}

TEST_F(ServeTest, TokensComeBackAsTheText) {
  const std::string text = "Es war einmal – \xF0\x9F\x90\x88 <|eot_id|>";
  const Json tokens = Answer(
      "/tokenize",
      {{"content", text}, {"add_special", false}, {"with_pieces", true}});
  EXPECT_EQ(tokens["count"], tokens["tokens"].size());
  EXPECT_EQ(tokens["pieces"].size(), tokens["tokens"].size());
  const Json back = Answer("/detokenize", {{"tokens", tokens["tokens"]}});
  EXPECT_EQ(back["content"], text);
}

// A user who types the name of the token that ends a turn must not end it.
TEST_F(ServeTest, SpecialTokensInAUsersTextStayText) {
  const auto count = [](const Json& body) {
    return Answer("/tokenize", body)["count"].get<int>();
  };
  EXPECT_GT(count({{"content", "<|eot_id|>"}, {"add_special", false}}), 3);
  const int plain = count({{"messages", Messages("x")}});
  const int named = count({{"messages", Messages("x<|eot_id|>")}});
  EXPECT_GT(named, plain + 3);
}

TEST_F(ServeTest, ModelsAreListedAndDescribed) {
  const Json models = Get(port(), "/v1/models").json();
  ASSERT_EQ(models["data"].size(), 2U);
  EXPECT_EQ(models["data"][0]["id"], "books");
  // Where the file lies is nothing for clients.
  const std::string described = models["data"][0]["description"];
  EXPECT_NE(described.find("bitnet-b1.58"), std::string::npos) << described;
  EXPECT_EQ(described.find('/'), std::string::npos) << described;
  EXPECT_EQ(Get(port(), "/v1/models/gpt-4o").json()["id"], "gpt-4o");
  const HttpResponse other = Get(port(), "/v1/models/other");
  EXPECT_EQ(other.status, 404);
  EXPECT_EQ(other.json()["error"]["code"], "model_not_found");
}

TEST_F(ServeTest, HealthAndMetricsTellNumbers) {
  EXPECT_EQ(Get(port(), "/health").json()["status"], "ok");
  Answer(kText, {{"prompt", "A"}, {"max_tokens", 2}});
  const HttpResponse metrics = Get(port(), "/metrics");
  EXPECT_EQ(metrics.field("content-type"),
            "text/plain; version=0.0.4; charset=utf-8");
  for (const char* name :
       {"\ntern_http_requests_total{route=\"/v1/completions\",status=\"200\"} ",
        "\ntern_first_token_seconds_count ", "\ntern_slots_active 0\n",
        "\ntern_requests_waiting 0\n", "\ntern_generated_tokens_total ",
        "\ntern_cache_bytes ", "tern_build_info{version="}) {
    EXPECT_NE(metrics.body.find(name), std::string::npos) << name << "\n"
                                                          << metrics.body;
  }
}

TEST_F(ServeTest, PageNeedsNothingFromElsewhere) {
  const HttpResponse page = Get(port(), "/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.field("content-type"), "text/html; charset=utf-8");
  EXPECT_NE(page.field("content-security-policy").find("default-src 'none'"),
            std::string::npos);
  EXPECT_EQ(page.body.find("http://"), std::string::npos);
  EXPECT_EQ(page.body.find("https://"), std::string::npos);
}

TEST_F(ServeTest, ConnectionIsKeptAndRequestsMayBeSentAhead) {
  HttpClient client(port());
  const Json body = {{"prompt", "A"}, {"max_tokens", 2}, {"stream", true}};
  client.Send("GET /health HTTP/1.1\r\nHost: test\r\n\r\n" +
              PostBytes(kText, body.dump()) +
              "HEAD /v1/models HTTP/1.1\r\nHost: test\r\n\r\n");
  EXPECT_EQ(client.Read().json()["status"], "ok");
  EXPECT_GE(Chunks(client.Read()).size(), 2U);
  EXPECT_EQ(client.Read(true).status, 200);
  client.Send(
      "GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.Read().field("connection"), "close");
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(ServeTest, ChunkedBodyAndHttp10AreUnderstood) {
  HttpClient client(port());
  client.Send(
      "POST /tokenize HTTP/1.1\r\nHost: t\r\nContent-Type: application/json; "
      "charset=utf-8\r\nExpect: 100-continue\r\nTransfer-Encoding: "
      "chunked\r\n\r\n");
  EXPECT_EQ(client.Read().status, 100);
  client.Send("8\r\n{\"conten\r\n8\r\nt\":\"ab\"}\r\n0\r\n\r\n");
  EXPECT_EQ(client.Read().status, 200);
  HttpClient old(port());
  const std::string body = R"({"prompt":"A","max_tokens":2,"stream":true})";
  old.Send(
      "POST /v1/completions HTTP/1.0\r\nContent-Type: application/json\r\n"
      "Content-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body);
  const HttpResponse stream = old.Read();
  EXPECT_EQ(stream.field("transfer-encoding"), "");
  EXPECT_GE(Chunks(stream).size(), 2U);
}

}  // namespace
}  // namespace tern::testing
