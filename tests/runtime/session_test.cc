// What a Session promises: the same logits however the work is split, and clear
// errors before any work.
#include <algorithm>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <tern/cpu.h>
#include <tern/error.h>
#include <tern/model.h>
#include <tern/session.h>

#include "tests/support/golden.h"

namespace tern {
namespace {

using testing::Golden;
using testing::GoldenDir;

class SessionTest : public ::testing::Test {
 protected:
  static std::shared_ptr<const Model> Load() {
    static const auto model =
        Model::Load(GoldenDir() / "z1-bitnet-2b4t-packed");
    return model;
  }

  void SetUp() override {
    model_ = Load();
    ids_ = Golden(GoldenDir() / "z1-bitnet-2b4t-packed" /
                  "golden_float32.safetensors")
               .Ids("seq2.ids");
  }

  // All logits [tokens][vocab] of ids_, fed in pieces of `chunk`.
  std::vector<float> LogitsOf(int threads, std::size_t chunk, KvType kv) {
    Session session(model_, {.kv_type = kv, .num_threads = threads});
    std::vector<float> all;
    for (std::size_t i = 0; i < ids_.size(); i += chunk) {
      session.Append({ids_.data() + i, std::min(chunk, ids_.size() - i)},
                     [&](std::size_t position, std::span<const float> logits) {
                       EXPECT_EQ(position * logits.size(), all.size());
                       all.insert(all.end(), logits.begin(), logits.end());
                     });
    }
    return all;
  }

  ErrorCode CodeOf(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      return error.code();
    }
    ADD_FAILURE() << "no error";
    return ErrorCode::kIo;
  }

  std::shared_ptr<const Model> model_;
  std::vector<Token> ids_;
};

TEST_F(SessionTest, LogitsAreBitEqualForAnyNumberOfThreads) {
  const std::vector<float> one = LogitsOf(1, ids_.size(), KvType::kF16);
  for (const int threads : {2, 3, 8}) {
    EXPECT_EQ(LogitsOf(threads, ids_.size(), KvType::kF16), one) << threads;
  }
}

TEST_F(SessionTest, LogitsAreBitEqualHoweverThePromptIsFed) {
  for (const KvType kv : {KvType::kF32, KvType::kF16, KvType::kQ8}) {
    const std::vector<float> at_once = LogitsOf(2, ids_.size(), kv);
    EXPECT_EQ(LogitsOf(2, 1, kv), at_once);
    EXPECT_EQ(LogitsOf(3, 7, kv), at_once);
    EXPECT_EQ(LogitsOf(2, 33, kv), at_once);
  }
}

TEST_F(SessionTest, LogitsAfterAppendEqualThoseOfTheSink) {
  const std::vector<float> all = LogitsOf(2, ids_.size(), KvType::kF16);
  Session session(model_, {});
  session.Append(ids_);
  const std::span<const float> last = session.Logits();
  EXPECT_TRUE(std::equal(last.begin(), last.end(),
                         all.end() - static_cast<std::ptrdiff_t>(last.size())));
}

TEST_F(SessionTest, TruncateGoesBackToTheSameLogits) {
  Session session(model_, {});
  session.Append({ids_.data(), 50});
  const std::vector<float> before(session.Logits().begin(),
                                  session.Logits().end());
  session.Append({ids_.data() + 50, 20});
  session.Truncate(50);
  EXPECT_EQ(session.tokens().size(), 50U);
  EXPECT_TRUE(
      std::equal(before.begin(), before.end(), session.Logits().begin()));
  EXPECT_EQ(CodeOf([&] { session.Truncate(51); }), ErrorCode::kInvalidArgument);
}

TEST_F(SessionTest, TooManyTokensAreRefusedBeforeAnyWork) {
  Session session(model_, {.context_length = 10});
  session.Append({ids_.data(), 6});
  EXPECT_EQ(CodeOf([&] {
              session.Append({ids_.data(), 5});
            }),
            ErrorCode::kContextFull);
  EXPECT_EQ(session.tokens().size(), 6U);
  session.Append({ids_.data(), 4});
  Sampler greedy({.temperature = 0});
  EXPECT_EQ(CodeOf([&] { session.Next(greedy); }), ErrorCode::kContextFull);
}

TEST_F(SessionTest, IdsOutsideTheVocabularyAreRefused) {
  Session session(model_, {});
  for (const Token bad : {-1, 512, 1 << 30}) {
    EXPECT_EQ(CodeOf([&] {
                session.Append({&bad, 1});
              }),
              ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(session.tokens().empty());
}

TEST_F(SessionTest, LogitsBeforeAnyTokenAreRefused) {
  Session session(model_, {});
  EXPECT_EQ(CodeOf([&] { (void)session.Logits(); }),
            ErrorCode::kInvalidArgument);
}

TEST_F(SessionTest, AContextLongerThanTheModelsIsRefused) {
  EXPECT_EQ(CodeOf([&] { Session(model_, {.context_length = 513}); }),
            ErrorCode::kInvalidArgument);
}

TEST_F(SessionTest, NonsenseThreadCountsAreRefused) {
  EXPECT_EQ(CodeOf([&] { Session(model_, {.num_threads = -1}); }),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf([&] { Session(model_, {.num_threads = 1000000}); }),
            ErrorCode::kInvalidArgument);
}

TEST_F(SessionTest, TheLastPositionOfAContextCanBeGenerated) {
  Session session(model_, {.context_length = 4});
  session.Append({ids_.data(), 2});
  Sampler greedy({.temperature = 0});
  session.Next(greedy);
  const Token last = session.Next(greedy);
  EXPECT_EQ(session.tokens().size(), 4U);
  EXPECT_EQ(session.tokens().back(), last);
  EXPECT_EQ(CodeOf([&] { session.Next(greedy); }), ErrorCode::kContextFull);
}

TEST_F(SessionTest, NextThenAppendEqualsAppendOfAll) {
  Session stepwise(model_, {});
  stepwise.Append({ids_.data(), 20});
  Sampler greedy({.temperature = 0});
  std::vector<Token> all(ids_.begin(), ids_.begin() + 20);
  all.push_back(stepwise.Next(greedy));
  all.push_back(stepwise.Next(greedy));
  stepwise.Append({ids_.data() + 20, 5});
  all.insert(all.end(), ids_.begin() + 20, ids_.begin() + 25);
  EXPECT_TRUE(std::equal(all.begin(), all.end(), stepwise.tokens().begin(),
                         stepwise.tokens().end()));
  Session at_once(model_, {});
  at_once.Append(all);
  EXPECT_TRUE(std::equal(at_once.Logits().begin(), at_once.Logits().end(),
                         stepwise.Logits().begin()));
}

TEST_F(SessionTest, ATargetThatChangedAfterwardsIsRefused) {
  const std::string best = ActiveTarget();
  Session session(model_, {});
  session.Append({ids_.data(), 3});
  for (const std::string& name : SupportedTargets()) {
    if (name == best) continue;
    ForceTarget(name);
    EXPECT_EQ(CodeOf([&] {
                session.Append({ids_.data(), 3});
              }),
              ErrorCode::kInvalidArgument)
        << name;
  }
  ForceTarget(best);
  session.Append({ids_.data(), 3});
  EXPECT_EQ(session.tokens().size(), 6U);
}

TEST_F(SessionTest, SessionsOfOneModelRunSideBySide) {
  const std::vector<float> want = LogitsOf(1, ids_.size(), KvType::kF16);
  std::vector<std::vector<float>> got(3);
  std::vector<std::thread> threads;
  for (std::vector<float>& logits : got) {
    threads.emplace_back(
        [&] { logits = LogitsOf(1, ids_.size(), KvType::kF16); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<float>& logits : got) EXPECT_EQ(logits, want);
}

}  // namespace
}  // namespace tern
