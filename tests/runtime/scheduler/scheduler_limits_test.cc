// What a scheduler takes, refuses and ends: queue, memory, context, cancelling,
// shutting down, callbacks that fail.
#include <atomic>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <tern/cpu.h>
#include <tern/error.h>
#include <tern/scheduler.h>

#include "runtime/memory.h"
#include "tests/runtime/scheduler/texts.h"
#include "tests/runtime/session_fixture.h"
#include "tests/support/expect_error.h"

namespace tern {
namespace {

using std::chrono::milliseconds;
using testing::ExpectAsAlone;
using testing::Text;
using testing::Texts;

constexpr milliseconds kLong = std::chrono::minutes(2);

class SchedulerLimits : public SessionFixture {
 protected:
  [[nodiscard]] Text Short(std::size_t begin, std::size_t max_tokens) const {
    const std::span<const Token> ids = Ids(begin, 6);
    return {.prompt = {ids.begin(), ids.end()},
            .sampler = {.seed = begin},
            .max_tokens = max_tokens};
  }
  [[nodiscard]] GenerateRequest Bare(std::size_t size) const {
    GenerateRequest request;
    const std::span<const Token> ids = Ids(0, size);
    request.prompt = {ids.begin(), ids.end()};
    return request;
  }
};

TEST_F(SchedulerLimits, OptionsWithoutAMeaningAreRefused) {
  const auto refuse = [&](const SchedulerOptions& options,
                          const std::string& word) {
    ExpectError(ErrorCode::kInvalidArgument, {word},
                [&] { Scheduler(model_, options); });
  };
  refuse({.slots = 0}, "slots");
  refuse({.slots = 129}, "slots");
  refuse({.context_length = 513}, "513");
  refuse({.num_threads = -1}, "threads");
  refuse({.pass_tokens = 0}, "pass");
  refuse({.pass_tokens = 257}, "pass");
}

TEST_F(SchedulerLimits, RequestsWithoutAMeaningAreRefused) {
  Scheduler scheduler(model_, {.context_length = 20, .num_threads = 1});
  const auto refuse = [&](ErrorCode code, const std::string& word,
                          const auto& change) {
    GenerateRequest request = Bare(5);
    change(request);
    request.on_end = [](const GenerateResult&) { FAIL() << "was called"; };
    ExpectError(code, {word}, [&] { scheduler.Submit(std::move(request)); });
  };
  const ErrorCode invalid = ErrorCode::kInvalidArgument;
  refuse(invalid, "prompt", [](auto& r) { r.prompt.clear(); });
  refuse(invalid, "vocabulary", [](auto& r) { r.prompt[2] = 512; });
  refuse(invalid, "vocabulary", [](auto& r) { r.prompt[2] = -1; });
  refuse(invalid, "max_tokens", [](auto& r) { r.max_tokens = 0; });
  refuse(invalid, "top_logprobs", [](auto& r) { r.top_logprobs = 101; });
  refuse(invalid, "top_logprobs", [](auto& r) { r.top_logprobs = -2; });
  refuse(invalid, "top_p", [](auto& r) { r.sampler.top_p = 0; });
  refuse(ErrorCode::kContextFull, "20",
         [](auto& r) { r.prompt.assign(20, 1); });
  EXPECT_EQ(scheduler.Statistics().refused, 8U);
  EXPECT_EQ(scheduler.Statistics().submitted, 0U);
}

TEST_F(SchedulerLimits, AFullQueueRefusesAndTakesAgainLater) {
  Texts texts;
  Scheduler scheduler(model_, {.slots = 1, .max_waiting = 2, .num_threads = 1});
  std::vector<RequestId> numbers;
  for (std::size_t i = 0; i < 3; ++i) {
    numbers.push_back(
        texts.Submit(scheduler, texts.Add(Short(i, i == 0 ? 400 : 2))));
  }
  ExpectError(ErrorCode::kBusy, {"scheduler: 3 requests", "later"},
              [&] { scheduler.Submit(Bare(3)); });
  texts.WaitForTokens(0, 1);
  EXPECT_EQ(scheduler.Statistics().active, 1U);
  EXPECT_EQ(scheduler.Statistics().waiting, 2U);
  EXPECT_EQ(scheduler.Statistics().refused, 1U);
  scheduler.Cancel(numbers[0]);
  texts.WaitForEnd(0);
  texts.Submit(scheduler, texts.Add(Short(9, 2)));
  texts.WaitForAll();
  EXPECT_EQ(scheduler.Statistics().waiting, 0U);
}

TEST_F(SchedulerLimits, TheContextEndsAText) {
  Texts texts;
  Scheduler scheduler(model_, {.context_length = 16, .num_threads = 1});
  texts.Submit(scheduler, texts.Add(Short(0, 1000)));
  texts.WaitForAll();
  EXPECT_EQ(texts[0].result.reason, FinishReason::kContext);
  EXPECT_EQ(texts[0].ids.size(), 10U);
  ExpectAsAlone(model_, texts[0], {.context_length = 16}, "text");
}

// Room for the keys and values of two requests of 65 to 128 positions.
TEST_F(SchedulerLimits, RequestsWaitForMemoryAndNeverExceedIt) {
  const std::uint64_t limit =
      2 * CacheBytes(model_->config(), 128, KvType::kF16);
  Texts texts;
  Scheduler scheduler(model_,
                      {.slots = 4, .num_threads = 1, .cache_bytes = limit});
  std::atomic<std::size_t> most_active = 0;
  std::atomic<std::uint64_t> most_bytes = 0;
  for (std::size_t i = 0; i < 6; ++i) texts.Add(Short(3 * i, 90));
  for (std::size_t i = 0; i < 6; ++i) {
    texts.Submit(scheduler, i, [&](std::size_t) {
      const SchedulerStatistics now = scheduler.Statistics();
      most_active = std::max(most_active.load(), now.active);
      most_bytes = std::max(most_bytes.load(), now.cache_bytes);
      return true;
    });
  }
  texts.WaitForAll();
  EXPECT_EQ(most_active, 2U);
  EXPECT_LE(most_bytes, limit);
  EXPECT_GT(most_bytes, limit / 2);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(texts[i].result.reason, FinishReason::kLength);
    ExpectAsAlone(model_, texts[i], {.num_threads = 1}, "text");
  }
}

// What others left behind goes for a request that needs the room, and what it
// can begin with stays.
TEST_F(SchedulerLimits, WhatIsLeftBehindMakesRoom) {
  const std::uint64_t limit =
      2 * CacheBytes(model_->config(), 128, KvType::kF16);
  Texts texts;
  Scheduler scheduler(model_,
                      {.slots = 4, .num_threads = 1, .cache_bytes = limit});
  for (std::size_t i = 0; i < 4; ++i) {
    texts.Add(Short(3 * i, 60));
    texts.Submit(scheduler, i);
    texts.WaitForEnd(i);
    EXPECT_LE(scheduler.Statistics().cache_bytes, limit);
  }
  // All of the memory, beginning like the last.
  Text large = Short(9, 190);
  large.prompt.insert(large.prompt.end(), texts[3].ids.begin(),
                      texts[3].ids.end());
  const std::size_t i = texts.Add(large);
  texts.Submit(scheduler, i);
  texts.WaitForEnd(i);
  EXPECT_EQ(texts[i].result.reused_tokens, 65U);
  EXPECT_EQ(texts[i].result.generated_tokens, 190U);
  EXPECT_LE(scheduler.Statistics().cache_bytes, limit);
  ExpectAsAlone(model_, texts[i], {.num_threads = 1}, "large");
}

TEST_F(SchedulerLimits, ARequestThatNeverFitsIsRefused) {
  Scheduler scheduler(
      model_, {.num_threads = 1,
               .cache_bytes = CacheBytes(model_->config(), 128, KvType::kF16)});
  GenerateRequest request = Bare(5);
  request.max_tokens = 125;  // 129 positions
  ExpectError(ErrorCode::kOutOfMemory, {"129 positions", "fewer tokens"},
              [&] { scheduler.Submit(request); });
  request.max_tokens = 124;
  request.on_token = [](const GeneratedToken&) { return false; };
  scheduler.Submit(request);
  EXPECT_TRUE(scheduler.Drain(kLong));
}

TEST_F(SchedulerLimits, CancelEndsWhatRunsAndWhatWaits) {
  Texts texts;
  Scheduler scheduler(model_, {.slots = 1, .num_threads = 1});
  const RequestId running = texts.Submit(scheduler, texts.Add(Short(0, 400)));
  const RequestId waiting = texts.Submit(scheduler, texts.Add(Short(1, 400)));
  texts.Submit(scheduler, texts.Add(Short(2, 3)));
  texts.WaitForTokens(0, 2);
  scheduler.Cancel(waiting);
  texts.WaitForEnd(1);
  EXPECT_EQ(texts[1].result.reason, FinishReason::kCancelled);
  EXPECT_EQ(texts[1].result.generated_tokens, 0U);
  scheduler.Cancel(running);
  texts.WaitForAll();
  EXPECT_EQ(texts[0].result.reason, FinishReason::kCancelled);
  EXPECT_EQ(texts[2].result.reason, FinishReason::kLength);
  scheduler.Cancel(running);  // has ended
  scheduler.Cancel(12345);    // never was
  EXPECT_EQ(scheduler.Statistics().cancelled, 2U);
  ExpectAsAlone(model_, texts[0], {.num_threads = 1}, "cancelled");
}

TEST_F(SchedulerLimits, CancelAllLeavesAUsableScheduler) {
  Texts texts;
  Scheduler scheduler(model_, {.slots = 2, .num_threads = 2});
  for (int round = 0; round < 20; ++round) {
    const std::size_t first = texts.size();
    for (std::size_t i = 0; i < 4; ++i) {
      texts.Submit(scheduler, texts.Add(Short(i, 400)));
    }
    if (round % 2 == 0) texts.WaitForTokens(first, 1);
    scheduler.CancelAll();
    for (std::size_t i = 0; i < 4; ++i) {
      texts.WaitForEnd(first + i);
      EXPECT_EQ(texts[first + i].result.reason, FinishReason::kCancelled);
    }
  }
  const std::size_t last = texts.Add(Short(40, 10));
  texts.Submit(scheduler, last);
  texts.WaitForEnd(last);
  ExpectAsAlone(model_, texts[last], {.num_threads = 1}, "last");
}

TEST_F(SchedulerLimits, TheDestructorEndsEverything) {
  Texts texts;
  {
    Scheduler scheduler(model_, {.slots = 2, .num_threads = 1});
    for (std::size_t i = 0; i < 5; ++i) {
      texts.Submit(scheduler, texts.Add(Short(i, 500)));
    }
    texts.WaitForTokens(0, 1);
  }
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(texts[i].ends, 1);
    EXPECT_EQ(texts[i].result.reason, FinishReason::kCancelled);
  }
}

TEST_F(SchedulerLimits, DrainLetsAllFinishAndTakesNoMore) {
  Texts texts;
  Scheduler scheduler(model_, {.slots = 1, .num_threads = 1});
  for (std::size_t i = 0; i < 3; ++i) {
    texts.Submit(scheduler, texts.Add(Short(i, 30)));
  }
  EXPECT_FALSE(scheduler.Drain(milliseconds(0)));
  ExpectError(ErrorCode::kCancelled, {"no more requests"},
              [&] { scheduler.Submit(Bare(3)); });
  EXPECT_TRUE(scheduler.Drain(milliseconds::max()));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(texts[i].ends, 1);
    EXPECT_EQ(texts[i].result.reason, FinishReason::kLength);
  }
}

TEST_F(SchedulerLimits, ACallbackMaySubmitAndCancelButNotDrain) {
  Scheduler scheduler(model_, {.slots = 1, .max_waiting = 0, .num_threads = 1});
  std::optional<ErrorCode> code;
  std::atomic<int> ended = 0;
  GenerateRequest second = Bare(4);
  second.max_tokens = 2;
  second.on_end = [&](const GenerateResult&) { ++ended; };
  GenerateRequest first = Bare(3);
  first.max_tokens = 2;
  first.on_token = [&](const GeneratedToken&) {
    try {
      scheduler.Drain(kLong);
    } catch (const Error& error) {
      code = error.code();
    }
    return true;
  };
  // The only slot is free again when on_end is called.
  first.on_end = [&](const GenerateResult&) {
    scheduler.Submit(second);
    ++ended;
  };
  scheduler.Submit(first);
  while (ended < 2) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(code, ErrorCode::kBusy);
}

TEST_F(SchedulerLimits, ACallbackThatThrowsEndsItsRequestAlone) {
  Texts texts;
  Scheduler scheduler(model_, {.slots = 2, .num_threads = 1});
  texts.Add(Short(0, 20));
  texts.Add(Short(1, 20));
  texts.Submit(scheduler, 0, [](std::size_t) -> bool {
    throw std::runtime_error("a socket closed");
  });
  texts.Submit(scheduler, 1);
  GenerateRequest rude = Bare(3);
  rude.max_tokens = 1;
  rude.on_end = [](const GenerateResult&) { throw 7; };
  scheduler.Submit(rude);
  EXPECT_TRUE(scheduler.Drain(kLong));
  EXPECT_EQ(texts[0].result.reason, FinishReason::kError);
  ASSERT_TRUE(texts[0].result.error.has_value());
  EXPECT_NE(std::string(texts[0].result.error->what()).find("a socket closed"),
            std::string::npos);
  EXPECT_EQ(texts[1].result.reason, FinishReason::kLength);
  ExpectAsAlone(model_, texts[1], {.num_threads = 1}, "other");
}

TEST_F(SchedulerLimits, OnTokenMayStopAText) {
  Texts texts;
  Scheduler scheduler(model_, {.num_threads = 1});
  std::size_t seen = 0;
  texts.Submit(scheduler, texts.Add(Short(0, 20)),
               [&](std::size_t) { return ++seen < 4; });
  texts.WaitForAll();
  EXPECT_EQ(texts[0].result.reason, FinishReason::kStopped);
  EXPECT_EQ(texts[0].ids.size(), 4U);
}

// Even ids only; then none.
class EvenIds : public TokenConstraint {
 public:
  explicit EvenIds(std::size_t most) : most_(most) {}
  void Allow(std::span<std::uint8_t> allowed) override {
    if (count_ == most_) return;
    for (std::size_t t = 0; t < allowed.size(); t += 2) allowed[t] = 1;
  }
  void Accept(Token token) override {
    EXPECT_EQ(token % 2, 0);
    ++count_;
  }

 private:
  std::size_t most_;
  std::size_t count_ = 0;
};

TEST_F(SchedulerLimits, AConstraintIsKeptAndChangesNoLogprob) {
  Texts texts;
  Scheduler scheduler(model_, {.slots = 2, .num_threads = 2});
  texts.Add(Short(0, 12));
  texts.Add(Short(1, 12));
  GenerateRequest request = texts.Request(0);
  request.constraint = std::make_shared<EvenIds>(100);
  scheduler.Submit(std::move(request));
  texts.Submit(scheduler, 1);
  texts.WaitForAll();
  // The same with a session's logits.
  Session session(model_, {.num_threads = 1});
  Sampler sampler(texts[0].sampler);
  session.Append(texts[0].prompt);
  bool top_has_odd = false;
  for (std::size_t i = 0; i < texts[0].ids.size(); ++i) {
    std::vector<float> logits = LogitsOf(session);
    for (std::size_t t = 1; t < logits.size(); t += 2) logits[t] = -INFINITY;
    const Token token = sampler.Sample(logits, session.tokens());
    ASSERT_EQ(texts[0].ids[i], token);
    for (const TokenLogprob& top : texts[0].top[i]) {
      top_has_odd = top_has_odd || top.token % 2 == 1;
    }
    session.Append({&token, 1});
  }
  EXPECT_TRUE(top_has_odd);
  ExpectAsAlone(model_, texts[1], {.num_threads = 1}, "free");
}

TEST_F(SchedulerLimits, AConstraintThatAllowsNothingIsAnError) {
  Texts texts;
  Scheduler scheduler(model_, {.num_threads = 1});
  GenerateRequest request = texts.Request(texts.Add(Short(0, 12)));
  request.constraint = std::make_shared<EvenIds>(3);
  scheduler.Submit(std::move(request));
  texts.WaitForAll();
  EXPECT_EQ(texts[0].result.reason, FinishReason::kError);
  ASSERT_TRUE(texts[0].result.error.has_value());
  EXPECT_EQ(texts[0].ids.size(), 3U);
  EXPECT_EQ(scheduler.Statistics().failed, 1U);
}

TEST_F(SchedulerLimits, ATargetThatChangedIsAnErrorAndNoWrongText) {
  Texts texts;
  Scheduler scheduler(model_, {.num_threads = 1});
  texts.Submit(scheduler, texts.Add(Short(0, 2)));
  texts.WaitForEnd(0);
  ASSERT_TRUE(scheduler.Statistics().active == 0);
  const std::string best = ActiveTarget();
  for (const std::string& name : SupportedTargets()) {
    if (name == best) continue;
    ForceTarget(name);
    const std::size_t i = texts.Add(Short(0, 2));
    texts.Submit(scheduler, i);
    texts.WaitForEnd(i);
    EXPECT_EQ(texts[i].result.reason, FinishReason::kError);
  }
  ForceTarget(best);
  const std::size_t last = texts.Add(Short(0, 2));
  texts.Submit(scheduler, last);
  texts.WaitForEnd(last);
  EXPECT_EQ(texts[last].result.reason, FinishReason::kLength);
}

// The book model ends some text; with ignore_end_of_text it goes on.
TEST_F(SchedulerLimits, ATokenThatEndsATextEndsItUnlessItIsToBeIgnored) {
  const auto model =
      Model::Load(testing::SourceDir() / "models/books-79m.gguf");
  const Token end = model->tokenizer().end_tokens()[0];
  // Only that token.
  class OnlyEnd : public TokenConstraint {
   public:
    explicit OnlyEnd(Token end) : end_(end) {}
    void Allow(std::span<std::uint8_t> allowed) override {
      allowed[static_cast<std::size_t>(end_)] = 1;
    }
    void Accept(Token) override {}

   private:
    Token end_;
  };
  for (const bool ignore : {false, true}) {
    Texts texts;
    Scheduler scheduler(model, {.context_length = 64, .num_threads = 2});
    GenerateRequest request = texts.Request(texts.Add(
        {.prompt = model->tokenizer().Encode("The end"), .max_tokens = 3}));
    request.ignore_end_of_text = ignore;
    request.constraint = std::make_shared<OnlyEnd>(end);
    scheduler.Submit(std::move(request));
    texts.WaitForAll();
    EXPECT_EQ(texts[0].result.reason,
              ignore ? FinishReason::kLength : FinishReason::kEndOfText);
    EXPECT_EQ(texts[0].result.generated_tokens, ignore ? 3U : 1U);
    EXPECT_EQ(texts[0].ids.size(), ignore ? 3U : 0U);
  }
}

// Many threads submit, cancel and look at once.
TEST_F(SchedulerLimits, AnyThreadMayCallAtAnyTime) {
  Texts texts;
  for (std::size_t i = 0; i < 48; ++i) texts.Add(Short(i % 40, 1 + i % 9));
  {
    Scheduler scheduler(model_, {.slots = 3, .num_threads = 2});
    std::vector<std::thread> threads;
    for (std::size_t k = 0; k < 4; ++k) {
      threads.emplace_back([&, k] {
        for (std::size_t i = k; i < texts.size(); i += 4) {
          const RequestId id = texts.Submit(scheduler, i);
          (void)scheduler.Statistics();
          if (i % 5 == 0) scheduler.Cancel(id);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(scheduler.Drain(kLong));
    EXPECT_EQ(scheduler.Statistics().submitted, 48U);
    EXPECT_EQ(
        scheduler.Statistics().finished + scheduler.Statistics().cancelled,
        48U);
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(texts[i].ends, 1);
    ExpectAsAlone(model_, texts[i], {.num_threads = 1}, "text");
  }
}

}  // namespace
}  // namespace tern
