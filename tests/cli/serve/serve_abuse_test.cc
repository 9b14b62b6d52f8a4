// A thousand requests that are malformed, oversized, slow or half-closed: each
// gets the status that cli/serve/README.md documents for it, and the server is
// as it was before.  It prints how many of each kind got which status.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cli/serve/abuse.h"
#include "tests/cli/serve/http_client.h"
#include "tests/cli/serve/server_process.h"

namespace tern::testing {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;
using Then = Abuse::Then;

constexpr int kBlocks = 10;
constexpr int kBlock = 100;  // requests
constexpr std::uint64_t kSeed = 20;
// A sanitizer keeps what was freed for a while.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kMostGrowthKib = 512 * 1024;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr std::size_t kMostGrowthKib = 512 * 1024;
#else
constexpr std::size_t kMostGrowthKib = 8 * 1024;
#endif
#else
constexpr std::size_t kMostGrowthKib = 8 * 1024;
#endif

// OpenAI's form, and nothing else.
void ExpectErrorShape(const HttpResponse& response, const std::string& param) {
  EXPECT_EQ(response.field("content-type"), "application/json");
  const Json body = Json::parse(response.body, nullptr, false);
  ASSERT_TRUE(body.is_object() && body.size() == 1 && body.contains("error"));
  const Json& error = body["error"];
  ASSERT_TRUE(error.is_object() && error.size() == 4) << error;
  EXPECT_TRUE(error["message"].is_string() && error["message"] != "") << error;
  EXPECT_EQ(error["type"],
            response.status >= 500 ? "server_error" : "invalid_request_error");
  for (const char* name : {"param", "code"}) {
    EXPECT_TRUE(error[name].is_null() || error[name].is_string()) << error;
  }
  EXPECT_TRUE(param.empty() || error["param"] == param) << error;
}

// One request that the server has been sent.
struct Sent {
  const AbuseKind* kind = nullptr;
  Abuse abuse;
  std::unique_ptr<HttpClient> client;
};

class ServeAbuseTest : public ::testing::Test {
 protected:
  ServeAbuseTest()
      : server_({"--slots", "4", "--ctx", std::to_string(kAbuseContext),
                 "--max-body", std::to_string(kAbuseMaxBody), "--max-header",
                 std::to_string(kAbuseMaxHeader), "--request-timeout", "2",
                 "--cache-mib", "16"}) {}

  Sent Send(const AbuseKind& kind) {
    Sent sent{&kind, kind.make(random_),
              std::make_unique<HttpClient>(server_.port())};
    sent.client->Send(sent.abuse.bytes);
    if (sent.abuse.then == Then::kClosesSending) sent.client->CloseSending();
    if (sent.abuse.then == Then::kResets) sent.client->Reset();
    return sent;
  }

  // Its answer is the documented one, and then the connection is as it must be.
  void Check(Sent& sent) {
    const AbuseKind& kind = *sent.kind;
    if (sent.abuse.then == Then::kResets) return Count(kind, kNoAnswer);
    if (kind.statuses.front() == kNoAnswer) {
      EXPECT_TRUE(sent.client->IsClosed());
      return Count(kind, kNoAnswer);
    }
    const HttpResponse response = sent.client->Read();
    Count(kind, response.status);
    EXPECT_NE(
        std::find(kind.statuses.begin(), kind.statuses.end(), response.status),
        kind.statuses.end())
        << response.status << response.body;
    if (response.status != 200) ExpectErrorShape(response, sent.abuse.param);
    EXPECT_TRUE(response.field("x-request-id").starts_with("req_"));
    if (kind.after == After::kEither) return;
    const bool closes = response.field("connection") == "close";
    EXPECT_EQ(closes, kind.after == After::kClosed) << response.body;
    if (closes) {
      EXPECT_TRUE(sent.client->IsClosed());
      return;
    }
    if (std::string(kind.name) == "next one sent ahead") {
      EXPECT_EQ(sent.client->Read().status, 200);
    }
    sent.client->Send("GET /health HTTP/1.1\r\nHost: t\r\n\r\n");
    EXPECT_EQ(sent.client->Read().status, 200);
  }

  // A hundred in random order; the slow ones are on their way meanwhile.
  void RunBlock() {
    std::vector<const AbuseKind*> order;
    for (const AbuseKind& kind : kinds_) {
      order.insert(order.end(), static_cast<std::size_t>(kind.share), &kind);
    }
    ASSERT_EQ(order.size(), static_cast<std::size_t>(kBlock));
    random_.Shuffle(&order);
    std::vector<Sent> slow;
    for (const AbuseKind* kind : order) {
      Sent sent = Send(*kind);
      SCOPED_TRACE(kind->name + (": " + sent.abuse.bytes.substr(0, 400)));
      if (sent.abuse.then == Then::kDrips) {
        slow.push_back(std::move(sent));
      } else {
        Check(sent);
      }
    }
    for (Sent& sent : slow) {
      SCOPED_TRACE(sent.kind->name);
      Drip(slow, *sent.client);
      Check(sent);
    }
  }

  // To all of them a little, until one has its answer.
  static void Drip(const std::vector<Sent>& slow, const HttpClient& client) {
    const auto end = Clock::now() + std::chrono::seconds(kPatience);
    while (!client.Comes(50)) {
      ASSERT_LT(Clock::now(), end) << "what comes slowly is waited for";
      for (const Sent& sent : slow) sent.client->Send(sent.abuse.drip);
    }
  }

  // What valid requests get, but for what is new every time.
  Json ValidAnswers() {
    Json answers = Json::array();
    for (const ValidRequest& valid : ValidRequests()) {
      HttpClient client(server_.port());
      client.Send(PostBytes(valid.path, valid.body));
      const HttpResponse response = client.Read();
      EXPECT_EQ(response.status, 200) << response.body;
      if (response.field("content-type") != "application/json") {
        answers.push_back(TextsOf(response));
        continue;
      }
      answers.push_back(response.json());
      for (const char* name : {"id", "created"}) answers.back().erase(name);
      if (answers.back().contains("usage")) {
        answers.back()["usage"].erase("prompt_tokens_details");
      }
    }
    return answers;
  }

  // Of a stream: choices come in any order.
  static Json TextsOf(const HttpResponse& response) {
    std::map<std::string, std::string> texts;
    for (const std::string& event : response.events()) {
      if (event == "[DONE]") continue;
      const Json json = Json::parse(event);
      for (const Json& choice : json["choices"]) {
        texts[choice["index"].dump()] += choice["text"].get<std::string>();
      }
    }
    return texts;
  }

  void Count(const AbuseKind& kind, int status) {
    ++counts_[kind.name][status];
    ++total_;
  }

  void PrintCounts() const {
    for (const AbuseKind& kind : kinds_) {
      std::cout << "  " << std::setw(24) << std::left << kind.name
                << std::right;
      for (const auto& [status, count] : counts_.at(kind.name)) {
        std::cout << "  " << count << " x "
                  << (status == kNoAnswer ? "closed" : std::to_string(status));
      }
      std::cout << "\n";
    }
  }

  ServerProcess server_;
  const std::vector<AbuseKind> kinds_ = AbuseKinds();
  Random random_{kSeed};
  std::map<std::string, std::map<int, int>> counts_;
  int total_ = 0;
};

TEST_F(ServeAbuseTest, ThousandBadRequestsGetTheirStatusAndLeaveNothingBehind) {
  const std::size_t files = server_.OpenFiles();
  const Json expected = ValidAnswers();
  std::size_t memory = 0;
  for (int block = 0; block < kBlocks; ++block) {
    SCOPED_TRACE("block " + std::to_string(block));
    RunBlock();
    ASSERT_TRUE(ValidAnswers() == expected);
    if (block == 1) memory = server_.ResidentKib();  // warm
  }
  PrintCounts();
  const std::size_t after = server_.ResidentKib();
  std::cout << "  " << total_ << " requests; resident after two hundred "
            << memory << " KiB, after all " << after << " KiB\n";
  EXPECT_EQ(total_, kBlocks * kBlock);
  EXPECT_LE(after, memory + kMostGrowthKib);
  const auto end = Clock::now() + std::chrono::seconds(kPatience);
  while (server_.OpenFiles() > files && Clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_LE(server_.OpenFiles(), files) << "connections are left open";
  server_.Signal(SIGTERM);
  EXPECT_EQ(server_.Wait(), 0);
  EXPECT_EQ(server_.log().find("status=500"), std::string::npos);
  EXPECT_EQ(server_.log().find("event=failure"), std::string::npos);
}

}  // namespace
}  // namespace tern::testing
