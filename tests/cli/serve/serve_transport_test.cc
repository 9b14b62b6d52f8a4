// Clients that are slow, vanish or come in crowds, and a server that is told to
// end while it works.
#include <chrono>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cli/serve/http_client.h"
#include "tests/cli/serve/server_process.h"

namespace tern::testing {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr const char* kText = "/v1/completions";
constexpr int kTerminated = 128 + SIGTERM;

// As long as the context lets it.
Json LongStory(bool stream) {
  return {{"prompt", "Once upon a time"},
          {"max_tokens", 2000},
          {"temperature", 0},
          {"stream", stream}};
}

long long Metric(int port, const std::string& name) {
  const std::string text = "\n" + Get(port, "/metrics").body;
  const std::size_t at = text.find("\n" + name + " ");
  if (at == std::string::npos) throw std::runtime_error("no metric " + name);
  return std::stoll(text.substr(at + name.size() + 2));
}

bool Becomes(int port, const std::string& name, long long value) {
  const auto end = Clock::now() + std::chrono::seconds(kPatience);
  while (Clock::now() < end) {
    if (Metric(port, name) == value) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

TEST(ServeTransportTest, ClientsThatGoAwayStopTheirTexts) {
  const ServerProcess server({"--slots", "4"});
  const int port = server.port();
  HttpClient stream(port);
  stream.Send(PostBytes(kText, LongStory(true).dump()));
  stream.ReadUntil("data: ");
  HttpClient whole(port);
  whole.Send(PostBytes(kText, LongStory(false).dump()));
  HttpClient half(port);
  half.Send(PostBytes(kText, LongStory(false).dump()));
  ASSERT_TRUE(Becomes(port, "tern_slots_active", 3));
  stream.Reset();
  whole.Reset();
  half.CloseSending();
  EXPECT_EQ(half.Read().status, 400);
  EXPECT_TRUE(half.IsClosed());
  EXPECT_TRUE(Becomes(port, "tern_slots_active", 0));
  EXPECT_EQ(Metric(port, "tern_texts_cancelled_total"), 3);
}

// Some of them are gone before the server has heard that its answer was sent.
TEST(ServeTransportTest, ConnectionsOfClientsThatAreGoneAreClosedAtOnce) {
  const ServerProcess server({"--idle-timeout", "600"});
  const std::size_t files = server.OpenFiles();
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(Post(server.port(), "/tokenize", {{"content", "a"}}).status, 200);
    ASSERT_EQ(Post(server.port(), "/v1/embeddings", {{"input", "a"}}).status,
              200);
  }
  const auto end = Clock::now() + std::chrono::seconds(kPatience);
  while (server.OpenFiles() > files && Clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_LE(server.OpenFiles(), files);
}

TEST(ServeTransportTest, ClientThatDoesNotReadIsCutOffAndOthersAreNot) {
  const ServerProcess server({"--slots", "4", "--write-timeout", "2"});
  const int port = server.port();
  HttpClient lazy(port, 4096);
  Json body = LongStory(true);
  body["logprobs"] = 20;  // much to read
  body["n"] = 3;
  lazy.Send(PostBytes(kText, body.dump()));
  ASSERT_TRUE(Becomes(port, "tern_slots_active", 3));
  // Meanwhile another one is served.
  const HttpResponse other =
      Post(port, kText, {{"prompt", "A"}, {"max_tokens", 8}});
  EXPECT_EQ(other.status, 200);
  EXPECT_TRUE(Becomes(port, "tern_http_clients_gone_total", 1));
  EXPECT_TRUE(Becomes(port, "tern_slots_active", 0));
}

TEST(ServeTransportTest, SlowRequestsAreEndedWith408) {
  const ServerProcess server({"--request-timeout", "1", "--idle-timeout", "1"});
  HttpClient head(server.port());
  head.Send("GET /health HTT");
  HttpClient body(server.port());
  body.Send(
      "POST /tokenize HTTP/1.1\r\nHost: t\r\nContent-Type: application/json"
      "\r\nContent-Length: 20\r\n\r\n{");
  HttpClient idle(server.port());
  EXPECT_EQ(head.Read().status, 408);
  EXPECT_EQ(body.Read().status, 408);
  EXPECT_TRUE(head.IsClosed());
  EXPECT_TRUE(idle.IsClosed());
  EXPECT_EQ(Get(server.port(), "/health").status, 200);
}

TEST(ServeTransportTest, FullQueueIs429WithATimeToComeBack) {
  const ServerProcess server({"--slots", "1", "--max-waiting", "1"});
  const int port = server.port();
  HttpClient first(port);
  first.Send(PostBytes(kText, LongStory(true).dump()));
  first.ReadUntil("data: ");
  HttpClient second(port);
  second.Send(PostBytes(kText, LongStory(true).dump()));
  ASSERT_TRUE(Becomes(port, "tern_requests_waiting", 1));
  const HttpResponse third = Post(port, kText, LongStory(true));
  EXPECT_EQ(third.status, 429);
  EXPECT_GE(std::stoi(third.field("retry-after")), 1);
  EXPECT_EQ(third.json()["error"]["code"], "rate_limit_exceeded");
  EXPECT_EQ(third.json()["error"]["type"], "rate_limit_error");
}

TEST(ServeTransportTest, TooManyConnectionsAreToldSo) {
  const ServerProcess server({"--max-connections", "2"});
  HttpClient first(server.port());
  HttpClient second(server.port());
  first.Send("GET /health HTTP/1.1\r\nHost: t\r\n\r\n");
  second.Send("GET /health HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(first.Read().status, 200);
  EXPECT_EQ(second.Read().status, 200);
  HttpClient third(server.port());
  third.Send("GET /health HTTP/1.1\r\nHost: t\r\n\r\n");
  const HttpResponse response = third.Read();
  EXPECT_EQ(response.status, 503);
  EXPECT_NE(response.field("retry-after"), "");
  EXPECT_TRUE(third.IsClosed());
}

TEST(ServeTransportTest, TermLetsRunningAnswersEndAndRefusesNewOnes) {
  ServerProcess server({"--slots", "2", "--log-format", "json"});
  const int port = server.port();
  HttpClient kept(port);  // idle: is closed
  kept.Send("GET /health HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(kept.Read().status, 200);
  HttpClient late(port);  // half a request: is refused when it is whole
  const std::string bytes = PostBytes(kText, LongStory(false).dump());
  late.Send(bytes.substr(0, 30));
  HttpClient stream(port);
  Json body = LongStory(true);
  body["max_tokens"] = 150;
  stream.Send(PostBytes(kText, body.dump()));
  stream.ReadUntil("data: ");
  server.Signal(SIGTERM);
  EXPECT_TRUE(kept.IsClosed());
  late.Send(bytes.substr(30));
  const HttpResponse refused = late.Read();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.json()["error"]["code"], "shutting_down");
  EXPECT_THROW(HttpClient another(port), std::runtime_error);
  EXPECT_EQ(stream.Read().events().back(), "[DONE]");
  EXPECT_EQ(server.Wait(), 0);
  EXPECT_NE(server.log().find("\"event\":\"stopped\""), std::string::npos)
      << server.log();
}

TEST(ServeTransportTest, AnswersThatTakeTooLongToEndAreCutAndToldSo) {
  ServerProcess server({"--slots", "1", "--shutdown-timeout", "0"});
  HttpClient stream(server.port());
  stream.Send(PostBytes(kText, LongStory(true).dump()));
  stream.ReadUntil("data: ");
  HttpClient waiting(server.port());
  waiting.Send(PostBytes(kText, LongStory(false).dump()));
  ASSERT_TRUE(Becomes(server.port(), "tern_requests_waiting", 1));
  server.Signal(SIGINT);
  const auto events = stream.Read().events();
  EXPECT_EQ(Json::parse(events.back())["error"]["code"], "shutting_down");
  EXPECT_EQ(waiting.Read().status, 503);
  EXPECT_EQ(server.Wait(), 0);
}

TEST(ServeTransportTest, SecondSignalEndsAtOnce) {
  ServerProcess server({"--slots", "1"});
  HttpClient stream(server.port());
  stream.Send(PostBytes(kText, LongStory(true).dump()));
  stream.ReadUntil("data: ");
  server.Signal(SIGTERM);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), kTerminated);
}

TEST(ServeTransportTest, OpenToOthersWithoutAKeyIsWarnedOf) {
  ServerProcess open({"--host", "0.0.0.0"});
  open.Signal(SIGTERM);
  EXPECT_EQ(open.Wait(), 0);
  EXPECT_NE(open.log().find("without a key"), std::string::npos) << open.log();
  ServerProcess guarded({"--host", "0.0.0.0", "--api-key", "k"});
  guarded.Signal(SIGTERM);
  EXPECT_EQ(guarded.Wait(), 0);
  EXPECT_EQ(guarded.log().find("without a key"), std::string::npos);
}

TEST(ServeTransportTest, EachRequestHasALineInTheLog) {
  ServerProcess server({"--log-format", "json"});
  EXPECT_EQ(
      Post(server.port(), kText, {{"prompt", "A"}, {"max_tokens", 3}}).status,
      200);
  EXPECT_EQ(Get(server.port(), "/nowhere?key=1").status, 404);
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
  std::vector<Json> requests;
  std::size_t start = server.log().find("{");
  while (start < server.log().size()) {
    const std::size_t end = server.log().find('\n', start);
    const Json line = Json::parse(server.log().substr(start, end - start));
    if (line["event"] == "request") requests.push_back(line);
    start = end + 1;
  }
  ASSERT_EQ(requests.size(), 2U) << server.log();
  // Of two connections: in either order.
  if (requests[0]["status"] != 200) std::swap(requests[0], requests[1]);
  EXPECT_EQ(requests[0]["status"], 200);
  EXPECT_EQ(requests[0]["completion_tokens"], 3);
  EXPECT_EQ(requests[0]["finish"], "length");
  EXPECT_EQ(requests[1]["path"], "/nowhere");
}

}  // namespace
}  // namespace tern::testing
