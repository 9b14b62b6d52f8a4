// Attention in tiles against plain loops in double precision, on every target
// that this CPU has; and its bits must not depend on what shares a tile.
#include "ternary_kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "ternary_kernels/targets.h"
#include "tests/ternary_kernels/head_cache.h"

namespace tern::kernels {
namespace {

constexpr CacheType kTypes[] = {CacheType::kF32, CacheType::kF16,
                                CacheType::kQ8};

class Attention : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { ASSERT_TRUE(ForceTarget(GetParam())); }
  void TearDown() override {
    ASSERT_TRUE(ForceTarget(SupportedTargets().front()));
  }

  std::vector<float> Random(std::size_t size) {
    std::normal_distribution<float> normal;
    std::vector<float> values(size);
    for (float& v : values) v = normal(random_);
    return values;
  }

  void Fill(Cache& cache, std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) {
      const std::size_t head_dim = cache.Head().head_dim;
      ASSERT_TRUE(
          cache.Store(p, Random(head_dim).data(), Random(head_dim).data()));
    }
  }

  std::mt19937 random_{1};
};

struct Shape {
  std::size_t tokens;
  std::size_t group;
  std::size_t position;  // of the first token
};

constexpr float kScale = 0.125F;

AttentionTile Tile(const Shape& shape, std::size_t head_dim,
                   const std::vector<float>& query, std::vector<float>& out) {
  return {query.data(), out.data(),  shape.group * head_dim,
          shape.tokens, shape.group, shape.position,
          kScale};
}

// All tokens and heads at once: [tokens][group][head_dim].
std::vector<float> AttendTo(Cache& cache, const Shape& shape,
                            const std::vector<float>& query) {
  const HeadCache head = cache.Head();
  std::vector<float> out(query.size(), NAN);
  Floats scratch(
      AttentionScratchSize(shape.tokens, shape.group, head.head_dim));
  Attend(head, Tile(shape, head.head_dim, query, out), scratch.data());
  return out;
}

// The same, parts on their own and `wave` of them combined at once.
std::vector<float> AttendInParts(Cache& cache, const Shape& shape,
                                 const std::vector<float>& query,
                                 std::size_t wave) {
  const HeadCache head = cache.Head();
  std::vector<float> out(query.size(), NAN);
  const AttentionTile tile = Tile(shape, head.head_dim, query, out);
  const std::size_t size =
      PartStateSize(shape.tokens, shape.group, head.head_dim);
  Floats states(wave * size);
  Floats total(size);
  const std::size_t parts = PartsSeen(tile);
  for (std::size_t first = 0; first < parts; first += wave) {
    const std::size_t count = std::min(wave, parts - first);
    for (std::size_t i = count; i-- > 0;) {
      Floats scratch(
          AttentionScratchSize(shape.tokens, shape.group, head.head_dim));
      AttendPart(head, tile, first + i, scratch.data(),
                 states.data() + i * size);
    }
    CombineParts(head.head_dim, tile, states.data(), first, count,
                 total.data());
  }
  return out;
}

std::vector<double> PlainAttention(Cache& cache, const float* query,
                                   std::size_t positions) {
  const std::size_t head_dim = cache.Head().head_dim;
  std::vector<double> weights(positions);
  double max = -std::numeric_limits<double>::infinity();
  for (std::size_t p = 0; p < positions; ++p) {
    double dot = 0;
    for (std::size_t i = 0; i < head_dim; ++i) {
      dot += query[i] * cache.Key(p, i);
    }
    weights[p] = dot * kScale;
    max = std::max(max, weights[p]);
  }
  double sum = 0;
  for (double& w : weights) sum += w = std::exp(w - max);
  std::vector<double> out(head_dim);
  for (std::size_t p = 0; p < positions; ++p) {
    for (std::size_t i = 0; i < head_dim; ++i) {
      out[i] += weights[p] / sum * cache.Value(p, i);
    }
  }
  return out;
}

// The largest distance from plain loops; values are of size 1.
double WorstError(Cache& cache, const Shape& shape,
                  const std::vector<float>& query,
                  const std::vector<float>& got) {
  const std::size_t head_dim = cache.Head().head_dim;
  double worst = 0;
  for (std::size_t r = 0; r < shape.tokens * shape.group; ++r) {
    const std::vector<double> want =
        PlainAttention(cache, query.data() + r * head_dim,
                       shape.position + r / shape.group + 1);
    for (std::size_t i = 0; i < head_dim; ++i) {
      const double error = std::abs(got[r * head_dim + i] - want[i]);
      if (!(error <= worst)) worst = error;  // NaN, too
    }
  }
  return worst;
}

TEST_P(Attention, EqualsPlainLoopsForEveryTypeAndShape) {
  for (const CacheType type : kTypes) {
    for (const std::size_t head_dim :
         {2U, 6U, 64U, 80U, 96U, 100U, 120U, 128U, 256U}) {
      Cache cache(type, head_dim, 400);
      Fill(cache, 0, 330);
      for (const Shape& shape :
           {Shape{1, 1, 0}, Shape{1, 4, 1}, Shape{1, 3, 63}, Shape{1, 5, 64},
            Shape{3, 2, 62}, Shape{7, 1, 252}, Shape{16, 4, 250},
            Shape{1, 71, 300}}) {
        const std::vector<float> query =
            Random(shape.tokens * shape.group * head_dim);
        const std::vector<float> got = AttendTo(cache, shape, query);
        EXPECT_LE(WorstError(cache, shape, query, got), 1e-5)
            << static_cast<int>(type) << " " << head_dim << " " << shape.tokens
            << " " << shape.group << " " << shape.position;
      }
    }
  }
}

TEST_P(Attention, EqualsPlainLoopsInLongContexts) {
  for (const CacheType type : kTypes) {
    Cache cache(type, 64, 5100);
    Fill(cache, 0, 5008);
    for (const Shape& shape :
         {Shape{1, 2, 5000}, Shape{8, 1, 4992}, Shape{3, 4, 2047}}) {
      const std::vector<float> query = Random(shape.tokens * shape.group * 64);
      EXPECT_LE(WorstError(cache, shape, query, AttendTo(cache, shape, query)),
                1e-5)
          << static_cast<int>(type) << " " << shape.position;
    }
  }
}

// Around each border of a block and a part, the last position that a token sees
// counts and the next does not: it is NaN there, which would spread.
TEST_P(Attention, SeesEveryPositionUpToItsOwnAndNoMore) {
  const std::size_t head_dim = 8;
  for (const CacheType type : kTypes) {
    for (const std::size_t end : {1U, 63U, 64U, 65U, 127U, 128U, 129U, 255U,
                                  256U, 257U, 511U, 512U, 513U}) {
      Cache cache(type, head_dim, 600);
      const std::vector<float> zeros(head_dim);
      std::vector<float> key(head_dim);
      for (std::size_t p = 0; p < end; ++p) {
        const std::vector<float> value(head_dim, p + 1 == end ? 1.0F : 0.0F);
        key[0] = p + 1 == end ? 1000.0F : 0.0F;
        ASSERT_TRUE(cache.Store(p, key.data(), value.data()));
      }
      std::vector<float> query(4 * head_dim);
      for (std::size_t g = 0; g < 4; ++g) query[g * head_dim] = 1.0F;
      const std::vector<float> out = AttendTo(cache, {1, 4, end - 1}, query);
      for (const float x : out) EXPECT_NEAR(x, 1.0F, 1e-6) << end;
    }
  }
}

TEST_P(Attention, BitsDoNotDependOnTheOtherTokensOfTheTile) {
  for (const CacheType type : kTypes) {
    for (const std::size_t head_dim : {64U, 100U}) {
      for (const std::size_t group : {1U, 3U, 4U}) {
        const std::size_t tokens = MostTileTokens(group);
        for (const std::size_t position : {0U, 60U, 250U, 500U}) {
          Cache cache(type, head_dim, 600);
          Fill(cache, 0, position + tokens);
          const std::size_t row = group * head_dim;
          const std::vector<float> query = Random(tokens * row);
          const std::vector<float> together =
              AttendTo(cache, {tokens, group, position}, query);
          for (std::size_t t = 0, count = 1; t < tokens; t += count) {
            count = 1 + (t * 5 + 2) % 7;  // 3, 3, 2, ..
            count = std::min(count, tokens - t);
            const auto begin = static_cast<std::ptrdiff_t>(t * row);
            const auto end = static_cast<std::ptrdiff_t>((t + count) * row);
            const std::vector<float> some(query.begin() + begin,
                                          query.begin() + end);
            const std::vector<float> alone =
                AttendTo(cache, {count, group, position + t}, some);
            EXPECT_EQ(0, std::memcmp(alone.data(), together.data() + begin,
                                     alone.size() * sizeof(float)))
                << head_dim << " " << group << " " << position + t;
          }
        }
      }
    }
  }
}

// Both what is left of the first part and the mix of the second underflow to
// -0; a later token in the tile adds 0 * value to the second.
TEST_P(Attention, TheSignOfZeroDoesNotDependOnTheOtherTokens) {
  Cache cache(CacheType::kF32, 2, 300);
  const float least = std::numeric_limits<float>::denorm_min();
  for (std::size_t p = 0; p < 259; ++p) {
    const float score = p == 256 ? 160.0F : p == 257 ? 80.0F : 0.0F;
    const float value = p == 0 || p == 257 ? -least : p == 258 ? 1.0F : 0.0F;
    const std::vector<float> key = {score, 0};
    ASSERT_TRUE(cache.Store(p, key.data(), std::vector(2, value).data()));
  }
  const std::vector<float> query = {1, 0, 1, 0};
  const std::vector<float> together = AttendTo(cache, {2, 1, 257}, query);
  const std::vector<float> alone = AttendTo(cache, {1, 1, 257}, {1, 0});
  EXPECT_EQ(alone.front(), together.front());
  EXPECT_EQ(std::signbit(alone.front()), std::signbit(together.front()));
}

TEST_P(Attention, BitsDoNotDependOnTheOtherHeadsOfTheGroup) {
  const std::size_t head_dim = 96;
  for (const CacheType type : kTypes) {
    Cache cache(type, head_dim, 400);
    Fill(cache, 0, 310);
    const std::vector<float> query = Random(7 * head_dim);
    const std::vector<float> together = AttendTo(cache, {1, 7, 309}, query);
    for (std::size_t g = 0; g < 7; ++g) {
      const auto begin = static_cast<std::ptrdiff_t>(g * head_dim);
      const auto end = static_cast<std::ptrdiff_t>((g + 1) * head_dim);
      const std::vector<float> alone = AttendTo(
          cache, {1, 1, 309}, {query.begin() + begin, query.begin() + end});
      EXPECT_EQ(alone, std::vector<float>(together.begin() + begin,
                                          together.begin() + end));
    }
  }
}

TEST_P(Attention, BitsDoNotDependOnHowPartsAreCombined) {
  const std::size_t head_dim = 32;
  for (const CacheType type : kTypes) {
    Cache cache(type, head_dim, 1600);
    Fill(cache, 0, 1545);
    for (const Shape& shape : {Shape{1, 4, 1500}, Shape{10, 2, 1530}}) {
      const std::vector<float> query =
          Random(shape.tokens * shape.group * head_dim);
      const std::vector<float> whole = AttendTo(cache, shape, query);
      for (const std::size_t wave : {1U, 2U, 5U, 20U}) {
        EXPECT_EQ(AttendInParts(cache, shape, query, wave), whole) << wave;
      }
    }
  }
}

// After a truncation positions are stored again over what was there.
TEST_P(Attention, BitsDoNotDependOnWhatLiesBehindTheLastPosition) {
  const std::size_t head_dim = 80;
  for (const CacheType type : kTypes) {
    Cache fresh(type, head_dim, 400);
    Cache used(type, head_dim, 400);
    Fill(used, 0, 390);
    for (std::size_t p = 0; p < 300; ++p) {
      const std::vector<float> key = Random(head_dim);
      const std::vector<float> value = Random(head_dim);
      ASSERT_TRUE(fresh.Store(p, key.data(), value.data()));
      ASSERT_TRUE(used.Store(p, key.data(), value.data()));
    }
    const std::vector<float> query = Random(8 * head_dim);
    EXPECT_EQ(AttendTo(fresh, {4, 2, 296}, query),
              AttendTo(used, {4, 2, 296}, query));
    EXPECT_EQ(AttendTo(fresh, {1, 8, 270}, query),
              AttendTo(used, {1, 8, 270}, query));
  }
}

TEST_P(Attention, ScoresTooLargeForAnExponentialDoNoHarm) {
  Cache cache(CacheType::kF32, 2, 600);
  for (std::size_t p = 0; p < 600; ++p) {
    // Ever greater, then ever smaller: 1e8 times the scale at the top.
    const float at = 300.0F - std::abs(static_cast<float>(p) - 300.0F);
    const std::vector<float> key = {at * 1e3F, -at * 1e3F};
    const std::vector<float> value = {at, -at};
    ASSERT_TRUE(cache.Store(p, key.data(), value.data()));
  }
  const std::vector<float> query = {1e3F, -1e3F, -1e3F, 1e3F};
  const std::vector<float> out = AttendTo(cache, {1, 2, 599}, query);
  EXPECT_EQ(out, (std::vector<float>{300, -300, 0, 0}));
}

TEST_P(Attention, WhatIsNotFiniteShowsInTheResult) {
  Cache cache(CacheType::kF32, 4, 100);
  Fill(cache, 0, 70);
  const float inf = std::numeric_limits<float>::infinity();
  for (const float bad : {NAN, inf}) {
    const std::vector<float> query = {bad, 1, 1, 1};
    for (const float x : AttendTo(cache, {1, 1, 69}, query)) {
      EXPECT_TRUE(std::isnan(x));
    }
  }
  const std::vector<float> fine(4, 1.0F);
  const std::vector<float> nan(4, NAN);
  EXPECT_FALSE(cache.Store(66, fine.data(), nan.data()));
  for (const float x : AttendTo(cache, {1, 1, 69}, fine)) {
    EXPECT_TRUE(std::isnan(x));
  }
  // What comes before does not see it.
  for (const float x : AttendTo(cache, {1, 1, 65}, fine)) {
    EXPECT_TRUE(std::isfinite(x));
  }
}

TEST_P(Attention, StoreRefusesWhatTheTypeCannotHold) {
  const std::vector<float> fine = {1, 2};
  const std::vector<float> large = {1, 70000};
  const std::vector<float> nan = {NAN, 1};
  for (const CacheType type : kTypes) {
    Cache cache(type, 2, 64);
    EXPECT_TRUE(cache.Store(3, fine.data(), fine.data()));
    EXPECT_FALSE(cache.Store(3, nan.data(), fine.data()));
    EXPECT_FALSE(cache.Store(3, fine.data(), nan.data()));
    const bool fits = type != CacheType::kF16;
    EXPECT_EQ(cache.Store(3, large.data(), fine.data()), fits);
    EXPECT_EQ(cache.Store(3, fine.data(), large.data()), fits);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Attention,
                         ::testing::ValuesIn(SupportedTargets()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace tern::kernels
