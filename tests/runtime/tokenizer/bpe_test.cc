#include "runtime/tokenizer/bpe.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/runtime/tokenizer/fixtures.h"

namespace tern::tokenizer {
namespace {

using testing::Random;

// The definition, step by step.
std::vector<Token> EncodeByDefinition(std::string_view piece,
                                      const Vocabulary& vocabulary,
                                      const Merges& merges) {
  std::vector<Token> tokens(piece.size());
  tokens.resize(vocabulary.FirstSymbols(piece, tokens.data()));
  while (true) {
    std::uint32_t lowest = Merges::kNoRank;
    std::size_t place = 0;
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      const std::uint32_t rank = merges.Rank(tokens[i], tokens[i + 1]);
      if (rank < lowest) {
        lowest = rank;
        place = i;
      }
    }
    if (lowest == Merges::kNoRank) return tokens;
    tokens[place] = merges.Result(lowest, tokens[place], tokens[place + 1]);
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

// A vocabulary over a few letters, with every split of a token as a merge, in
// random order: so a merge may well make a pair of a lower rank, as in lists
// that were made from a list of tokens (Llama 3).
struct RandomBpe {
  explicit RandomBpe(std::uint64_t seed) {
    Random random(seed);
    for (unsigned byte = 0; byte < 256; ++byte) {
      spec.tokens.push_back({.bytes = std::string(1, static_cast<char>(byte))});
    }
    for (int i = 0; i < 60; ++i) {
      std::string token;
      const std::size_t size = 2 + random.Below(5);
      while (token.size() < size)
        token += static_cast<char>('a' + random.Below(3));
      const auto same = [&](const SpecToken& t) { return t.bytes == token; };
      if (std::any_of(spec.tokens.begin(), spec.tokens.end(), same)) continue;
      spec.tokens.push_back({.bytes = token});
    }
    AddMerges(random);
  }

  void AddMerges(Random& random) {
    const auto is_token = [&](std::string_view bytes) {
      return std::any_of(spec.tokens.begin(), spec.tokens.end(),
                         [&](const SpecToken& t) { return t.bytes == bytes; });
    };
    for (const SpecToken& token : spec.tokens) {
      const std::string_view bytes = token.bytes;
      for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
        const MergeSpelling merge{bytes.substr(0, cut), bytes.substr(cut)};
        if (is_token(merge.left) && is_token(merge.right)) {
          spec.merges.push_back(merge);
        }
      }
    }
    for (std::size_t i = spec.merges.size(); i > 1; --i) {
      std::swap(spec.merges[i - 1], spec.merges[random.Below(i)]);
    }
  }

  TokenizerSpec spec;
};

TEST(BpeTest, EqualsTheDefinitionForRandomVocabularies) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const RandomBpe bpe(seed);
    const Vocabulary vocabulary(bpe.spec);
    const Merges merges(bpe.spec, vocabulary);
    BytePairEncoder encoder(vocabulary, merges, false);
    LongPieceEncoder long_encoder(vocabulary, merges);
    Random random(seed + 1000);
    for (int i = 0; i < 60; ++i) {
      std::string piece;
      const std::size_t size = 1 + random.Below(i % 10 == 0 ? 400 : 90);
      const std::uint64_t letters = 1 + random.Below(4);
      while (piece.size() < size) {
        piece += static_cast<char>('a' + random.Below(letters));
      }
      const auto expected = EncodeByDefinition(piece, vocabulary, merges);
      std::vector<Token> found;
      encoder.Encode(piece, found);
      ASSERT_EQ(found, expected) << "seed " << seed << ", " << piece;
      found.clear();
      long_encoder.Encode(piece, found);
      ASSERT_EQ(found, expected) << "seed " << seed << ", " << piece;
    }
  }
}

TEST(BpeTest, EqualPairsMergeFromTheLeft) {
  TokenizerSpec spec;
  for (unsigned byte = 0; byte < 256; ++byte) {
    spec.tokens.push_back({.bytes = std::string(1, static_cast<char>(byte))});
  }
  spec.tokens.push_back({.bytes = "aa"});
  spec.merges = {{"a", "a"}};
  const Vocabulary vocabulary(spec);
  const Merges merges(spec, vocabulary);
  BytePairEncoder encoder(vocabulary, merges, false);
  std::vector<Token> tokens;
  encoder.Encode("aaaaa", tokens);
  EXPECT_EQ(tokens, (std::vector<Token>{256, 256, 'a'}));
  tokens.clear();
  encoder.Encode(std::string(1001, 'a'), tokens);
  std::vector<Token> expected(500, 256);
  expected.push_back('a');
  EXPECT_EQ(tokens, expected);
}

TEST(BpeTest, IgnoreMergesTakesAWholePieceFromTheVocabulary) {
  TokenizerSpec spec;
  for (unsigned byte = 0; byte < 256; ++byte) {
    spec.tokens.push_back({.bytes = std::string(1, static_cast<char>(byte))});
  }
  spec.tokens.push_back({.bytes = "abc"});
  const Vocabulary vocabulary(spec);
  const Merges merges(spec, vocabulary);
  std::vector<Token> tokens;
  BytePairEncoder(vocabulary, merges, true).Encode("abc", tokens);
  EXPECT_EQ(tokens, std::vector<Token>{256});
  tokens.clear();
  BytePairEncoder(vocabulary, merges, false).Encode("abc", tokens);
  EXPECT_EQ(tokens, (std::vector<Token>{'a', 'b', 'c'}));
}

// 16 bytes that HashBytes gives `hash`, below 2^29; another for each seed.
std::string BytesOfHash(std::uint64_t hash, std::uint64_t seed) {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15u;
  std::uint64_t inverse = kOdd;  // of kOdd, by Newton's iteration
  for (int i = 0; i < 6; ++i) inverse *= 2 - kOdd * inverse;
  std::uint64_t state = ((16 * kOdd) ^ seed) * kOdd;
  state ^= state >> 29;
  const std::array<std::uint64_t, 2> words = {seed, state ^ (hash * inverse)};
  std::string bytes(16, '\0');
  std::memcpy(bytes.data(), words.data(), bytes.size());
  EXPECT_EQ(HashBytes(bytes), hash);
  return bytes;
}

TokenizerSpec SpecOfBytes() {
  TokenizerSpec spec;
  spec.file = "made-up";
  spec.tokens_key = "tokens";
  spec.merges_key = "merges";
  for (unsigned byte = 0; byte < 256; ++byte) {
    spec.tokens.push_back({.bytes = std::string(1, static_cast<char>(byte))});
  }
  return spec;
}

TEST(VocabularyTest, TokensMadeToCollideAreRefused) {
  TokenizerSpec one_slot = SpecOfBytes();
  TokenizerSpec one_run = SpecOfBytes();
  for (std::uint64_t i = 0; i < 2000; ++i) {
    one_slot.tokens.push_back({.bytes = BytesOfHash(5, i)});
    one_run.tokens.push_back({.bytes = BytesOfHash(i, i)});
  }
  for (const TokenizerSpec& spec : {one_slot, one_run}) {
    testing::ExpectRefusal([&] { return Vocabulary(spec).size(); },
                           ErrorCode::kMalformed,
                           {"made-up: tokens", "collide"});
  }
}

// Of tokens by number, as real lists are: none of it looks made up.
TEST(MergesTest, AllPairsOfBytesAreNoCollision) {
  TokenizerSpec spec = SpecOfBytes();
  std::vector<std::string> names = testing::ByteSpellings();
  for (unsigned left = 0; left < 256; ++left) {
    for (unsigned right = 0; right < 256; ++right) {
      spec.tokens.push_back(
          {.bytes = {static_cast<char>(left), static_cast<char>(right)}});
      spec.merges.push_back({.left = names[left], .right = names[right]});
    }
  }
  const Vocabulary vocabulary(spec);
  EXPECT_EQ(Merges(spec, vocabulary).size(), 65536U);
}

}  // namespace
}  // namespace tern::tokenizer
