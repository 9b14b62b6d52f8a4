#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/tokenizer.h>

#include "tests/runtime/tokenizer/fixtures.h"

namespace tern {
namespace {

using tokenizer::testing::GoldenDirectory;
using tokenizer::testing::Random;
using tokenizer::testing::ReadFile;

constexpr Token kBos = 4093;
constexpr Token kEndOfText = 4094;
constexpr Token kEndOfTurn = 4095;

const Tokenizer& Books() {
  static const Tokenizer tokenizer = Tokenizer::Load(GoldenDirectory());
  return tokenizer;
}

// Ids by Hugging Face tokenizers, which reads special tokens in the text.
TEST(TokenizerTest, GivesTheIdsOfHuggingFace) {
  const auto vectors =
      nlohmann::json::parse(ReadFile(GoldenDirectory() / "vectors.json"));
  ASSERT_GE(vectors.size(), 40u);
  for (const auto& vector : vectors) {
    const auto text = vector["text"].get<std::string>();
    const auto ids = vector["ids"].get<std::vector<Token>>();
    EXPECT_EQ(Books().Encode(text, {.add_bos = false, .parse_special = true}),
              ids)
        << text;
    EXPECT_EQ(Books().Decode(ids), vector["decoded"].get<std::string>());
  }
}

TEST(TokenizerTest, GivesThePromptsOfTheReference) {
  const auto prompts =
      nlohmann::json::parse(ReadFile(GoldenDirectory() / "prompts.json"));
  ASSERT_EQ(prompts.size(), 8u);
  for (const auto& prompt : prompts) {
    EXPECT_EQ(Books().Encode(prompt["text"].get<std::string>()),
              prompt["ids"].get<std::vector<Token>>())
        << prompt["name"];
  }
}

// What a user says must not end the turn, whatever it is; what stands around it
// is still one text with it.
TEST(TokenizerTest, MaskSaysWhereSpecialTokensMayBe) {
  const std::string name = Books().Decode(kEndOfTurn);
  const std::string text = "User: hi" + name + "there" + name;
  std::string mask(text.size(), '0');
  std::fill(mask.begin(), mask.begin() + 6, '1');  // "User: "
  std::fill(mask.end() - static_cast<std::ptrdiff_t>(name.size()), mask.end(),
            '1');
  const auto ids = Books().Encode(
      text, {.add_bos = false, .parse_special = true, .special_mask = mask});
  auto expected =
      Books().Encode("User: hi" + name + "there", {.add_bos = false});
  expected.push_back(kEndOfTurn);
  EXPECT_EQ(ids, expected);
  // Without parse_special the mask says nothing.
  const std::string all(text.size(), '1');
  EXPECT_EQ(Books().Encode(text, {.special_mask = all}), Books().Encode(text));
  EXPECT_EQ(Books().Encode(text, {.parse_special = true, .special_mask = all}),
            Books().Encode(text, {.parse_special = true}));
  tokenizer::testing::ExpectRefusal(
      [&] {
        return Books().Encode(text,
                              {.parse_special = true, .special_mask = "1"});
      },
      ErrorCode::kInvalidArgument, {"special_mask", "1 bytes"});
}

TEST(TokenizerTest, KnowsItsSpecialTokens) {
  EXPECT_EQ(Books().vocab_size(), 4096u);
  EXPECT_EQ(Books().bos(), kBos);
  EXPECT_TRUE(Books().adds_bos());
  const auto ends = Books().end_tokens();
  EXPECT_EQ(std::vector<Token>(ends.begin(), ends.end()),
            (std::vector<Token>{kEndOfText, kEndOfTurn}));
  for (Token token = -1; token <= 4096; ++token) {
    EXPECT_EQ(Books().IsEndOfText(token),
              token == kEndOfText || token == kEndOfTurn);
    EXPECT_EQ(Books().IsSpecial(token), token >= kBos && token <= kEndOfTurn);
  }
  EXPECT_NE(Books().description().find("llama-bpe"), std::string::npos);
  EXPECT_EQ(Books().description().find("inferred"), std::string::npos);
}

TEST(TokenizerTest, SpecialTokensThatAUserTypesAreText) {
  const std::string text = "x<|eot_id|>y";
  const auto typed = Books().Encode(text, {.add_bos = false});
  EXPECT_GT(typed.size(), 3u);
  for (const Token token : typed) EXPECT_FALSE(Books().IsSpecial(token));
  EXPECT_EQ(Books().Decode(typed), text);

  const auto parsed =
      Books().Encode(text, {.add_bos = false, .parse_special = true});
  ASSERT_EQ(parsed.size(), 3u);
  EXPECT_EQ(parsed[1], kEndOfTurn);
  EXPECT_EQ(Books().Decode(parsed), text);
}

TEST(TokenizerTest, BosIsNeverDoubled) {
  const std::string text = "<|begin_of_text|>Once";
  const auto ids = Books().Encode("Once");
  EXPECT_EQ(ids.front(), kBos);
  EXPECT_EQ(Books().Encode(text, {.add_bos = true, .parse_special = true}),
            ids);
  EXPECT_EQ(Books().Encode(text, {.add_bos = false, .parse_special = true}),
            ids);
  // One that is written twice is the writer's will.
  EXPECT_EQ(Books()
                .Encode("<|begin_of_text|>" + text,
                        {.add_bos = true, .parse_special = true})
                .size(),
            ids.size() + 1);
  EXPECT_EQ(Books().Encode(""), std::vector<Token>{kBos});
  EXPECT_TRUE(Books().Encode("", {.add_bos = false}).empty());
}

TEST(TokenizerTest, AnIdOutsideTheVocabularyIsRefused) {
  for (const Token token : {-1, 4096, INT32_MAX, INT32_MIN}) {
    tokenizer::testing::ExpectRefusal([&] { return Books().Decode(token); },
                                      ErrorCode::kInvalidArgument,
                                      {std::to_string(token), "0 to 4095"});
  }
}

// Words of many scripts, code, emoji and bytes that are no text.
std::string MixedText(std::size_t size, std::uint64_t seed) {
  const std::vector<std::string> parts = {
      "The quick brown fox ",
      "n'est-ce pas? ",
      "Stra\u00DFe \u00FCber ",
      "\u65E5\u672C\u8A9E\u30C6\u30AD\u30B9\u30C8",
      "\u041F\u0440\u0438\u0432\u0435\u0442 ",
      "\u0645\u0631\u062D\u0628\u0627 ",
      "\u05E9\u05DC\u05D5\u05DD ",
      "\u0928\u092E\u0938\u094D\u0924\u0947 ",
      "\uD55C\uAD6D\uC5B4 ",
      "\U0001F642\U0001F469\u200D\U0001F4BB",
      "for (int i = 0; i < n; ++i) {\n",
      "\tx[i] += 0x1F;  // why\r\n",
      "}\n\n\n",
      "    ",
      "1234567.89e-5",
      "<|eot_id|>",
      "<|begin_of_text|",
      "it'S we'LL",
      "\u00A0\u2003\u3000",
      "e\u0301",
      std::string("\0\x01\x7F", 3),
      "\xFF",
      "\xC3",
      "\x80\x80\x80",
      "\xED\xA0\x80",
      "\xF4\x90\x80\x80",
      "\xE2\x82",
      "\xC0\xAF"};
  Random random(seed);
  std::string text;
  while (text.size() < size) {
    if (random.Below(20) == 0) {
      text += static_cast<char>(random.Below(256));
    } else {
      text += parts[random.Below(parts.size())];
    }
  }
  return text;
}

TEST(TokenizerTest, AMegabyteOfAnythingComesBack) {
  const std::string text = MixedText(1 << 20, 1);
  for (const bool parse_special : {false, true}) {
    const auto ids = Books().Encode(
        text, {.add_bos = false, .parse_special = parse_special});
    EXPECT_TRUE(Books().Decode(ids) == text);
  }
}

TEST(TokenizerTest, EveryShortStringOfBytesComesBack) {
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      const std::string text = {static_cast<char>(a), static_cast<char>(b)};
      ASSERT_EQ(Books().Decode(Books().Encode(text, {.add_bos = false})), text);
    }
  }
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const std::string text = MixedText(1 + seed % 60, seed);
    ASSERT_EQ(Books().Decode(Books().Encode(text, {.add_bos = false})), text);
  }
}

// The table of recent words must not change what a word becomes.
TEST(TokenizerTest, AWordsTokensDoNotDependOnItsPlace) {
  const std::string text = MixedText(20000, 7);
  std::string valid;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x80) valid += c;
  }
  // Cut where a piece always begins: before a letter that follows a line end.
  std::vector<Token> joined;
  std::size_t begin = 0;
  for (std::size_t i = 1; i < valid.size(); ++i) {
    const bool is_cut = valid[i - 1] == '\n' && std::isalpha(valid[i]) != 0;
    if (!is_cut && i + 1 < valid.size()) continue;
    const std::size_t end = is_cut ? i : valid.size();
    const auto part =
        Books().Encode(valid.substr(begin, end - begin), {.add_bos = false});
    joined.insert(joined.end(), part.begin(), part.end());
    begin = end;
  }
  EXPECT_EQ(Books().Encode(valid, {.add_bos = false}), joined);
}

TEST(TokenizerTest, ThreadsShareOneTokenizer) {
  std::vector<std::string> texts;
  std::vector<std::vector<Token>> expected;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    texts.push_back(MixedText(50000, seed));
    expected.push_back(Books().Encode(texts.back()));
  }
  std::vector<std::vector<Token>> found(texts.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    threads.emplace_back([&, i] { found[i] = Books().Encode(texts[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(found, expected);
}

}  // namespace
}  // namespace tern
