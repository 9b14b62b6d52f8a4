#include "runtime/tokenizer/utf8.h"

#include <array>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

namespace tern::tokenizer {
namespace {

std::string Encode(std::uint32_t c) {
  const auto byte = [](std::uint32_t value) {
    return static_cast<char>(value);
  };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F))};
  if (c < 0x10000) {
    return {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)),
            byte(0x80 | (c & 0x3F))};
  }
  return {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)),
          byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
}

bool IsScalar(std::uint32_t c) {
  return c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
}

TEST(Utf8Test, EveryCodePointButSurrogatesIsValid) {
  for (std::uint32_t c = 0; c < 0x140000; ++c) {
    const std::string text = Encode(c);
    const std::size_t expected = IsScalar(c) ? text.size() : 0;
    ASSERT_EQ(Utf8CharacterSize(text), expected) << std::hex << c;
    ASSERT_EQ(Utf8CharacterSize(text + "z"), expected) << std::hex << c;
  }
}

TEST(Utf8Test, OverlongFormsAreInvalid) {
  for (const char* text :
       {"\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF",
        "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF8\x88\x80\x80\x80"}) {
    EXPECT_EQ(Utf8CharacterSize(text), 0u) << testing::PrintToString(text);
  }
}

TEST(Utf8Test, BrokenCharacterIsInvalid) {
  for (const char* text :
       {"", "\x80", "\xBF", "\xC3", "\xC3z", "\xE2\x82", "\xE2\x82z",
        "\xF0\x9F\x99", "\xF0\x9F\x99z", "\xFF", "\xFE"}) {
    EXPECT_EQ(Utf8CharacterSize(text), 0u) << testing::PrintToString(text);
  }
}

TEST(Utf8Test, ValidPrefixEndsAtTheFirstBadByteAtEveryOffset) {
  for (std::size_t before = 0; before < 20; ++before) {
    const std::string good = std::string(before, 'x') + "\xC3\xA9";
    EXPECT_EQ(ValidUtf8Prefix(good + "\xFF" + good), good.size());
    EXPECT_EQ(ValidUtf8Prefix(good), good.size());
    EXPECT_EQ(InvalidUtf8Prefix(std::string(before, '\xFF') + "a"), before);
  }
  EXPECT_EQ(InvalidUtf8Prefix("\xE2\x82\xE2\x82\xAC"), 2u);
}

// By trying all ways to go on.  The range of a byte within a character begins
// or ends at one of these.
bool CanBecomeValid(const std::string& begin) {
  if (begin.size() > 4) return false;
  if (Utf8CharacterSize(begin) == begin.size()) return true;
  for (const char next : {'\x80', '\x8F', '\x90', '\x9F', '\xA0', '\xBF'}) {
    if (begin.size() < 4 && CanBecomeValid(begin + next)) return true;
  }
  return false;
}

std::size_t UnfinishedByTrying(const std::string& text) {
  for (std::size_t size = std::min<std::size_t>(3, text.size()); size > 0;
       --size) {
    const std::string suffix = text.substr(text.size() - size);
    const bool is_whole = Utf8CharacterSize(suffix) > 0;
    const bool is_lead = static_cast<unsigned char>(suffix[0]) >= 0xC0;
    if (is_lead && !is_whole && CanBecomeValid(suffix)) return size;
  }
  return 0;
}

TEST(Utf8Test, UnfinishedSuffixIsWhatCanStillBecomeACharacter) {
  const std::array<unsigned char, 22> bytes = {
      'a',  0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2,
      0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
  for (const unsigned char a : bytes) {
    for (const unsigned char b : bytes) {
      for (const unsigned char c : bytes) {
        const std::string text = {static_cast<char>(a), static_cast<char>(b),
                                  static_cast<char>(c)};
        for (std::size_t from = 0; from < 3; ++from) {
          const std::string part = text.substr(from);
          ASSERT_EQ(UnfinishedUtf8Suffix(part), UnfinishedByTrying(part))
              << testing::PrintToString(part);
        }
      }
    }
  }
}

}  // namespace
}  // namespace tern::tokenizer
