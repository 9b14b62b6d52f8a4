#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/sampler.h>

namespace tern {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Options that filter nothing: every test turns on what it is about.
SamplerOptions Plain(std::uint64_t seed = 1) {
  SamplerOptions options;
  options.temperature = 1;
  options.top_k = 0;
  options.top_p = 1;
  options.min_p = 0;
  options.seed = seed;
  return options;
}

SamplerOptions Greedy() {
  SamplerOptions options = Plain();
  options.temperature = 0;
  return options;
}

// How often each token was drawn.
std::vector<int> Draw(const SamplerOptions& options,
                      const std::vector<float>& logits, int draws,
                      const std::vector<Token>& context = {}) {
  Sampler sampler(options);
  std::vector<int> counts(logits.size(), 0);
  for (int i = 0; i < draws; ++i) {
    ++counts.at(static_cast<std::size_t>(sampler.Sample(logits, context)));
  }
  return counts;
}

std::set<Token> Drawn(const SamplerOptions& options,
                      const std::vector<float>& logits, int draws = 2000) {
  const std::vector<int> counts = Draw(options, logits, draws);
  std::set<Token> tokens;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) tokens.insert(static_cast<Token>(i));
  }
  return tokens;
}

// Pearson's statistic of the counts against the probabilities.
double ChiSquare(const std::vector<int>& counts,
                 const std::vector<double>& probabilities) {
  double draws = 0;
  for (const int count : counts) draws += count;
  double sum = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double expected = draws * probabilities[i];
    sum += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  return sum;
}

std::vector<float> Logs(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) {
    logits.push_back(static_cast<float>(std::log(p)));
  }
  return logits;
}

bool Refuses(const SamplerOptions& options, const std::string& name) {
  try {
    const Sampler sampler(options);
  } catch (const Error& error) {
    return error.code() == ErrorCode::kInvalidArgument &&
           std::string(error.what()).find(name) != std::string::npos;
  }
  return false;
}

TEST(Sampler, GreedyTakesTheLargestLogit) {
  Sampler sampler(Greedy());
  EXPECT_EQ(sampler.Sample(std::vector<float>{0, 3, -1, 2.5F}, {}), 1);
}

TEST(Sampler, GreedyTiesGoToTheLowestId) {
  Sampler sampler(Greedy());
  EXPECT_EQ(sampler.Sample(std::vector<float>{1, 7, 7, 7, 0}, {}), 1);
  EXPECT_EQ(sampler.Sample(std::vector<float>{-2, -2}, {}), 0);
}

// Logits are looked through in blocks of 256, several at once.
TEST(Sampler, GreedyFindsTheLargestWhereverItIs) {
  constexpr std::size_t kSize = 600;
  Sampler sampler(Greedy());
  for (const float others : {-kInfinity, -3.0F}) {
    for (std::size_t at = 0; at < kSize; ++at) {
      std::vector<float> logits(kSize, others);
      for (std::size_t i = at; i < kSize; i += 131) logits[i] = 2;
      ASSERT_EQ(sampler.Sample(logits, {}), static_cast<Token>(at));
      if (at != 0) logits[at / 2] = 1;
      ASSERT_EQ(sampler.Sample(logits, {}), static_cast<Token>(at));
    }
  }
}

TEST(Sampler, ALogitThatIsNoNumberIsRefusedWhereverItIs) {
  constexpr std::size_t kSize = 600;
  Sampler sampler(Greedy());
  for (const float bad : {kNan, kInfinity}) {
    for (std::size_t at = 0; at < kSize; ++at) {
      std::vector<float> logits(kSize, 1);
      logits[kSize / 2] = 5;
      for (std::size_t i = at; i < kSize; i += 300) logits[i] = bad;
      try {
        (void)sampler.Sample(logits, {});
        ADD_FAILURE() << "logits[" << at << "] passed";
      } catch (const Error& error) {
        ASSERT_EQ(std::string(error.what())
                      .find("logits[" + std::to_string(at) + "]:"),
                  0U)
            << error.what();
      }
    }
  }
}

TEST(Sampler, TopKOneIsGreedyWithTheSameTies) {
  SamplerOptions options = Plain();
  options.top_k = 1;
  EXPECT_EQ(Drawn(options, {1, 7, 7, 0}), (std::set<Token>{1}));
}

TEST(Sampler, TopKKeepsTheLargest) {
  SamplerOptions options = Plain();
  options.top_k = 3;
  EXPECT_EQ(Drawn(options, {0.1F, 0.5F, 0.2F, 0.4F, 0.3F}),
            (std::set<Token>{1, 3, 4}));
}

TEST(Sampler, TopKTiesAtTheEdgeKeepTheLowestIds) {
  SamplerOptions options = Plain();
  options.top_k = 3;
  EXPECT_EQ(Drawn(options, {1, 2, 1, 1, 1, 1, 1, 1, 1, 1}),
            (std::set<Token>{0, 1, 2}));
}

TEST(Sampler, TopKLargerThanTheVocabularyKeepsAll) {
  SamplerOptions options = Plain();
  options.top_k = std::numeric_limits<int>::max();
  EXPECT_EQ(Drawn(options, {0, 0, 0}), (std::set<Token>{0, 1, 2}));
}

// The one-pass selection against a full sort, on many shapes of input.
TEST(Sampler, TopKEqualsAFullSort) {
  std::mt19937 random(7);
  for (const int k : {2, 3, 10, 40}) {
    for (const int levels : {3, 50, 100000}) {
      std::vector<float> logits(997);
      for (float& logit : logits) {
        // Within 0..1, so that each kept token is soon drawn.
        logit = static_cast<float>(random() % static_cast<unsigned>(levels)) /
                static_cast<float>(levels);
      }
      std::vector<Token> order(logits.size());
      for (std::size_t i = 0; i < order.size(); ++i) {
        order[i] = static_cast<Token>(i);
      }
      std::stable_sort(order.begin(), order.end(), [&](Token a, Token b) {
        return logits[static_cast<std::size_t>(a)] >
               logits[static_cast<std::size_t>(b)];
      });
      SamplerOptions options = Plain();
      options.top_k = k;
      EXPECT_EQ(Drawn(options, logits, 3000),
                std::set<Token>(order.begin(), order.begin() + k))
          << "k " << k << ", levels " << levels;
    }
  }
}

TEST(Sampler, TopPKeepsTheSmallestSetWithThatMass) {
  const std::vector<float> logits = Logs({0.1, 0.5, 0.15, 0.25});
  SamplerOptions options = Plain();
  options.top_p = 0.45F;  // 0.5 alone is enough
  EXPECT_EQ(Drawn(options, logits), (std::set<Token>{1}));
  options.top_p = 0.7F;  // 0.5 + 0.25
  EXPECT_EQ(Drawn(options, logits), (std::set<Token>{1, 3}));
  options.top_p = 0.85F;  // + 0.15
  EXPECT_EQ(Drawn(options, logits), (std::set<Token>{1, 2, 3}));
  options.top_p = 0.95F;
  EXPECT_EQ(Drawn(options, logits), (std::set<Token>{0, 1, 2, 3}));
}

// More candidates than the first pieces that are sorted.
TEST(Sampler, TopPOfAFlatDistributionKeepsTheLowestIds) {
  SamplerOptions options = Plain();
  options.top_p = 0.4995F;
  const std::set<Token> drawn =
      Drawn(options, std::vector<float>(1000, 2.0F), 20000);
  EXPECT_EQ(drawn.size(), 500U);
  EXPECT_EQ(*drawn.rbegin(), 499);
}

TEST(Sampler, TopPSeesOnlyWhatTopKLeft) {
  // Of 0.4, 0.3, 0.2, 0.1 top-k 2 leaves 0.571 and 0.429: the first alone
  // has half of the mass, which it has not of the whole.
  SamplerOptions options = Plain();
  options.top_p = 0.5F;
  const std::vector<float> logits = Logs({0.4, 0.3, 0.2, 0.1});
  EXPECT_EQ(Drawn(options, logits), (std::set<Token>{0, 1}));
  options.top_k = 2;
  EXPECT_EQ(Drawn(options, logits), (std::set<Token>{0}));
}

TEST(Sampler, TopPComesAfterTheTemperature) {
  // Logits 2, 1, 0: probabilities 0.665, 0.245, 0.090 at temperature 1 and
  // 0.506, 0.307, 0.186 at temperature 2.
  SamplerOptions options = Plain();
  options.top_p = 0.6F;
  EXPECT_EQ(Drawn(options, {2, 1, 0}), (std::set<Token>{0}));
  options.temperature = 2;
  EXPECT_EQ(Drawn(options, {2, 1, 0}), (std::set<Token>{0, 1}));
}

TEST(Sampler, MinPIsAShareOfTheBest) {
  // Shares of the best: 1, 0.5, 0.2, 0.1.
  const std::vector<float> logits = Logs({0.5, 0.25, 0.1, 0.05});
  SamplerOptions options = Plain();
  options.min_p = 0.3F;
  EXPECT_EQ(Drawn(options, logits), (std::set<Token>{0, 1}));
  options.min_p = 0.15F;
  EXPECT_EQ(Drawn(options, logits), (std::set<Token>{0, 1, 2}));
  options.min_p = 1.0F;
  EXPECT_EQ(Drawn(options, logits), (std::set<Token>{0}));
}

TEST(Sampler, RepeatPenaltyDividesPositiveAndMultipliesNegative) {
  SamplerOptions options = Greedy();
  options.repeat_penalty = 2;
  Sampler sampler(options);
  // 4 / 2 = 2 < 3.
  EXPECT_EQ(sampler.Sample(std::vector<float>{4, 3}, std::vector<Token>{0}), 1);
  // -2 * 2 = -4 < -3.
  EXPECT_EQ(sampler.Sample(std::vector<float>{-2, -3}, std::vector<Token>{0}),
            1);
}

TEST(Sampler, RepeatPenaltyCountsATokenOnce) {
  SamplerOptions options = Greedy();
  options.repeat_penalty = 2;
  Sampler sampler(options);
  // 8 / 2 = 4 > 3, though the token was seen three times.
  EXPECT_EQ(
      sampler.Sample(std::vector<float>{8, 3}, std::vector<Token>{0, 0, 0}), 0);
}

TEST(Sampler, PresencePenaltyIsSubtractedOnceFrequencyEachTime) {
  const std::vector<float> logits = {5, 3};
  const std::vector<Token> context = {0, 0, 0};
  SamplerOptions options = Greedy();
  options.presence_penalty = 1;  // 5 - 1 = 4
  EXPECT_EQ(Sampler(options).Sample(logits, context), 0);
  options.presence_penalty = 0;
  options.frequency_penalty = 1;  // 5 - 3 = 2
  EXPECT_EQ(Sampler(options).Sample(logits, context), 1);
}

TEST(Sampler, PenaltiesForgetOlderTokens) {
  SamplerOptions options = Greedy();
  options.presence_penalty = 10;
  options.repeat_last_n = 2;
  const std::vector<float> logits = {5, 4, 3};
  const std::vector<Token> context = {0, 1, 2};
  EXPECT_EQ(Sampler(options).Sample(logits, context), 0);
  options.repeat_last_n = -1;                              // all
  EXPECT_EQ(Sampler(options).Sample(logits, context), 0);  // all three alike
  EXPECT_EQ(Sampler(options).Sample(logits, std::vector<Token>{0}), 1);
  options.repeat_last_n = 0;  // none
  EXPECT_EQ(Sampler(options).Sample(logits, std::vector<Token>{0}), 0);
}

TEST(Sampler, PenaltiesOfOneCallDoNotLeakIntoTheNext) {
  SamplerOptions options = Greedy();
  options.frequency_penalty = 1;
  Sampler sampler(options);
  const std::vector<float> logits = {5, 3};
  EXPECT_EQ(sampler.Sample(logits, std::vector<Token>{0, 0, 0}), 1);
  EXPECT_EQ(sampler.Sample(logits, std::vector<Token>{0}), 0);
}

TEST(Sampler, MinusInfinityIsNeverChosen) {
  EXPECT_EQ(Drawn(Plain(), {-kInfinity, 0, -kInfinity, 0}),
            (std::set<Token>{1, 3}));
  SamplerOptions options = Plain();
  options.top_k = 3;
  options.temperature = 1e30F;
  EXPECT_EQ(Drawn(options, {-kInfinity, 0, -kInfinity, 0}),
            (std::set<Token>{1, 3}));
  options = Greedy();
  options.repeat_penalty = 0.5F;  // must not raise it either
  options.presence_penalty = -1e38F;
  EXPECT_EQ(Sampler(options).Sample(std::vector<float>{-kInfinity, -9},
                                    std::vector<Token>{0}),
            1);
}

TEST(Sampler, LogitsThatAreNotNumbersAreRefused) {
  for (const SamplerOptions& options : {Greedy(), Plain()}) {
    Sampler sampler(options);
    EXPECT_THROW(sampler.Sample(std::vector<float>{0, kNan, 1}, {}), Error);
    EXPECT_THROW(sampler.Sample(std::vector<float>{kNan}, {}), Error);
    EXPECT_THROW(sampler.Sample(std::vector<float>{0, kInfinity}, {}), Error);
    EXPECT_THROW(sampler.Sample(std::vector<float>{-kInfinity}, {}), Error);
    EXPECT_THROW(sampler.Sample({}, {}), Error);
  }
}

TEST(Sampler, ContextOutsideTheVocabularyIsRefused) {
  SamplerOptions options = Plain();
  options.repeat_penalty = 2;
  Sampler sampler(options);
  const std::vector<float> logits = {0, 1};
  EXPECT_THROW(sampler.Sample(logits, std::vector<Token>{2}), Error);
  EXPECT_THROW(sampler.Sample(logits, std::vector<Token>{-1}), Error);
}

TEST(Sampler, OptionsWithoutAMeaningAreRefusedByName) {
  const auto with = [](auto member, auto value) {
    SamplerOptions options = Plain();
    options.*member = value;
    return options;
  };
  using O = SamplerOptions;
  for (const float bad : {-0.5F, kNan, kInfinity}) {
    EXPECT_TRUE(Refuses(with(&O::temperature, bad), "temperature")) << bad;
    EXPECT_TRUE(Refuses(with(&O::repeat_penalty, bad), "repeat_penalty"));
  }
  EXPECT_TRUE(Refuses(with(&O::repeat_penalty, 0.0F), "repeat_penalty"));
  for (const float bad : {0.0F, 1.5F, kNan}) {
    EXPECT_TRUE(Refuses(with(&O::top_p, bad), "top_p")) << bad;
  }
  for (const float bad : {-0.1F, 1.5F, kNan}) {
    EXPECT_TRUE(Refuses(with(&O::min_p, bad), "min_p")) << bad;
  }
  for (const float bad : {kNan, kInfinity}) {
    EXPECT_TRUE(Refuses(with(&O::presence_penalty, bad), "presence_penalty"));
    EXPECT_TRUE(Refuses(with(&O::frequency_penalty, bad), "frequency_penalty"));
  }
  EXPECT_TRUE(Refuses(with(&O::top_k, -1), "top_k"));
  EXPECT_TRUE(Refuses(with(&O::repeat_last_n, -2), "repeat_last_n"));
  EXPECT_FALSE(Refuses(SamplerOptions(), ""));
}

TEST(Sampler, TheSameSeedGivesTheSameTokens) {
  std::vector<float> logits(100);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    logits[i] = static_cast<float>(i % 7);
  }
  const auto tokens = [&](std::uint64_t seed) {
    Sampler sampler(Plain(seed));
    std::vector<Token> out(50);
    for (Token& token : out) token = sampler.Sample(logits, {});
    return out;
  };
  EXPECT_EQ(tokens(42), tokens(42));
  EXPECT_NE(tokens(42), tokens(43));
}

// The draw itself is part of the contract: 64-bit Mersenne Twister, upper 53
// bits, ids in order.  The standard says that the 10000th number of the default
// seed is 9981545732273789042; equal logits of four tokens make the token its
// upper two bits, which are 10 in binary.
TEST(Sampler, TheDrawIsTheSameOnEveryMachine) {
  SamplerOptions options = Plain(std::mt19937_64::default_seed);
  Sampler sampler(options);
  const std::vector<float> logits(4, 0.5F);
  Token token = -1;
  for (int i = 0; i < 10000; ++i) token = sampler.Sample(logits, {});
  EXPECT_EQ(token, static_cast<Token>(9981545732273789042ULL >> 62));
}

// The bounds are the 99.9 % points of chi-square.
TEST(Sampler, FrequenciesFollowTheProbabilities) {
  const std::vector<double> p = {0.05, 0.4, 0.02, 0.13, 0.25, 0.15};
  const std::vector<int> counts = Draw(Plain(123), Logs(p), 100000);
  EXPECT_LT(ChiSquare(counts, p), 20.5);  // 5 degrees of freedom
}

TEST(Sampler, FrequenciesFollowTheTemperature) {
  // Temperature 0.5 squares the probabilities: 0.25, 0.09, 0.04 of 0.38.
  SamplerOptions options = Plain(5);
  options.temperature = 0.5F;
  const std::vector<int> counts = Draw(options, Logs({0.5, 0.3, 0.2}), 100000);
  EXPECT_LT(ChiSquare(counts, {0.25 / 0.38, 0.09 / 0.38, 0.04 / 0.38}), 13.9);
}

TEST(Sampler, FrequenciesAreRenormalisedAfterAllFilters) {
  SamplerOptions options = Plain(9);
  options.top_k = 4;
  options.top_p = 0.9F;
  options.min_p = 0.3F;
  // top-k leaves 0.4 0.3 0.15 0.1; top-p of 0.95 needs 0.855: all but 0.1
  // would give 0.85, so all stay; min-p drops those under 0.12.
  std::vector<int> counts =
      Draw(options, Logs({0.4, 0.3, 0.15, 0.1, 0.05}), 100000);
  EXPECT_EQ(counts[3] + counts[4], 0);
  counts.resize(3);
  EXPECT_LT(ChiSquare(counts, {0.4 / 0.85, 0.3 / 0.85, 0.15 / 0.85}), 13.9);
}

TEST(Sampler, ExtremeTemperaturesDoNotOverflow) {
  SamplerOptions options = Plain(3);
  options.temperature = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(Drawn(options, {100, 101, -3e38F, 3e38F}), (std::set<Token>{3}));
  options.temperature = std::numeric_limits<float>::max();
  const std::vector<int> counts = Draw(options, {-50, 0, 50, 20}, 100000);
  EXPECT_LT(ChiSquare(counts, {0.25, 0.25, 0.25, 0.25}), 16.3);
}

TEST(Sampler, ExtremePenaltiesDoNotOverflow) {
  SamplerOptions options = Plain(3);
  options.repeat_penalty = std::numeric_limits<float>::denorm_min();
  options.presence_penalty = -3e38F;
  options.frequency_penalty = -3e38F;
  const std::vector<int> counts = Draw(options, {3e38F, 1, 0}, 100, {0, 0, 1});
  EXPECT_EQ(counts[2], 0);
  EXPECT_GT(counts[0], 20);  // both penalised ones end at the largest float
  EXPECT_GT(counts[1], 20);
}

TEST(Sampler, AVocabularyOfTheUsualSizeWorks) {
  std::vector<float> logits(128256);
  std::mt19937 random(11);
  for (float& logit : logits) logit = static_cast<float>(random() % 1000) / 100;
  logits[77777] = 30;
  SamplerOptions options;  // the defaults: top-k 40, top-p 0.95
  EXPECT_EQ(Drawn(options, logits, 50), (std::set<Token>{77777}));
  options.top_k = 0;
  options.temperature = 1;
  EXPECT_EQ(Drawn(options, logits, 50).count(77777), 1U);
}

}  // namespace
}  // namespace tern
