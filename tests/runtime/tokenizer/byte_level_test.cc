#include "runtime/tokenizer/byte_level.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace tern::tokenizer {
namespace {

TEST(ByteLevelTest, EveryByteHasASpellingOfItsOwn) {
  std::set<std::string> spellings;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    const std::string spelling = SpellingOfBytes(text);
    spellings.insert(spelling);
    EXPECT_EQ(BytesOfSpelling(spelling), text) << byte;
  }
  EXPECT_EQ(spellings.size(), 256u);
}

// The table is part of the format: published files are spelled with it.
TEST(ByteLevelTest, SpellingIsGpt2s) {
  EXPECT_EQ(SpellingOfBytes(" a\n"), "\u0120a\u010A");
  EXPECT_EQ(SpellingOfBytes(std::string_view("\0\x7F\xAD\xFF", 4)),
            "\u0100\u0121\u0143\u00FF");
}

TEST(ByteLevelTest, OtherCharactersSpellNothing) {
  for (const char* spelling :
       {" ", "a b", "\t", "\u0144", "\u00AD", "\u4E00", "\xFF", "\u0120\xC4"}) {
    EXPECT_EQ(BytesOfSpelling(spelling), std::nullopt) << spelling;
  }
}

}  // namespace
}  // namespace tern::tokenizer
