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
                                   {"wordsmith", 6, true}});
  return tokens;
}

TEST(AddedTokensTest, LeftmostLongestWins) {
  ExpectMatch(Tokens().Find("my words", 0, false), 3, 8, 4);
  ExpectMatch(Tokens().Find("a word <|a|>", 0, true), 2, 6, 3);
  ExpectMatch(Tokens().Find("wor<|ab|>", 0, true), 3, 9, 2);
  ExpectMatch(Tokens().Find("x\xFF\xFF\x80", 0, false), 2, 4, 5);
}

TEST(AddedTokensTest, SearchBeginsAtFrom) {
  ExpectMatch(Tokens().Find("word word", 1, false), 5, 9, 3);
}

TEST(AddedTokensTest, SpecialTokensOnlyOnRequest) {
  ExpectMatch(Tokens().Find("<|a|>", 0, true), 0, 5, 1);
  ExpectMatch(Tokens().Find("<|a|>", 0, false), 5, 5, -1);
  // A special token that is left out does not hide a shorter one.
  ExpectMatch(Tokens().Find("wordsmith", 0, true), 0, 9, 6);
  ExpectMatch(Tokens().Find("wordsmith", 0, false), 0, 5, 4);
}

TEST(AddedTokensTest, PrefixIsNoMatch) {
  ExpectMatch(Tokens().Find("<|a|", 0, true), 4, 4, -1);
  ExpectMatch(Tokens().Find("", 0, true), 0, 0, -1);
  ExpectMatch(AddedTokens({}).Find("word", 0, true), 4, 4, -1);
}

}  // namespace
}  // namespace tern::tokenizer
