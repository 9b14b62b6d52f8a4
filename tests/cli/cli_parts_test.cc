#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cli/errors.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/scoring.h"
#include "cli/stop_filter.h"
#include "cli/text.h"

namespace tern::cli {
namespace {

// --- stop strings ---

// What comes out for a text that arrives in pieces of `size` bytes.
std::string Filtered(const std::vector<std::string>& stops,
                     const std::string& text, std::size_t size) {
  StopFilter filter(stops);
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += size) {
    out += filter.Push(text.substr(i, size));
  }
  return out + filter.Flush();
}

TEST(StopFilter, EndsBeforeTheStopHoweverTheTextIsCut) {
  for (std::size_t size = 1; size < 12; ++size) {
    EXPECT_EQ(Filtered({"STOP"}, "abc STO STOP def", size), "abc STO ");
    EXPECT_EQ(Filtered({"aab"}, "aaaabx", size), "aa");
    EXPECT_EQ(Filtered({"abc", "b"}, "xabc", size), "xa");
    EXPECT_EQ(Filtered({"c", "abc"}, "xabc", size), "x");
    EXPECT_EQ(Filtered({"\n\n"}, "one\ntwo\n\nthree", size), "one\ntwo");
  }
}

TEST(StopFilter, WithoutAStopEverythingComesOut) {
  for (std::size_t size = 1; size < 9; ++size) {
    EXPECT_EQ(Filtered({"xyz", "abd"}, "abcxyab", size), "abcxyab");
    EXPECT_EQ(Filtered({}, "abc", size), "abc");
  }
}

TEST(StopFilter, HoldsBackOnlyWhatCouldBeginAStop) {
  StopFilter filter({"User:"});
  EXPECT_EQ(filter.Push("I am Us"), "I am ");
  EXPECT_EQ(filter.Push("eful"), "Useful");
  EXPECT_FALSE(filter.stopped());
  EXPECT_EQ(filter.Push(" User"), " ");
  EXPECT_EQ(filter.Push(": hi"), "");
  EXPECT_TRUE(filter.stopped());
  EXPECT_EQ(filter.Push("more"), "");
  EXPECT_EQ(filter.Flush(), "");
}

// --- perplexity ---

TEST(Scoring, ChunksScoreTheSecondHalf) {
  const auto windows = ChunkWindows(1100, 512);
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_EQ(windows[1].begin, 512U);
  EXPECT_EQ(windows[1].length, 512U);
  // The logits at 256 score token 257; 255 tokens a chunk.
  EXPECT_EQ(windows[1].first_scored, 257U);
  EXPECT_EQ(windows[1].length - windows[1].first_scored, 255U);
  EXPECT_TRUE(ChunkWindows(511, 512).empty());
}

TEST(Scoring, SlidingWindowsScoreEveryTokenButTheFirstOnce) {
  for (const std::size_t n : {2U, 9U, 10U, 11U, 57U, 100U}) {
    for (const std::size_t context : {2U, 3U, 10U}) {
      for (std::size_t stride = 1; stride < context; ++stride) {
        std::vector<int> scored(n, 0);
        for (const ScoringWindow& w : SlidingWindows(n, context, stride)) {
          ASSERT_LE(w.begin + w.length, n);
          ASSERT_LE(w.length, context);
          ASSERT_GE(w.first_scored, 1U);
          for (std::size_t i = w.first_scored; i < w.length; ++i) {
            ++scored[w.begin + i];
          }
        }
        std::vector<int> expected(n, 1);
        expected[0] = 0;
        EXPECT_EQ(scored, expected) << n << " " << context << " " << stride;
      }
    }
  }
}

TEST(Scoring, NegativeLogLikelihoodByHand) {
  const std::vector<float> logits = {0, std::log(3.0F)};
  EXPECT_NEAR(NegativeLogLikelihood(logits, 0), std::log(4.0), 1e-7);
  EXPECT_NEAR(NegativeLogLikelihood(logits, 1), std::log(4.0 / 3.0), 1e-7);
}

TEST(Scoring, NegativeLogLikelihoodOfLargeLogitsIsFinite) {
  const std::vector<float> logits = {3e38F, -3e38F, 3e38F};
  EXPECT_NEAR(NegativeLogLikelihood(logits, 0), std::log(2.0), 1e-12);
  EXPECT_GT(NegativeLogLikelihood(logits, 1), 1e38);
  const std::vector<float> equal(128256, 1e4F);
  EXPECT_NEAR(NegativeLogLikelihood(equal, 7), std::log(128256.0), 1e-9);
}

TEST(Scoring, NanLogitsAreNotHidden) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(NegativeLogLikelihood({{nan, 1.0F}}, 1)));
  EXPECT_TRUE(std::isnan(NegativeLogLikelihood({{1.0F, nan}}, 0)));
}

// --- text ---

TEST(Text, IdsWithAnySeparators) {
  const std::vector<Token> expected = {1, 22, 333};
  EXPECT_EQ(ParseTokenIds("1,22,333"), expected);
  EXPECT_EQ(ParseTokenIds(" 1 22\n333\n"), expected);
  EXPECT_EQ(ParseTokenIds("1, 22 ,333"), expected);
  EXPECT_EQ(ParseTokenIds("[1, 22, 333]"), expected);
  EXPECT_EQ(ParseTokenIds("{\"ids\":[1,22,333],\"pieces\":[]}"), expected);
  EXPECT_TRUE(ParseTokenIds("").empty());
  EXPECT_TRUE(ParseTokenIds("[]").empty());
}

TEST(Text, WhatIsNoIdIsRefused) {
  for (const char* bad :
       {"1,x", "-1", "1.5", "1;2", "99999999999", "[1", "[-1]", "[1.5]",
        "[\"1\"]", "[[1]]", "{}", "{\"ids\":1}", ",1", "1,", "1,,2", "1 , , 2",
        ",", "[4294967296]", "0x10"}) {
    EXPECT_THROW(ParseTokenIds(bad), std::invalid_argument) << bad;
  }
}

TEST(Text, ListsOfIds) {
  TokenLists lists = ParseTokenLists("[[1,2],[3,4,5]]");
  EXPECT_TRUE(lists.nested);
  EXPECT_EQ(lists.lists, (std::vector<std::vector<Token>>{{1, 2}, {3, 4, 5}}));
  lists = ParseTokenLists("[1,2]");
  EXPECT_FALSE(lists.nested);
  EXPECT_EQ(lists.lists, (std::vector<std::vector<Token>>{{1, 2}}));
  EXPECT_FALSE(ParseTokenLists("[]").nested);
  for (const char* one : {"1,2", "1 2\n", "{\"ids\":[1,2]}"}) {
    lists = ParseTokenLists(one);
    EXPECT_FALSE(lists.nested) << one;
    EXPECT_EQ(lists.lists, (std::vector<std::vector<Token>>{{1, 2}})) << one;
  }
  for (const char* bad : {"{}", "1,,2", "[1,[2]]", "[[1],2]", "[[[1]]]"}) {
    EXPECT_THROW(ParseTokenLists(bad), std::invalid_argument) << bad;
  }
}

TEST(Text, PiecesStayOnOneLine) {
  EXPECT_EQ(EscapePiece("a\tb\nc\rd\\e"), "a\\tb\\nc\\rd\\\\e");
  EXPECT_EQ(EscapePiece(std::string("\0\x1b\x7f", 3)), "\\x00\\x1b\\x7f");
  EXPECT_EQ(EscapePiece("caf\xc3\xa9 \xf0\x9f\x99\x82"),
            "caf\xc3\xa9 \xf0\x9f\x99\x82");
}

TEST(Text, ControlCharactersOfNamesDoNotReachTheTerminal) {
  EXPECT_EQ(EscapeControls("a\033[2J\n\\b caf\xc3\xa9"),
            "a\\x1b[2J\\n\\b caf\xc3\xa9");
  EXPECT_EQ(EscapeControls("\xc2\x9b"), "\\xc2\\x9b");
}

TEST(Text, BytesThatAreNoUtf8AreEscaped) {
  EXPECT_EQ(EscapePiece("\xc3"), "\\xc3");                    // begins only
  EXPECT_EQ(EscapePiece("\xa9x"), "\\xa9x");                  // continues only
  EXPECT_EQ(EscapePiece("\xc0\xaf"), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(EscapePiece("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(EscapePiece("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

TEST(Text, JsonOfPartialCharactersIsValid) {
  EXPECT_EQ(DumpJson(Json::array({"\xc3", "a"})), "[\"\xef\xbf\xbd\",\"a\"]\n");
}

TEST(Text, SizesForPeople) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(999), "999 B");
  EXPECT_EQ(HumanBytes(1000), "1.00 kB");
  EXPECT_EQ(HumanBytes(25340000), "25.3 MB");
  EXPECT_EQ(HumanBytes(999999), "1.00 MB");
  EXPECT_EQ(HumanBytes(1188000000), "1.19 GB");
}

// --- options ---

TEST(Options, NumbersOutOfRangeAreNamed) {
  const auto parse = [](const std::string& text) {
    return ParseNumber<int>(text, "--top-k", 0, 100, "a whole number");
  };
  EXPECT_EQ(parse("0"), 0);
  EXPECT_EQ(parse("100"), 100);
  for (const char* bad : {"-1", "101", "", " 1", "1 ", "1x", "0x1", "1.0",
                          "99999999999999999999"}) {
    try {
      parse(bad);
      ADD_FAILURE() << bad << " was taken";
    } catch (const UsageError& error) {
      EXPECT_EQ(std::string(error.what()),
                "--top-k: '" + std::string(bad) + "' is not a whole number");
    }
  }
}

TEST(Options, FloatsThatAreNotFiniteAreRefused) {
  const float max = std::numeric_limits<float>::max();
  EXPECT_EQ(ParseNumber<float>("1e-3", "--temp", 0, max, ""), 1e-3F);
  for (const char* bad : {"nan", "inf", "-inf", "1e99", "-0.1", "1,5"}) {
    EXPECT_THROW(ParseNumber<float>(bad, "--temp", 0, max, ""), UsageError)
        << bad;
  }
}

TEST(Options, SamplingOptionsReachTheSampler) {
  SamplerOptions sampling;
  std::optional<std::uint64_t> seed;
  CommandLine line({"", "", ""});
  AddSamplingOptions(line.options(), &sampling, &seed);
  ASSERT_TRUE(line.Parse(
      {"--temp", "0.25", "--top-k", "7", "--top-p", "0.5", "--min-p", "0.125",
       "--repeat-penalty", "1.5", "--repeat-last-n", "-1", "--presence-penalty",
       "-2", "--frequency-penalty", "3", "--seed", "18446744073709551615"}));
  EXPECT_EQ(sampling.temperature, 0.25F);
  EXPECT_EQ(sampling.top_k, 7);
  EXPECT_EQ(sampling.top_p, 0.5F);
  EXPECT_EQ(sampling.min_p, 0.125F);
  EXPECT_EQ(sampling.repeat_penalty, 1.5F);
  EXPECT_EQ(sampling.repeat_last_n, -1);
  EXPECT_EQ(sampling.presence_penalty, -2.0F);
  EXPECT_EQ(sampling.frequency_penalty, 3.0F);
  EXPECT_EQ(seed, std::numeric_limits<std::uint64_t>::max());
}

TEST(Options, DefaultsAreThoseThatHelpTells) {
  const SamplerOptions sampling;
  EXPECT_EQ(sampling.temperature, 0.8F);
  EXPECT_EQ(sampling.top_k, 40);
  EXPECT_EQ(sampling.top_p, 0.95F);
  EXPECT_EQ(sampling.min_p, 0.0F);
  EXPECT_EQ(sampling.repeat_penalty, 1.0F);
  EXPECT_EQ(sampling.repeat_last_n, 64);
  EXPECT_EQ(ComputeOptions().kv_type, KvType::kF16);
}

// --- progress ---

TEST(Progress, BarIsAsLongAsItsWidth) {
  EXPECT_EQ(Bar(0, 4), "[....]   0%");
  EXPECT_EQ(Bar(0.5, 4), "[##..]  50%");
  EXPECT_EQ(Bar(1, 4), "[####] 100%");
  EXPECT_EQ(Bar(7, 4), "[####] 100%");
  EXPECT_EQ(Bar(-1, 4), "[....]   0%");
}

}  // namespace
}  // namespace tern::cli
