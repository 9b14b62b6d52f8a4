// A Session between threads: one at a time or an Error, and Cancel from
// anywhere; a Model between any number of them.
#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <tern/error.h>
#include <tern/sampler.h>

#include "tests/runtime/session_fixture.h"
#include "tests/support/expect_error.h"

namespace tern {
namespace {

class SessionSharing : public SessionFixture {
 protected:
  // More than a chunk of prefill (256).
  void SetUp() override {
    SessionFixture::SetUp();
    while (ids_.size() < 300) ids_.push_back(ids_[ids_.size() - 7]);
  }

  // Calls `work` on another thread while `session` is in the middle of Append.
  template <class Work>
  void WhileInUse(Session& session, const Work& work) {
    bool done = false;
    session.Append(Ids(0, 5), [&](std::size_t, std::span<const float>) {
      if (!done) std::thread(work).join();
      done = true;
    });
    EXPECT_TRUE(done);
  }
};

TEST_F(SessionSharing, ASecondThreadGetsAnErrorAndTheFirstGoesOn) {
  const std::vector<float> want = LogitsAfter(5);
  Session session(model_, {});
  WhileInUse(session, [&] {
    Sampler greedy({.temperature = 0});
    const auto busy = [&](const auto& call) {
      ExpectError(ErrorCode::kBusy, {"session: ", "another thread"}, call);
    };
    busy([&] { session.Append(Ids(0, 1)); });
    busy([&] { session.Append(Ids(0, 1), [](auto, auto) {}); });
    busy([&] { session.Next(greedy); });
    busy([&] { (void)session.Logits(); });
    busy([&] { session.Truncate(0); });
    busy([&] { (void)session.Fork(); });
    busy([&] { (void)session.tokens(); });
    busy([&] { (void)session.bytes_read(); });
    busy([&] { (void)session.head_bytes_read(); });
    busy([&] { session.Save("/nowhere/session"); });
    EXPECT_EQ(session.context_length(), model_->config().max_context);
  });
  EXPECT_EQ(LogitsOf(session), want);
  EXPECT_EQ(session.tokens().size(), 5U);
}

TEST_F(SessionSharing, ASinkMayLookButNotWork) {
  Session session(model_, {});
  session.Append(Ids(0, 3), [&](std::size_t, std::span<const float>) {
    EXPECT_EQ(session.tokens().size(), 0U);
    ExpectError(ErrorCode::kBusy, {"called back"},
                [&] { session.Append(Ids(0, 1)); });
  });
  EXPECT_EQ(session.tokens().size(), 3U);
}

TEST_F(SessionSharing, ThreadsMayTakeTurns) {
  Session session(model_, {});
  for (std::size_t i = 0; i < 10; ++i) {
    std::thread([&] { session.Append(Ids(i, 1)); }).join();
  }
  EXPECT_EQ(LogitsOf(session), LogitsAfter(10));
}

// All of a model that callers can reach, from many threads at once.
TEST_F(SessionSharing, AModelServesManyThreadsAtOnce) {
  const auto model =
      Model::Load(testing::SourceDir() / "models/books-79m.gguf");
  const auto work = [&model] {
    const std::vector<Token> ids =
        model->tokenizer().Encode("Once upon a time there was");
    Session session(model, {.context_length = 64, .num_threads = 2});
    session.Append(ids);
    Sampler sampler({.temperature = 0.8F, .seed = 3});
    std::string text;
    StreamDecoder decoder(model->tokenizer());
    for (int i = 0; i < 4; ++i) text += decoder.Push(session.Next(sampler));
    return text + decoder.Flush() + std::to_string(model->fingerprint()) +
           model->Describe();
  };
  const std::string want = work();
  std::vector<std::string> got(4);
  std::vector<std::thread> threads;
  for (std::string& text : got) threads.emplace_back([&] { text = work(); });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& text : got) EXPECT_EQ(text, want);
}

TEST_F(SessionSharing, CancelEndsARunningAppendAndTakesItBack) {
  for (const std::size_t before : {std::size_t{0}, std::size_t{10}}) {
    Session session(model_, {});
    session.Append(Ids(0, before));
    std::size_t seen = 0;
    ExpectError(ErrorCode::kCancelled, {"session: cancelled"}, [&] {
      session.Append(Ids(before, 290),
                     [&](std::size_t, std::span<const float>) {
                       if (seen++ == 0) {
                         std::thread([&] { session.Cancel(); }).join();
                       }
                     });
    });
    EXPECT_EQ(seen, 256U);  // the first chunk, which was done
    EXPECT_EQ(session.tokens().size(), before);
    session.Append(Ids(before, 40));
    EXPECT_EQ(LogitsOf(session), LogitsAfter(before + 40));
  }
}

TEST_F(SessionSharing, CancelEndsANextWhoseTokenIsToBeRunFirst) {
  Sampler greedy({.temperature = 0});
  Session session(model_, {});
  session.Append(Ids(0, 10));
  session.Next(greedy);
  const std::vector<Token> before = TokensOf(session);
  Session twin = session.Fork();
  session.Cancel();
  ExpectError(ErrorCode::kCancelled, {"session: cancelled"},
              [&] { session.Next(greedy); });
  EXPECT_EQ(TokensOf(session), before);
  Sampler again({.temperature = 0});
  EXPECT_EQ(session.Next(greedy), twin.Next(again));
}

TEST_F(SessionSharing, CancelIsAnsweredOnce) {
  Session session(model_, {});
  session.Cancel();
  session.Cancel();
  ExpectError(ErrorCode::kCancelled, {"cancelled"},
              [&] { session.Append(Ids(0, 4)); });
  session.Append(Ids(0, 4));
  session.Cancel();
  ExpectError(ErrorCode::kCancelled, {"cancelled"},
              [&] { (void)session.Logits(); });
  EXPECT_EQ(LogitsOf(session), LogitsAfter(4));
}

TEST_F(SessionSharing, ACancelCanBeForgotten) {
  Session session(model_, {});
  EXPECT_FALSE(session.ForgetCancel());
  session.Cancel();
  EXPECT_TRUE(session.ForgetCancel());
  session.Append(Ids(0, 4));
  EXPECT_EQ(session.tokens().size(), 4U);
}

// From a thread that knows nothing of when: never a hang, a crash or a lost
// position.
TEST_F(SessionSharing, CancelAtAnyTimeLeavesASoundSession) {
  Session session(model_, {.num_threads = 2});
  std::atomic<bool> ended = false;
  std::thread canceller([&] {
    while (!ended) {
      session.Cancel();
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
  });
  int cancelled = 0;
  for (int i = 0; i < 200; ++i) {
    const std::size_t before = session.tokens().size();
    try {
      session.Append(Ids(0, 20));
      session.Truncate(before);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCancelled);
      ++cancelled;
    }
    ASSERT_EQ(session.tokens().size(), before);
  }
  ended = true;
  canceller.join();
  EXPECT_GT(cancelled, 0);
  session.ForgetCancel();
  session.Append(Ids(0, 20));
  EXPECT_EQ(LogitsOf(session), LogitsAfter(20));
}

TEST_F(SessionSharing, WhatASinkThrowsTakesTheAppendBack) {
  Session session(model_, {});
  session.Append(Ids(0, 10));
  EXPECT_THROW(session.Append(Ids(10, 280),
                              [](std::size_t position, std::span<const float>) {
                                if (position == 270) {
                                  throw std::runtime_error("enough");
                                }
                              }),
               std::runtime_error);
  EXPECT_EQ(session.tokens().size(), 10U);
  EXPECT_EQ(LogitsOf(session), LogitsAfter(10));
}

}  // namespace
}  // namespace tern
