// The cost of encoding must not depend on what is encoded: a megabyte of
// anything may take ten times as long as a megabyte of ordinary text, not more
// (of SentencePiece 25 times, as ordinary text is half as costly there).
// (Quadratic code takes thousands of times as long.)
#include <algorithm>
#include <ctime>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/tokenizer.h>

#include "runtime/tokenizer/sentence_piece.h"
#include "runtime/tokenizer/tokenizer_gguf.h"
#include "tests/runtime/tokenizer/fixtures.h"
#include "tests/runtime/tokenizer/sentence_piece_fixtures.h"

namespace tern {
namespace {

using tokenizer::testing::GoldenDirectory;
using tokenizer::testing::Piece;
using tokenizer::testing::Random;

constexpr std::size_t kMegabyte = std::size_t{1} << 20;

std::string Repeat(std::string_view part) {
  std::string text;
  while (text.size() < kMegabyte) text += part;
  return text;
}

std::string RandomText(std::string_view alphabet, std::size_t word_size) {
  Random random(5);
  std::string text;
  while (text.size() < kMegabyte) {
    for (std::size_t i = 0; i < word_size && text.size() < kMegabyte; ++i) {
      text += alphabet[random.Below(alphabet.size())];
    }
    if (word_size < kMegabyte) text += ' ';
  }
  return text;
}

// English prose from the held-out books, its sentences in random order, so
// that it does not just repeat itself.
std::string OrdinaryText() {
  const auto prompts = nlohmann::json::parse(
      tokenizer::testing::ReadFile(GoldenDirectory() / "prompts.json"));
  std::vector<std::string> words;
  std::string word;
  for (const auto& prompt : prompts) {
    for (const char c : prompt["text"].get<std::string>() + " ") {
      if (c == ' ' && !word.empty()) words.push_back(std::exchange(word, ""));
      word += c;
    }
  }
  Random random(6);
  std::string text;
  while (text.size() < kMegabyte) text += words[random.Below(words.size())];
  return text;
}

// Of this thread's processor, because the machine may be busy.
double Seconds(const Tokenizer& tokenizer, const std::string& text) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) +
           static_cast<double>(time.tv_nsec) * 1e-9;
  };
  const double start = now();
  const auto ids = tokenizer.Encode(text, {.add_bos = false});
  const double time = now() - start;
  EXPECT_TRUE(tokenizer.Decode(ids) == text);
  return time;
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2,
                   values.end());
  return values[values.size() / 2];
}

std::map<std::string, std::string> UnusualTexts() {
  constexpr const char* kLetters = "etaoinshrdlucmfwypvbgkjqxz";
  return {
      {"one letter", Repeat("a")},
      {"letters without spaces", RandomText(kLetters, kMegabyte)},
      {"words of 40 letters", RandomText(kLetters, 40)},
      {"words of 64 letters", RandomText(kLetters, 64)},
      {"words of 65 letters", RandomText(kLetters, 65)},
      {"words of 1000 letters", RandomText(kLetters, 1000)},
      {"a word again and again, without spaces", Repeat("difference")},
      {"spaces", Repeat(" ")},
      {"line ends", Repeat("\n")},
      {"spaces and line ends", Repeat(" \n")},
      {"tabs and spaces", Repeat("\t  ")},
      {"digits", Repeat("31415926")},
      {"emoji", Repeat("\U0001F642\U0001F680")},
      {"invalid bytes", Repeat("\xFF\x80\xC0")},
      {"letters and invalid bytes in turn", Repeat("a\xFF")},
      {"apostrophes", Repeat("'")},
      {"apostrophes and s", Repeat("'s")},
      {"punctuation",
       RandomText("!?.,;:()[]{}<>/|-+=*&^%$#@~`\"'_", kMegabyte)},
      {"the beginning of special tokens", Repeat("<|begin_of_text|")},
  };
}

void ExpectOrdinaryCost(const Tokenizer& tokenizer, double times_ordinary) {
  const std::string ordinary = OrdinaryText();
  for (const auto& [name, text] : UnusualTexts()) {
    std::vector<double> ordinary_times;
    std::vector<double> times;
    for (int i = 0; i < 3; ++i) {  // in turn: the machine may be busy
      ordinary_times.push_back(Seconds(tokenizer, ordinary));
      times.push_back(Seconds(tokenizer, text));
    }
    const double ratio = Median(times) / Median(ordinary_times);
    ::testing::Test::RecordProperty("times ordinary text, " + name,
                                    std::to_string(ratio));
    EXPECT_LT(ratio, times_ordinary) << name;
  }
}

// Sixteen times the text may take 80 times as long, for a busy machine and for
// caches that the larger one outgrows; quadratic code takes 256 times as long.
void ExpectLinearCost(const Tokenizer& tokenizer) {
  for (const auto& [name, text] : UnusualTexts()) {
    const std::string part = text.substr(0, text.size() / 16);
    std::vector<double> part_times;
    std::vector<double> times;
    for (int i = 0; i < 3; ++i) {
      part_times.push_back(Seconds(tokenizer, part));
      times.push_back(Seconds(tokenizer, text));
    }
    EXPECT_LT(Median(times) / Median(part_times), 16 * 5) << name;
  }
}

// The books' vocabulary as SentencePiece has it: the same tokens, with scores
// in the order of their ids, and with pieces over the ends of words or without.
Tokenizer Pieces(bool over_words) {
  std::vector<Piece> pieces = tokenizer::testing::SmallPieces();
  pieces.resize(259);
  const Tokenizer books = Tokenizer::Load(GoldenDirectory());
  std::set<std::string> names;
  const auto add = [&](std::string_view bytes) {
    const std::string name = tokenizer::EscapeSpaces(bytes);
    const auto score = -static_cast<float>(pieces.size());
    if (names.insert(name).second) pieces.push_back({name, score, 1});
  };
  for (char c = ' '; c < 0x7F; ++c) add({&c, 1});
  for (Token token = 0; token < 4093; ++token) {
    const std::string bytes = books.Decode(token);
    const bool is_plain = std::all_of(bytes.begin(), bytes.end(), [](char c) {
      return c >= ' ' && c < 0x7F;
    });
    if (is_plain && bytes.find(' ', 1) == std::string::npos) add(bytes);
  }
  for (std::string run = "  "; run.size() <= 16; run += ' ') add(run);
  if (over_words) add("e ");
  return tokenizer::MakeGgufTokenizer(tokenizer::testing::PiecesGguf(pieces));
}

TEST(TokenizerCostTest, AMegabyteOfAnythingTakesAtMostTenTimesOrdinaryText) {
  ExpectOrdinaryCost(Tokenizer::Load(GoldenDirectory()), 10);
}

TEST(TokenizerCostTest, TimeGrowsWithTheLength) {
  ExpectLinearCost(Tokenizer::Load(GoldenDirectory()));
}

TEST(TokenizerCostTest, SentencePieceTakesAtMost25TimesOrdinaryText) {
  ExpectOrdinaryCost(Pieces(false), 25);
}

// Where a piece goes over the end of a word, a text is merged as one.
TEST(TokenizerCostTest, TimeOfSentencePieceGrowsWithTheLength) {
  ExpectLinearCost(Pieces(true));
}

}  // namespace
}  // namespace tern
