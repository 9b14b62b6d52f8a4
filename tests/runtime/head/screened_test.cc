// The same choices with and without the screen, whatever the head, the options
// and the context; and the logits that are given are those of the whole head.
#include "runtime/head/screened.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/sampler.h>

#include "runtime/head/demand.h"
#include "ternary_kernels/targets.h"
#include "tests/runtime/head/demands.h"
#include "tests/runtime/head/heads.h"

namespace tern {
namespace {

using kernels::DenseType;
using test::ExpectNeeded;
using test::HeadCase;
using test::HeadCases;
using test::Inputs;
using test::MakeHeadCase;
using test::Normals;
using test::RandomContext;
using test::RandomOptions;
using test::StoredHead;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Screened {
  std::optional<ScreenedRows> read;
  std::vector<float> logits;
};

class ScreenedTest : public test::EachTargetTest {
 protected:
  Screened Screen(const ScreenRows& screen, const StoredHead& head,
                  const std::vector<float>& x, const HeadDemand& demand) {
    // One scratch for all: what another head left must not matter.
    if (scratch_.estimates.size() < head.rows() ||
        scratch_cols_ != head.cols()) {
      scratch_ = ScreenScratch(head.rows(), head.cols());
      scratch_cols_ = head.cols();
    }
    Screened result;
    result.logits.assign(demand.rows, 12345.0F);
    result.read = ScreenedLogits({screen, head.View()}, x.data(), demand,
                                 scratch_, result.logits.data(), team_);
    return result;
  }

  std::mt19937 random_{11};
  Team team_{2};
  ScreenScratch scratch_;
  std::size_t scratch_cols_ = 0;
};

TEST_F(ScreenedTest, TheSamplerChoosesAlike) {
  const std::size_t rows = 1100;
  std::size_t screened = 0;
  std::size_t pruned = 0;
  for (const std::string& target : kernels::SupportedTargets()) {
    kernels::ForceTarget(target);
    for (const HeadCase& head_case : HeadCases()) {
      const auto type = static_cast<DenseType>(random_() % 3);
      const std::size_t cols = 40 + random_() % 160;
      const StoredHead head =
          MakeHeadCase(head_case, type, rows, cols, unsigned(random_()));
      const ScreenRows screen = MakeScreen(head.View(), team_);
      for (int i = 0; i < 60; ++i) {
        const SamplerOptions options = RandomOptions(random_);
        const auto inputs = Inputs(cols, unsigned(random_()));
        const auto& [name, x] = inputs[random_() % inputs.size()];
        const std::size_t used = rows - random_() % 3;
        std::vector<float> all = head.Logits(x);
        all.resize(used);
        const std::vector<Token> context = RandomContext(random_, all);
        const auto demand = DemandOf(options, context, used);
        if (!demand) continue;
        ++screened;
        const Screened some = Screen(screen, head, x, *demand);
        ASSERT_TRUE(some.read);
        ExpectNeeded(some.logits, all, *demand);
        pruned += static_cast<std::size_t>(
            std::count(some.logits.begin(), some.logits.end(), -kInfinity));
        Sampler with(options);
        Sampler without(options);
        for (int draw = 0; draw < 4; ++draw) {
          ASSERT_EQ(with.Sample(some.logits, context),
                    without.Sample(all, context))
              << head_case.name << ", " << name << ", top_k " << options.top_k
              << ", min_p " << options.min_p << ", temperature "
              << options.temperature;
        }
      }
    }
  }
  // The test is of the screen, and the screen screens.
  EXPECT_GT(screened, 1000U);
  EXPECT_GT(pruned, screened * rows / 4);
}

TEST_F(ScreenedTest, FewRowsOfARandomHeadAreRead) {
  const std::size_t rows = 20000;
  const std::size_t cols = 256;
  const StoredHead head =
      MakeHeadCase(HeadCases().front(), DenseType::kF16, rows, cols, 12);
  const ScreenRows screen = MakeScreen(head.View(), team_);
  const std::vector<float> x = Normals(cols, 1, 13);
  const std::vector<float> all = head.Logits(x);
  for (const std::size_t best : {1U, 40U, 400U}) {
    const HeadDemand demand{.rows = rows, .best = best, .always = {}};
    const Screened some = Screen(screen, head, x, demand);
    ASSERT_TRUE(some.read);
    EXPECT_LT(some.read->fine, rows / 2);
    EXPECT_LT(some.read->refined, 2 * best + rows / 50);
    ExpectNeeded(some.logits, all, demand);
  }
}

TEST_F(ScreenedTest, TheSameForAnyNumberOfThreads) {
  const std::size_t rows = 3000;
  const std::size_t cols = 96;
  const StoredHead head =
      MakeHeadCase(HeadCases().front(), DenseType::kBf16, rows, cols, 14);
  const ScreenRows screen = MakeScreen(head.View(), team_);
  const std::vector<float> x = Normals(cols, 1, 15);
  const HeadDemand demand{.rows = rows, .best = 5, .always = {}};
  const Screened two = Screen(screen, head, x, demand);
  for (const int threads : {1, 3, 8}) {
    Team team(threads);
    const ScreenRows again = MakeScreen(head.View(), team);
    ScreenScratch scratch(rows, cols);
    std::vector<float> logits(rows);
    const auto read = ScreenedLogits({again, head.View()}, x.data(), demand,
                                     scratch, logits.data(), team);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->fine, two.read->fine);
    EXPECT_EQ(read->refined, two.read->refined);
    EXPECT_EQ(logits, two.logits);
  }
}

TEST_F(ScreenedTest, FewerRowsThanAreAskedForAreAllGiven) {
  const StoredHead head =
      MakeHeadCase(HeadCases().front(), DenseType::kF16, 50, 64, 16);
  const ScreenRows screen = MakeScreen(head.View(), team_);
  const std::vector<float> x = Normals(64, 1, 17);
  const std::vector<Token> always = {3, 3, 49, -1, 50, 1000};
  const Screened some =
      Screen(screen, head, x, {.rows = 50, .best = 49, .always = always});
  EXPECT_EQ(some.logits, head.Logits(x));
}

TEST(DemandTest, WhatDependsOnEveryLogitIsNotScreened) {
  const std::vector<Token> context(100, 7);
  SamplerOptions o;
  o.top_k = 0;
  EXPECT_FALSE(DemandOf(o, context, 5000));  // top_p is 0.95
  o.min_p = 0.5F;
  EXPECT_FALSE(DemandOf(o, context, 5000));
  o.top_p = 1;
  EXPECT_TRUE(DemandOf(o, context, 5000));
  o.min_p = 0;
  EXPECT_FALSE(DemandOf(o, context, 5000));
  o.temperature = 0;
  EXPECT_TRUE(DemandOf(o, context, 5000));
  o.temperature = 1;
  o.top_k = 700;
  EXPECT_FALSE(DemandOf(o, context, 5000));
  EXPECT_TRUE(DemandOf(o, context, 8000));
}

TEST(DemandTest, TheWindowIsThatOfThePenalties) {
  const std::vector<Token> context = {1, 2, 3, 4, 5};
  SamplerOptions o;
  o.repeat_last_n = 2;
  EXPECT_TRUE(DemandOf(o, context, 5000)->always.empty());  // no penalty
  o.presence_penalty = 0.1F;
  EXPECT_EQ(DemandOf(o, context, 5000)->always.size(), 2U);
  EXPECT_EQ(DemandOf(o, context, 5000)->always[0], 4);
  o.repeat_last_n = -1;
  EXPECT_EQ(DemandOf(o, context, 5000)->always.size(), 5U);
  o.repeat_last_n = 9;
  EXPECT_EQ(DemandOf(o, context, 5000)->always.size(), 5U);
  o.repeat_last_n = 0;
  EXPECT_TRUE(DemandOf(o, context, 5000)->always.empty());
}

}  // namespace
}  // namespace tern
