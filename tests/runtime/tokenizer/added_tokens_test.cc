#include "runtime/tokenizer/added_tokens.h"

#include <gtest/gtest.h>

namespace tern::tokenizer {
namespace {

void ExpectMatch(const AddedTokens::Match& match, std::size_t begin,
                 std::size_t end, Token token) {
  EXPECT_EQ(match.begin, begin);
  EXPECT_EQ(match.end, end);
  EXPECT_EQ(match.token, token);
}

const AddedTokens& Tokens() {
  static const AddedTokens tokens({{"<|a|>", 1, true},
                                   {"<|ab|>", 2, true},
                                   {"word", 3, false},
                                   {"words", 4, false},
                                   {"\xFF\x80", 5, false},
                                   {"wordsmith", 6, true},
                                   {"  ", 7, false}});
  return tokens;
}

TEST(AddedTokensTest, LeftmostLongestWins) {
  ExpectMatch(Tokens().Find("my words", 0, {.parse = false}), 3, 8, 4);
  ExpectMatch(Tokens().Find("a word <|a|>", 0, {.parse = true}), 2, 6, 3);
  ExpectMatch(Tokens().Find("wor<|ab|>", 0, {.parse = true}), 3, 9, 2);
  ExpectMatch(Tokens().Find("x\xFF\xFF\x80", 0, {.parse = false}), 2, 4, 5);
}

TEST(AddedTokensTest, SearchBeginsAtFrom) {
  ExpectMatch(Tokens().Find("word word", 1, {.parse = false}), 5, 9, 3);
}

TEST(AddedTokensTest, SpecialTokensOnlyOnRequest) {
  ExpectMatch(Tokens().Find("<|a|>", 0, {.parse = true}), 0, 5, 1);
  ExpectMatch(Tokens().Find("<|a|>", 0, {.parse = false}), 5, 5, -1);
  // A special token that is left out does not hide a shorter one.
  ExpectMatch(Tokens().Find("wordsmith", 0, {.parse = true}), 0, 9, 6);
  ExpectMatch(Tokens().Find("wordsmith", 0, {.parse = false}), 0, 5, 4);
}

TEST(AddedTokensTest, SpecialTokensOnlyWhereTheMaskAllowsAllOfTheirBytes) {
  const auto find = [](std::string_view text, std::string_view mask) {
    return Tokens().Find(text, 0, {.parse = true, .mask = mask});
  };
  ExpectMatch(find("<|a|><|a|>", "0000011111"), 5, 10, 1);
  ExpectMatch(find("<|a|>", "11110"), 5, 5, -1);
  ExpectMatch(find("<|a|>", "01111"), 5, 5, -1);
  // One that is left out does not hide a shorter one.
  ExpectMatch(find("wordsmith", "111111110"), 0, 5, 4);
}

TEST(AddedTokensTest, OfTheOthersOnlyRunsOfSpacesAreFoundOutsideTheMask) {
  for (const bool parse : {false, true}) {
    const auto find = [parse](std::string_view text, std::string_view mask) {
      return Tokens().Find(text, 0, {.parse = parse, .mask = mask});
    };
    ExpectMatch(find("words", "00000"), 5, 5, -1);
    ExpectMatch(find("words", "11110"), 0, 4, 3);
    ExpectMatch(find("words", "11111"), 0, 5, 4);
    ExpectMatch(find("words  ", "0000000"), 5, 7, 7);
    ExpectMatch(Tokens().Find("words  ", 0, {.parse = parse, .no_names = true}),
                5, 7, 7);
  }
}

TEST(AddedTokensTest, PrefixIsNoMatch) {
  ExpectMatch(Tokens().Find("<|a|", 0, {.parse = true}), 4, 4, -1);
  ExpectMatch(Tokens().Find("", 0, {.parse = true}), 0, 0, -1);
  ExpectMatch(AddedTokens({}).Find("word", 0, {.parse = true}), 4, 4, -1);
}

}  // namespace
}  // namespace tern::tokenizer
