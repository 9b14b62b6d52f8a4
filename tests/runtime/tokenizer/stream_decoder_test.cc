#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <tern/tokenizer.h>

#include "runtime/tokenizer/tokenizer_gguf.h"
#include "runtime/tokenizer/utf8.h"
#include "tests/runtime/tokenizer/fixtures.h"

namespace tern {
namespace {

// Every byte is a token, so that tokens can part a character anywhere.
const Tokenizer& Bytes() {
  static const Tokenizer tokenizer =
      tokenizer::MakeGgufTokenizer(tokenizer::testing::SmallGguf());
  return tokenizer;
}

std::vector<std::string> Stream(std::string_view bytes) {
  StreamDecoder decoder(Bytes());
  std::vector<std::string> parts;
  for (const char c : bytes) {
    parts.push_back(decoder.Push(static_cast<unsigned char>(c)));
  }
  parts.push_back(decoder.Flush());
  EXPECT_EQ(decoder.Flush(), "");
  return parts;
}

using Parts = std::vector<std::string>;

TEST(StreamDecoderTest, ACharacterComesWhole) {
  EXPECT_EQ(Stream("a\u00E9"), (Parts{"a", "", "\u00E9", ""}));
  EXPECT_EQ(Stream("\u20AC"), (Parts{"", "", "\u20AC", ""}));
  EXPECT_EQ(Stream("\U0001F642!"), (Parts{"", "", "", "\U0001F642", "!", ""}));
}

TEST(StreamDecoderTest, WhatCanNeverBeACharacterPassesAtOnce) {
  EXPECT_EQ(Stream("\xFF\x80\xC0"), (Parts{"\xFF", "\x80", "\xC0", ""}));
  // E0 must be followed by A0..BF, ED by 80..9F, F4 by 80..8F.
  EXPECT_EQ(Stream("\xE0\x80"), (Parts{"", "\xE0\x80", ""}));
  EXPECT_EQ(Stream("\xED\xA0"), (Parts{"", "\xED\xA0", ""}));
  EXPECT_EQ(Stream("\xF4\x90"), (Parts{"", "\xF4\x90", ""}));
  EXPECT_EQ(Stream("\xE2\x82z"), (Parts{"", "", "\xE2\x82z", ""}));
  EXPECT_EQ(Stream("\xE2\xE2\x82\xAC"), (Parts{"", "\xE2", "", "\u20AC", ""}));
}

TEST(StreamDecoderTest, TheRestComesAtTheEnd) {
  EXPECT_EQ(Stream("x\xF0\x9F\x99"), (Parts{"x", "", "", "", "\xF0\x9F\x99"}));
}

TEST(StreamDecoderTest, SpecialTokensComeByName) {
  StreamDecoder decoder(Bytes());
  EXPECT_EQ(decoder.Push(262), "<|eot_id|>");
  EXPECT_EQ(decoder.Push(259), "hello");
}

// A character of `text` that byte `cut` is inside of.
bool IsInsideACharacter(const std::string& text, std::size_t cut) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, cut); ++back) {
    const std::string_view rest = std::string_view(text).substr(cut - back);
    if (tokenizer::Utf8CharacterSize(rest) > back) return true;
  }
  return false;
}

TEST(StreamDecoderTest, PartsJoinToTheTextAndEndBetweenCharacters) {
  tokenizer::testing::Random random(3);
  const std::string alphabet =
      "a\x80\x8F\x90\xA0\xBF\xC2\xE0\xE2\xED\xF0\xF4\xFF";
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    const std::size_t size = 1 + random.Below(8);
    while (text.size() < size) text += alphabet[random.Below(alphabet.size())];
    std::string joined;
    for (const std::string& part : Stream(text)) {
      joined += part;
      ASSERT_FALSE(IsInsideACharacter(text, joined.size()))
          << ::testing::PrintToString(text);
    }
    ASSERT_EQ(joined, text);
  }
}

}  // namespace
}  // namespace tern
