#include "runtime/tokenizer/nfc.h"

#include <string>

#include <gtest/gtest.h>

namespace tern::tokenizer {
namespace {

TEST(NfcTest, ComposesAndOrdersMarks) {
  EXPECT_EQ(ToNfc("e\u0301"), "\u00E9");
  EXPECT_EQ(ToNfc("q\u0307\u0323"), "q\u0323\u0307");  // below before above
  EXPECT_EQ(ToNfc("a\u0323\u0302"), "\u1EAD");
  EXPECT_EQ(ToNfc("\u212B"), "\u00C5");              // the angstrom sign
  EXPECT_EQ(ToNfc("\u0958"), "\u0915\u093C");        // is never composed
  EXPECT_EQ(ToNfc("\u1112\u1161\u11AB"), "\uD55C");  // Hangul
}

TEST(NfcTest, WhatIsNormalizedStays) {
  for (const char* text : {"", "plain", "caf\u00E9", "\uD55C\uAE00", "\u4F60",
                           "\U0001F642", "\u0301", "\uFB01"}) {
    EXPECT_EQ(ToNfc(text), std::nullopt) << text;
  }
}

TEST(NfcTest, InvalidBytesStayAndSeparate) {
  EXPECT_EQ(ToNfc("\xFF\xCC"), std::nullopt);
  EXPECT_EQ(ToNfc("e\xFF\u0301"), std::nullopt);
  EXPECT_EQ(ToNfc("\xFF"
                  "e\u0301\xE2\x96"),
            "\xFF\u00E9\xE2\x96");
}

// Quadratic code takes minutes for these.
TEST(NfcTest, AMegabyteOfMarksIsSorted) {
  std::string text = "a";
  std::string above;
  std::string below;
  while (text.size() < (std::size_t{1} << 20)) {
    text += "\u0307\u0323";
    above += "\u0307";
    below += "\u0323";
  }
  below.resize(below.size() - 2);  // one becomes part of the letter
  EXPECT_TRUE(ToNfc(text) == "\u1EA1" + below + above);
}

}  // namespace
}  // namespace tern::tokenizer
