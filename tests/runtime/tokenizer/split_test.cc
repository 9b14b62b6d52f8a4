#include "runtime/tokenizer/split.h"

#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tern::tokenizer {
namespace {

using Pieces = std::vector<std::string>;

Pieces SplitWith(const Splitter& splitter, std::string_view text) {
  PieceCursor cursor(splitter);
  cursor.Start(text);
  Pieces pieces;
  for (auto piece = cursor.Next(); !piece.empty(); piece = cursor.Next()) {
    pieces.emplace_back(piece);
  }
  return pieces;
}

Pieces Split(std::string_view text) {
  return SplitWith(Splitter(*FindPreTokenizerByGgufName("llama-bpe")), text);
}

Pieces SplitBy(std::string_view name, std::string_view text) {
  return SplitWith(Splitter(*FindPreTokenizerByGgufName(name)), text);
}

TEST(SplitTest, EachPreTokenizerHasItsOwnExpression) {
  constexpr const char* kText = "It'LL be  $1234.\n\nx's\t!";
  const Pieces llama3 = {"It", "'LL",   " be", " ",  " $", "123",
                         "4",  ".\n\n", "x",   "'s", "\t", "!"};
  for (const char* name : {"llama-bpe", "llama3", "llama-v3", "falcon3",
                           "falcon_e", "falcon-e", "smaug-bpe"}) {
    EXPECT_EQ(SplitBy(name, kText), llama3) << name;
  }
  EXPECT_EQ(SplitBy("qwen2", kText),
            (Pieces{"It", "'LL", " be", " ", " $", "1", "2", "3", "4", ".\n\n",
                    "x", "'s", "\t", "!"}));
  const Pieces gpt2 = {"It", "'",  "LL", " be", " ",  " $", "1234",
                       ".",  "\n", "\n", "x",   "'s", "\t", "!"};
  for (const char* name : {"gpt-2", "gpt-neox", "olmo"}) {
    EXPECT_EQ(SplitBy(name, kText), gpt2) << name;
  }
  EXPECT_EQ(FindPreTokenizerByGgufName("default"), nullptr);
}

TEST(SplitTest, WhatGgufLeavesUnsaidFollowsFromTheName) {
  const auto expect = [](const char* name, bool ignore_merges, bool adds_bos,
                         bool nfc) {
    const PreTokenizer* kind = FindPreTokenizerByGgufName(name);
    ASSERT_NE(kind, nullptr) << name;
    EXPECT_EQ(kind->gguf_ignore_merges, ignore_merges) << name;
    EXPECT_EQ(kind->gguf_adds_bos, adds_bos) << name;
    EXPECT_EQ(kind->nfc, nfc) << name;
  };
  expect("llama-bpe", true, true, false);
  expect("falcon3", true, true, false);
  expect("falcon_e", true, true, false);
  expect("smaug-bpe", false, false, false);
  expect("qwen2", false, false, true);
  expect("gpt-2", false, false, false);
  expect("gpt-neox", false, false, true);
}

TEST(SplitTest, WordsOfSentencePieceBeginWithAllTheirSpaces) {
  const auto words = [](std::string_view text) {
    return SplitWith(Splitter(Splitter::Plain::kWords), text);
  };
  EXPECT_EQ(words(" a  b\n c "), (Pieces{" a", "  b\n", " c", " "}));
  EXPECT_EQ(words("   "), Pieces{"   "});
  EXPECT_EQ(SplitWith(Splitter(Splitter::Plain::kWhole), " a b\xFF"),
            Pieces{" a b\xFF"});
}

TEST(SplitTest, WordsTakeTheSpaceBeforeThem) {
  EXPECT_EQ(Split("Hello, big  world"),
            (Pieces{"Hello", ",", " big", " ", " world"}));
  EXPECT_EQ(Split("(a)[b]"), (Pieces{"(a", ")[", "b", "]"}));
}

TEST(SplitTest, NumbersGoByThree) {
  EXPECT_EQ(Split("1234567 89"), (Pieces{"123", "456", "7", " ", "89"}));
}

TEST(SplitTest, ContractionsInAnyCaseAndWithLongS) {
  EXPECT_EQ(Split("it's I'LL '\u017F"),
            (Pieces{"it", "'s", " I", "'LL", " '", "\u017F"}));
  EXPECT_EQ(Split("x'\u017F"), (Pieces{"x", "'\u017F"}));
}

TEST(SplitTest, LineEndsClosePunctuationAndSpaces) {
  EXPECT_EQ(Split("a.\r\n\nb \n\n  c"),
            (Pieces{"a", ".\r\n\n", "b", " \n\n", " ", " c"}));
}

// PCRE2's \s holds U+180E, the expressions of the models do not.
TEST(SplitTest, SpacesAreUnicodeWhiteSpaceOfToday) {
  EXPECT_EQ(Split("a\u180E\u180Eb"), (Pieces{"a", "\u180E\u180E", "b"}));
  for (const char* space : {"\x0B", "\u0085", "\u00A0", "\u1680", "\u2028",
                            "\u2029", "\u202F", "\u205F", "\u3000"}) {
    const std::string two = std::string(space) + space;
    EXPECT_EQ(Split("1" + two + "1"), (Pieces{"1", space, space, "1"})) << two;
  }
}

TEST(SplitTest, EachRunOfInvalidBytesIsOnePiece) {
  EXPECT_EQ(Split("ab\xFF\x80 c\xE2\x82"),
            (Pieces{"ab", "\xFF\x80", " c", "\xE2\x82"}));
  EXPECT_EQ(Split("\xFF"), Pieces{"\xFF"});
  EXPECT_EQ(Split(""), Pieces{});
}

TEST(SplitTest, OneCursorReadsOneTextAfterAnother) {
  const Splitter splitter(*FindPreTokenizerByGgufName("llama-bpe"));
  PieceCursor cursor(splitter);
  cursor.Start("left over");
  EXPECT_EQ(cursor.Next(), "left");
  cursor.Start("x y");
  EXPECT_EQ(cursor.Next(), "x");
  EXPECT_EQ(cursor.Next(), " y");
  EXPECT_EQ(cursor.Next(), "");
}

// More than PCRE2's default of 10 million steps, which would end the match.
TEST(SplitTest, LongRunsAreNotGivenUp) {
  const std::string spaces(30'000'000, ' ');
  EXPECT_EQ(Split(spaces), Pieces{spaces});
  EXPECT_EQ(Split(spaces + "x"), (Pieces{spaces.substr(1), " x"}));
}

TEST(SplitTest, ThreadsShareOneSplitter) {
  const Splitter splitter(*FindPreTokenizerByGgufName("llama-bpe"));
  std::vector<std::string> texts;
  std::vector<Pieces> expected;
  for (int i = 0; i < 4; ++i) {
    std::string text;
    for (int j = 0; j < 2000; ++j) {
      text += " word" + std::to_string(i * j) + "\u00E9\n";
    }
    texts.push_back(text);
    expected.push_back(SplitWith(splitter, text));
  }
  std::vector<Pieces> found(texts.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    threads.emplace_back([&, i] { found[i] = SplitWith(splitter, texts[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(found, expected);
}

TEST(SplitTest, UnknownNamesAreNotFound) {
  EXPECT_NE(FindPreTokenizerByGgufName("llama-v3"), nullptr);
  EXPECT_NE(FindPreTokenizerByGgufName("llama3"), nullptr);
  EXPECT_EQ(FindPreTokenizerByGgufName("default"), nullptr);
  EXPECT_EQ(FindPreTokenizerByGgufName(""), nullptr);
  EXPECT_EQ(FindPreTokenizerByRegex("\\s+", false, false), nullptr);
}

}  // namespace
}  // namespace tern::tokenizer
