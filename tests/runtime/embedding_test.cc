// What an embedding is: the hidden state that the head reads, pooled, at length
// 1, the same bits however it is computed.
#include <cmath>
#include <vector>

#include <tern/embedding.h>
#include <tern/error.h>

#include "runtime/forward/transformer.h"
#include "runtime/kv_cache.h"
#include "runtime/parallel.h"
#include "tests/runtime/session_fixture.h"
#include "tests/support/expect_error.h"

namespace tern {
namespace {

class EmbeddingTest : public SessionFixture {
 protected:
  // More than a chunk of prefill (256).
  void SetUp() override {
    SessionFixture::SetUp();
    while (ids_.size() < 300) ids_.push_back(ids_[ids_.size() - 7]);
  }

  // Hidden states [tokens][hidden], token by token.
  std::vector<std::vector<float>> Hidden(std::span<const Token> tokens) {
    const ModelConfig& config = model_->config();
    KvCache cache(config, tokens.size(), KvType::kF16);
    Workspace work(config, 1, 1);
    Team team(1);
    std::vector<std::vector<float>> all;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      const TokenRun run{&cache, t, 1};
      RunTokens({config, model_->weights(), {&run, 1}, work, team},
                tokens.subspan(t, 1));
      all.emplace_back(work.x.data(), work.x.data() + config.hidden_size);
    }
    return all;
  }

  static void ExpectDirection(const std::vector<float>& got,
                              const std::vector<double>& want) {
    double squares = 0;
    for (const double value : want) squares += value * value;
    ASSERT_EQ(got.size(), want.size());
    double length = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(got[i], want[i] / std::sqrt(squares), 1e-6) << i;
      length += static_cast<double>(got[i]) * got[i];
    }
    EXPECT_NEAR(length, 1, 1e-5);
  }
};

TEST_F(EmbeddingTest, LastIsTheHiddenStateOfTheLastToken) {
  const std::vector<float> last = Hidden(Ids(0, 290)).back();
  Embedder embedder(model_, {.pooling = Pooling::kLast});
  ExpectDirection(embedder.Embed(Ids(0, 290)), {last.begin(), last.end()});
}

TEST_F(EmbeddingTest, MeanIsTheSumOverAllTokensAtLengthOne) {
  std::vector<double> sum(model_->config().hidden_size);
  for (const auto& hidden : Hidden(Ids(0, 290))) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += hidden[i];
  }
  Embedder embedder(model_, {.pooling = Pooling::kMean});
  ExpectDirection(embedder.Embed(Ids(0, 290)), sum);
}

TEST_F(EmbeddingTest, NeitherThreadsNorTextsBeforeChangeABit) {
  for (const Pooling pooling : {Pooling::kLast, Pooling::kMean}) {
    Embedder one(model_, {.pooling = pooling, .num_threads = 1});
    const std::vector<float> want = one.Embed(Ids(0, 270));
    for (const int threads : {2, 5}) {
      Embedder other(model_, {.pooling = pooling, .num_threads = threads});
      (void)other.Embed(Ids(3, 40));
      EXPECT_EQ(other.Embed(Ids(0, 270)), want) << threads;
    }
  }
}

TEST_F(EmbeddingTest, WhatCannotBeEmbeddedIsRefused) {
  Embedder embedder(model_, {.context_length = 8});
  EXPECT_EQ(embedder.context_length(), 8U);
  ExpectError(ErrorCode::kInvalidArgument, {"no tokens"},
              [&] { (void)embedder.Embed({}); });
  ExpectError(ErrorCode::kContextFull, {"9 tokens", "8"},
              [&] { (void)embedder.Embed(Ids(0, 9)); });
  const Token bad = 512;
  ExpectError(ErrorCode::kInvalidArgument, {"512"}, [&] {
    (void)embedder.Embed({&bad, 1});
  });
  ExpectError(ErrorCode::kInvalidArgument, {"threads"},
              [&] { Embedder(model_, {.num_threads = -2}); });
  EXPECT_EQ(embedder.Embed(Ids(0, 8)).size(), model_->config().hidden_size);
}

}  // namespace
}  // namespace tern
