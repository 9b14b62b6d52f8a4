// The same choices for many texts with and without the screen, whatever the
// head, the inputs, the options and the contexts; and the logits that are given
// are those of the whole head.
#include "runtime/head/screened_texts.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/sampler.h>

#include "runtime/head/demand.h"
#include "runtime/head/rounded_rows.h"
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

struct Text {
  std::vector<float> x;
  std::vector<float> all;  // logits
  SamplerOptions options;
  std::vector<Token> context;
};

class ScreenedTextsTest : public test::EachTargetTest {
 protected:
  // Logits [texts][used], and beyond them what was there.
  template <class Codes>
  std::vector<float> Screen(const Codes& codes, const StoredHead& head,
                            const std::vector<Text>& texts,
                            const std::vector<HeadDemand>& demands,
                            ScreenTextsScratch& scratch, Team& team) {
    std::vector<float> x;
    for (const Text& text : texts) {
      x.insert(x.end(), text.x.begin(), text.x.end());
    }
    std::vector<float> logits(texts.size() * head.rows(), 12345.0F);
    refined_ = ScreenedTexts(MakeByteHead(codes, head.View()),
                             {x.data(), demands, logits.data(), head.rows()},
                             scratch, team);
    return logits;
  }

  std::vector<float> Row(const std::vector<float>& logits, std::size_t t,
                         std::size_t stride, std::size_t used) {
    const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(t * stride);
    return {begin, begin + static_cast<std::ptrdiff_t>(used)};
  }

  std::mt19937 random_{21};
  Team team_{2};
  std::size_t refined_ = 0;
};

TEST_F(ScreenedTextsTest, TheSamplerChoosesAlike) {
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
      const RoundedRows rounded = MakeRoundedRows(head.View(), team_);
      // One scratch for all: what others left must not matter.
      ScreenTextsScratch scratch(rows, cols, 20, team_.size());
      for (int i = 0; i < 3; ++i) {  // the second time with rounded rows
        const std::size_t used = rows - random_() % 3;
        // Up to two readings.
        const std::size_t wanted = i == 0 ? 33 : 1 + random_() % 20;
        std::vector<Text> texts;
        std::vector<HeadDemand> demands;
        texts.reserve(wanted);
        while (texts.size() < wanted) {
          const auto inputs = Inputs(cols, unsigned(random_()));
          const auto& x = inputs[random_() % inputs.size()].second;
          std::vector<float> all = head.Logits(x);
          all.resize(used);
          texts.push_back(
              {x, all, RandomOptions(random_), RandomContext(random_, all)});
          const auto demand =
              DemandOf(texts.back().options, texts.back().context, used);
          if (demand) {
            demands.push_back(*demand);
          } else {
            texts.pop_back();
          }
        }
        const std::vector<float> logits =
            i == 1 ? Screen(rounded, head, texts, demands, scratch, team_)
                   : Screen(screen, head, texts, demands, scratch, team_);
        screened += texts.size();
        for (std::size_t t = 0; t < texts.size(); ++t) {
          const Text& text = texts[t];
          const std::vector<float> some = Row(logits, t, rows, used);
          ExpectNeeded(some, text.all, demands[t]);
          for (std::size_t r = used; r < rows; ++r) {
            ASSERT_EQ(logits[t * rows + r], 12345.0F);
          }
          pruned += static_cast<std::size_t>(
              std::count(some.begin(), some.end(), -kInfinity));
          Sampler with(text.options);
          Sampler without(text.options);
          for (int draw = 0; draw < 4; ++draw) {
            ASSERT_EQ(with.Sample(some, text.context),
                      without.Sample(text.all, text.context))
                << head_case.name << ", top_k " << text.options.top_k
                << ", min_p " << text.options.min_p << ", temperature "
                << text.options.temperature;
          }
        }
      }
    }
  }
  // The test is of the screen, and the screen screens.
  EXPECT_GT(screened, 3000U);
  EXPECT_GT(pruned, screened * rows / 4);
}

TEST_F(ScreenedTextsTest, TheSameForAnyNumberOfThreadsAndTexts) {
  const std::size_t rows = 3000;
  const std::size_t cols = 96;
  const StoredHead head =
      MakeHeadCase(HeadCases().front(), DenseType::kBf16, rows, cols, 14);
  const ScreenRows screen = MakeScreen(head.View(), team_);
  std::vector<Text> texts(40);
  for (std::size_t t = 0; t < texts.size(); ++t) {
    texts[t].x = Normals(cols, 1, 15 + unsigned(t));
    if (t % 5 == 0) texts[t].x[7] = 300;
  }
  const std::vector<HeadDemand> demands(
      texts.size(), {.rows = rows, .best = 5, .always = {}});
  ScreenTextsScratch scratch(rows, cols, texts.size(), 2);
  const std::vector<float> all =
      Screen(screen, head, texts, demands, scratch, team_);
  const std::size_t refined = refined_;
  for (const int threads : {1, 3, 8}) {
    Team team(threads);
    ScreenTextsScratch other(rows, cols, 7, team.size());
    EXPECT_EQ(Screen(screen, head, texts, demands, other, team), all);
    EXPECT_EQ(refined_, refined);
    const RoundedRows rounded = MakeRoundedRows(head.View(), team);
    const std::vector<float> some =
        Screen(rounded, head, texts, demands, other, team);
    for (std::size_t t = 0; t < texts.size(); ++t) {
      ExpectNeeded(Row(some, t, rows, rows), head.Logits(texts[t].x),
                   demands[t]);
    }
  }
  for (std::size_t t = 0; t < texts.size(); ++t) {
    ASSERT_EQ(Screen(screen, head, {texts[t]}, {demands[t]}, scratch, team_),
              Row(all, t, rows, rows));
  }
}

TEST_F(ScreenedTextsTest, FewRowsOfARandomHeadAreRead) {
  const std::size_t rows = 20000;
  const std::size_t cols = 256;
  const StoredHead head =
      MakeHeadCase(HeadCases().front(), DenseType::kF16, rows, cols, 12);
  const ScreenRows screen = MakeScreen(head.View(), team_);
  const RoundedRows rounded = MakeRoundedRows(head.View(), team_);
  std::vector<Text> texts(3);
  for (std::size_t t = 0; t < texts.size(); ++t) {
    texts[t].x = Normals(cols, 1, 13 + unsigned(t));
  }
  ScreenTextsScratch scratch(rows, cols, texts.size(), 2);
  for (const std::size_t best : {1U, 40U, 400U}) {
    const std::vector<HeadDemand> demands(
        texts.size(), {.rows = rows, .best = best, .always = {}});
    const std::vector<float> logits =
        Screen(screen, head, texts, demands, scratch, team_);
    EXPECT_LT(refined_, texts.size() * (3 * best + rows / 50));
    EXPECT_EQ(Screen(rounded, head, texts, demands, scratch, team_).size(),
              logits.size());
    EXPECT_LT(refined_, texts.size() * (3 * best + rows / 50));
    for (std::size_t t = 0; t < texts.size(); ++t) {
      ExpectNeeded(Row(logits, t, rows, rows), head.Logits(texts[t].x),
                   demands[t]);
    }
  }
}

TEST_F(ScreenedTextsTest, WithoutABoundAllRowsAreComputed) {
  const std::size_t rows = 500;
  const std::size_t cols = 64;
  const StoredHead head =
      MakeHeadCase(HeadCases().front(), DenseType::kF32, rows, cols, 16);
  const ScreenRows screen = MakeScreen(head.View(), team_);
  std::vector<Text> texts(3);
  for (Text& text : texts) text.x = Normals(cols, 1, 17);
  texts[1].x[9] = 3e38F;
  const std::vector<HeadDemand> demands(
      texts.size(), {.rows = rows, .best = 2, .always = {}});
  ScreenTextsScratch scratch(rows, cols, texts.size(), 2);
  const std::vector<float> logits =
      Screen(screen, head, texts, demands, scratch, team_);
  EXPECT_EQ(Row(logits, 1, rows, rows), head.Logits(texts[1].x));
  EXPECT_EQ(Row(logits, 0, rows, rows), Row(logits, 2, rows, rows));
  ExpectNeeded(Row(logits, 0, rows, rows), head.Logits(texts[0].x), demands[0]);
  // And one that is not a number at all.
  texts[1].x[9] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> again =
      Screen(screen, head, texts, demands, scratch, team_);
  EXPECT_TRUE(std::isnan(again[rows]));
  EXPECT_EQ(Row(again, 0, rows, rows), Row(logits, 0, rows, rows));
}

TEST_F(ScreenedTextsTest, FewerRowsThanAreAskedForAreAllGiven) {
  const StoredHead head =
      MakeHeadCase(HeadCases().front(), DenseType::kF16, 50, 64, 16);
  const ScreenRows screen = MakeScreen(head.View(), team_);
  std::vector<Text> texts(2);
  for (Text& text : texts) text.x = Normals(64, 1, 17);
  const std::vector<Token> always = {3, 3, 49, -1, 50, 1000};
  const std::vector<HeadDemand> demands = {
      {.rows = 50, .best = 49, .always = always},
      {.rows = 50, .best = 1, .always = {}}};
  ScreenTextsScratch scratch(50, 64, 2, 2);
  const std::vector<float> logits =
      Screen(screen, head, texts, demands, scratch, team_);
  EXPECT_EQ(Row(logits, 0, 50, 50), head.Logits(texts[0].x));
}

}  // namespace
}  // namespace tern
