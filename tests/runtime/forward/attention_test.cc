// However attention is cut, by chunks of tokens, tiles, parts of a context or
// threads, each token gets the same bits.
#include "runtime/forward/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/model.h>

#include "runtime/kv_cache.h"
#include "runtime/parallel.h"
#include "ternary_kernels/attention.h"

namespace tern {
namespace {

struct Heads {
  std::size_t heads;
  std::size_t kv_heads;
  std::size_t head_dim;
};

class AttentionCuts : public ::testing::TestWithParam<KvType> {
 protected:
  static constexpr std::size_t kTokens = 1100;  // 5 parts

  std::vector<float> Random(std::size_t size) {
    std::normal_distribution<float> normal;
    std::vector<float> values(size);
    for (float& v : values) v = normal(random_);
    return values;
  }

  void Fill(KvCache& cache, const Heads& h) {
    for (std::size_t layer = 0; layer < 2; ++layer) {
      for (std::size_t head = 0; head < h.kv_heads; ++head) {
        for (std::size_t p = 0; p < kTokens; ++p) {
          cache.Store(layer, head, p, Random(h.head_dim).data(),
                      Random(h.head_dim).data());
        }
      }
    }
  }

  static AttentionScratch ScratchFor(const Heads& h, std::size_t tokens,
                                     int threads) {
    return AttentionScratch({.tokens = tokens,
                             .heads = h.heads,
                             .kv_heads = h.kv_heads,
                             .head_dim = h.head_dim,
                             .threads = static_cast<std::size_t>(threads)});
  }

  // Attention of the tokens from `first` on, in chunks, on some threads.
  static std::vector<float> Attend(KvCache& cache, const Heads& h,
                                   const std::vector<float>& query,
                                   std::size_t first, std::size_t chunk,
                                   int threads) {
    const std::size_t row = h.heads * h.head_dim;
    Team team(threads);
    AttentionScratch scratch = ScratchFor(h, chunk, threads);
    std::vector<float> out((kTokens - first) * row, NAN);
    for (std::size_t t = first; t < kTokens; t += chunk) {
      const std::size_t at = (t - first) * row;
      const TokenRun run{&cache, t, std::min(chunk, kTokens - t)};
      AttendTokens({.layer = 1,
                    .runs = {&run, 1},
                    .query = query.data() + t * row,
                    .out = out.data() + at},
                   scratch, team);
    }
    return out;
  }

  static ModelConfig Config(const Heads& h) {
    ModelConfig config;
    config.num_layers = 2;
    config.num_heads = h.heads;
    config.num_kv_heads = h.kv_heads;
    config.head_dim = h.head_dim;
    return config;
  }

  std::mt19937 random_{1};
};

TEST_P(AttentionCuts, ChangeNoBit) {
  for (const Heads& h : {Heads{4, 1, 16}, Heads{6, 3, 10}, Heads{9, 9, 8}}) {
    const std::size_t row = h.heads * h.head_dim;
    KvCache cache(Config(h), kTokens, GetParam());
    Fill(cache, h);
    const std::vector<float> query = Random(kTokens * row);
    const std::vector<float> want = Attend(cache, h, query, 0, kTokens, 1);
    for (const float x : want) ASSERT_TRUE(std::isfinite(x));
    for (const int threads : {1, 2, 5}) {
      for (const std::size_t chunk : {1U, 7U, 100U, 1100U}) {
        // One at a time is slow, so the last are enough.
        const std::size_t first = chunk == 1 ? kTokens - 100 : 0;
        const std::vector<float> got =
            Attend(cache, h, query, first, chunk, threads);
        EXPECT_EQ(0, std::memcmp(got.data(), want.data() + first * row,
                                 got.size() * sizeof(float)))
            << h.heads << " heads, " << threads << " threads, chunks of "
            << chunk;
      }
    }
  }
}

// A context of more parts than one wave takes.
TEST_P(AttentionCuts, WavesOfPartsAreAllCombined) {
  const Heads h = {64, 1, 2};
  KvCache cache(Config(h), kTokens, GetParam());
  Fill(cache, h);
  const std::vector<float> query = Random(kTokens * h.heads * h.head_dim);
  const std::size_t last = kTokens - 1;
  const AttentionScratch one = ScratchFor(h, 1, 1);
  ASSERT_LT(one.states.size(),
            5 * kernels::PartStateSize(1, h.heads, h.head_dim));
  EXPECT_EQ(Attend(cache, h, query, last, 1, 1),
            Attend(cache, h, query, last, 1, 3));
}

// Runs of several sequences at different positions in one batch: each gets what
// it gets alone, with threads that the heads are enough for and too many ones.
TEST_P(AttentionCuts, SequencesSideBySideChangeNoBit) {
  const Heads h = {6, 3, 10};
  const std::size_t row = h.heads * h.head_dim;
  KvCache a(Config(h), kTokens, GetParam());
  KvCache b(Config(h), kTokens, GetParam());
  KvCache c(Config(h), kTokens, GetParam());
  for (KvCache* cache : {&a, &b, &c}) Fill(*cache, h);
  const std::vector<TokenRun> runs = {
      {&a, 1099, 1}, {&b, 3, 1}, {&c, 250, 40}, {&c, 700, 7}};
  const std::vector<float> query = Random(TokensOf(runs) * row);
  for (const int threads : {1, 2, 20}) {
    Team team(threads);
    AttentionScratch scratch = ScratchFor(h, 64, threads);
    for (const std::size_t count : {std::size_t{2}, runs.size()}) {
      const std::span<const TokenRun> some = std::span(runs).first(count);
      std::vector<float> got(TokensOf(some) * row, NAN);
      AttendTokens(
          {.layer = 1, .runs = some, .query = query.data(), .out = got.data()},
          scratch, team);
      std::vector<float> want(got.size(), NAN);
      std::size_t at = 0;
      for (const TokenRun& run : some) {
        AttendTokens({.layer = 1,
                      .runs = {&run, 1},
                      .query = query.data() + at,
                      .out = want.data() + at},
                     scratch, team);
        at += run.tokens * row;
      }
      EXPECT_EQ(
          0, std::memcmp(got.data(), want.data(), got.size() * sizeof(float)))
          << threads << " threads, " << count << " runs";
    }
  }
}

// Whoever stores a key attends to it, or all are stored first.
TEST_P(AttentionCuts, StoringOnTheWayChangesNoBit) {
  const Heads h = {6, 3, 10};
  const std::size_t row = h.heads * h.head_dim;
  const std::size_t kv_row = h.kv_heads * h.head_dim;
  KvCache a(Config(h), kTokens, GetParam());
  KvCache b(Config(h), kTokens, GetParam());
  for (KvCache* cache : {&a, &b}) Fill(*cache, h);
  // Of one token each, with a context to be cut and without; of several.
  const std::vector<std::vector<TokenRun>> batches = {
      {{&a, 20, 1}}, {{&a, 1099, 1}}, {{&a, 40, 1}, {&b, 3, 1}}, {{&a, 9, 7}}};
  for (const std::vector<TokenRun>& runs : batches) {
    const std::size_t tokens = TokensOf(runs);
    const std::vector<float> query = Random(tokens * row);
    const std::vector<float> keys = Random(tokens * kv_row);
    const auto store = [&](std::size_t token, std::size_t head) {
      const float* key = keys.data() + token * kv_row + head * h.head_dim;
      const bool one = runs.size() == 1;
      const TokenRun& run = runs[one ? 0 : token];
      run.cache->Store(1, head, run.position + (one ? token : 0), key, key);
    };
    for (const int threads : {1, 2, 20}) {
      Team team(threads);
      AttentionScratch scratch = ScratchFor(h, 64, threads);
      std::vector<float> got(tokens * row, NAN);
      AttentionBatch batch = {
          .layer = 1, .runs = runs, .query = query.data(), .out = got.data()};
      const std::vector<float> zeros(kv_row);
      for (const TokenRun& run : runs) {
        for (std::size_t t = 0; t < run.tokens; ++t) {
          for (std::size_t head = 0; head < h.kv_heads; ++head) {
            run.cache->Store(1, head, run.position + t, zeros.data(),
                             zeros.data());
          }
        }
      }
      StoreAndAttend(batch, store, scratch, team);
      std::vector<float> want(got.size(), NAN);
      batch.out = want.data();
      AttendTokens(batch, scratch, team);  // all is stored now
      EXPECT_EQ(
          0, std::memcmp(got.data(), want.data(), got.size() * sizeof(float)))
          << threads << " threads, " << tokens << " tokens";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, AttentionCuts,
                         ::testing::Values(KvType::kF32, KvType::kF16,
                                           KvType::kQ8),
                         [](const auto& test) {
                           return std::string(test.param == KvType::kF32 ? "f32"
                                              : test.param == KvType::kF16
                                                  ? "f16"
                                                  : "q8");
                         });

}  // namespace
}  // namespace tern
