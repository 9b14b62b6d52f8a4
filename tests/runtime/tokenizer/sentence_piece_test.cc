#include "runtime/tokenizer/sentence_piece.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tern/tokenizer.h>

#include "runtime/tokenizer/tokenizer_gguf.h"
#include "runtime/tokenizer/tokenizer_impl.h"
#include "runtime/tokenizer/utf8.h"
#include "tests/runtime/tokenizer/fixtures.h"
#include "tests/runtime/tokenizer/sentence_piece_fixtures.h"

namespace tern::tokenizer {
namespace {

using testing::ExpectRefusal;
using testing::Piece;
using testing::PiecesGguf;
using testing::Random;
using testing::SmallPieces;

using Ids = std::vector<Token>;

constexpr EncodeOptions kPlain = {.add_bos = false};
constexpr Token kFirstByte = 3;

Tokenizer Small() { return MakeGgufTokenizer(PiecesGguf(SmallPieces())); }

TEST(SentencePieceTest, HighestScoreMergesFirstAfterTheDummyPrefix) {
  const Tokenizer tokenizer = Small();
  // " he" before "ll", so " hell" needs both, and "hello" is never reached.
  EXPECT_EQ(tokenizer.Encode("hello", kPlain), Ids({266}));
  EXPECT_EQ(tokenizer.Encode("hello"), Ids({1, 266}));
  EXPECT_EQ(tokenizer.Encode("ahello", kPlain), Ids({267, 272, 274}));
  EXPECT_EQ(tokenizer.Encode("hell hello", kPlain), Ids({275, 266}));
  EXPECT_EQ(tokenizer.Encode("", kPlain), Ids());
}

// All runs of spaces have one score, so the leftmost pair goes first.
TEST(SentencePieceTest, EqualScoresMergeFromTheLeft) {
  const Tokenizer tokenizer = Small();
  const auto spaces = [&](std::size_t count) {  // one more by the prefix
    return tokenizer.Encode(std::string(count - 1, ' ') + "a", kPlain);
  };
  EXPECT_EQ(spaces(2), Ids({259, 272}));
  EXPECT_EQ(spaces(3), Ids({261, 272}));
  EXPECT_EQ(spaces(4), Ids({260, 272}));
  EXPECT_EQ(spaces(7), Ids({260, 261, 272}));
  EXPECT_EQ(spaces(9), Ids({260, 260, 267, 272}));
}

TEST(SentencePieceTest, WhatHasNoPieceBecomesBytes) {
  const Tokenizer tokenizer = Small();
  EXPECT_EQ(tokenizer.Encode("\u00E9", kPlain), Ids({267, 273}));
  EXPECT_EQ(tokenizer.Encode("\u00E8", kPlain),
            Ids({267, kFirstByte + 0xC3, kFirstByte + 0xA8}));
  EXPECT_EQ(tokenizer.Encode("\xC3", kPlain), Ids({267, kFirstByte + 0xC3}));
  EXPECT_EQ(tokenizer.Encode("z\n", kPlain),
            Ids({267, kFirstByte + 'z', kFirstByte + '\n'}));
}

TEST(SentencePieceTest, TextComesBackWhateverItsBytes) {
  const Tokenizer tokenizer = Small();
  for (const char* text :
       {"", " ", "  ", "hello", " hello", "  hello", "hello ", "a  hell   ello",
        "\n hello\n", "\u00E9t\u00E9", "\U0001F642 \u4F60\u597D", "\xFF",
        " \xC3", "a\xE2\x96", "\xC3 \xA9", "<s>", "<0x41>"}) {
    EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(text, kPlain)), text);
  }
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    std::string text;
    for (std::uint64_t size = random.Below(40); size > 0; --size) {
      text += random.Below(2) == 0 ? "helo a"[random.Below(6)]
                                   : static_cast<char>(random.Below(256));
    }
    if (text.find(kEscapedSpace) != std::string::npos) continue;
    EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(text, kPlain)), text);
  }
}

TEST(SentencePieceTest, TheSignForASpaceIsASpace) {
  const Tokenizer tokenizer = Small();
  EXPECT_EQ(tokenizer.Encode("a\u2581hello", kPlain),
            tokenizer.Encode("a hello", kPlain));
}

TEST(SentencePieceTest, DecodingDropsTheDummyPrefixOnlyOnceAndOnlyAtTheStart) {
  const Tokenizer tokenizer = Small();
  EXPECT_EQ(tokenizer.Decode(Ids{266, 266}), "hello hello");
  EXPECT_EQ(tokenizer.Decode(Ids{1, 266}), "<s>hello");
  EXPECT_EQ(tokenizer.Decode(Ids{274, 266}), "hello hello");
  EXPECT_EQ(tokenizer.Decode(Ids{259, 272}), " a");
  EXPECT_EQ(tokenizer.Decode(266), " hello");
  const auto stream = [&](StreamDecoder decoder) {
    std::string text;
    for (const Token token : {1, 266, 266}) text += decoder.Push(token);
    return text + decoder.Flush();
  };
  using Position = StreamDecoder::Position;
  EXPECT_EQ(stream(StreamDecoder(tokenizer, Position::kStartsText)),
            "<s>hello hello");
  EXPECT_EQ(stream(StreamDecoder(tokenizer)), "<s> hello hello");
}

TEST(SentencePieceTest, TextAfterASpecialTokenBeginsAsATextDoes) {
  const EncodeOptions parse = {.add_bos = true, .parse_special = true};
  files::GgufFile file = PiecesGguf(SmallPieces());
  EXPECT_EQ(MakeGgufTokenizer(file).Encode("hello</s>hello", parse),
            Ids({1, 266, 2, 266}));
  file.metadata["tokenizer.tern.dummy_prefix"] = std::string("first");
  EXPECT_EQ(MakeGgufTokenizer(file).Encode("hello</s>hello", parse),
            Ids({1, 266, 2, 274}));
  EXPECT_EQ(MakeGgufTokenizer(file).Encode("<s>hello", parse), Ids({1, 274}));
  file.metadata["tokenizer.tern.dummy_prefix"] = std::string("metaspace-first");
  EXPECT_EQ(MakeGgufTokenizer(file).Encode(" hello", kPlain), Ids({266}));
  file.metadata["tokenizer.tern.dummy_prefix"] = std::string("last");
  ExpectRefusal([&] { return MakeGgufTokenizer(file); },
                ErrorCode::kUnsupported, {"dummy_prefix", "'last'"});
  file = PiecesGguf(SmallPieces());
  file.metadata["tokenizer.ggml.add_space_prefix"] = false;
  EXPECT_EQ(MakeGgufTokenizer(file).Encode("hello", kPlain), Ids({274}));
}

// The definition: of all neighbours that are a piece together the pair with the
// highest score, of equal ones the leftmost.
Ids EncodeByDefinition(const std::vector<Piece>& pieces,
                       const std::string& text) {
  const auto find = [&](const std::string& name) {
    for (std::size_t id = 0; id < pieces.size(); ++id) {
      if (pieces[id].type == 1 && pieces[id].name == name) {
        return static_cast<Token>(id);
      }
    }
    return Token{-1};
  };
  std::vector<std::string> symbols;
  const std::string escaped = EscapeSpaces(" " + text);
  for (std::size_t i = 0; i < escaped.size();) {
    const std::size_t size = Utf8CharacterSize(escaped.substr(i));
    symbols.push_back(escaped.substr(i, size));
    i += size;
  }
  while (true) {
    float best = -std::numeric_limits<float>::infinity();
    std::size_t place = symbols.size();
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const Token token = find(symbols[i] + symbols[i + 1]);
      if (token < 0) continue;
      const float score = pieces[static_cast<std::size_t>(token)].score;
      if (score > best) {
        best = score;
        place = i;
      }
    }
    if (place == symbols.size()) break;
    symbols[place] += symbols[place + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
  Ids ids;
  for (const std::string& symbol : symbols) ids.push_back(find(symbol));
  return ids;
}

// With many equal scores, with pieces over the ends of words and without, short
// texts and ones that the other encoder merges.
TEST(SentencePieceTest, RandomVocabulariesGiveWhatTheDefinitionGives) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    Random random(seed);
    std::vector<Piece> pieces = SmallPieces();
    pieces.resize(259);  // up to the bytes
    for (const char* character : {" ", "a", "b"}) {
      pieces.push_back({EscapeSpaces(character), 0, 1});
    }
    for (int i = 0; i < 40; ++i) {
      std::string name(seed % 2, ' ');
      for (std::uint64_t n = 2 + random.Below(4); n > 0; --n) {
        name +=
            (seed % 2 == 0 ? "ab " : "ab")[random.Below(2 + (seed + 1) % 2)];
      }
      name = EscapeSpaces(name);
      bool is_new = true;
      for (const Piece& piece : pieces) is_new = is_new && piece.name != name;
      if (!is_new) continue;
      pieces.push_back({name, -static_cast<float>(random.Below(8)), 1});
    }
    const Tokenizer tokenizer = MakeGgufTokenizer(PiecesGguf(pieces));
    for (const std::size_t size : {1, 5, 20, 63, 200}) {
      std::string text;
      for (std::size_t i = 0; i < size; ++i) text += "ab "[random.Below(3)];
      EXPECT_EQ(tokenizer.Encode(text, kPlain),
                EncodeByDefinition(pieces, text))
          << "seed " << seed << ", '" << text << "'";
    }
  }
}

TEST(SentencePieceTest, DamagedVocabulariesAreRefused) {
  const auto expect = [](const auto& change, ErrorCode code,
                         const std::vector<std::string>& parts) {
    std::vector<Piece> pieces = SmallPieces();
    change(pieces);
    SCOPED_TRACE(parts.front());
    ExpectRefusal([&] { return MakeGgufTokenizer(PiecesGguf(pieces)); }, code,
                  parts);
  };
  using Pieces = std::vector<Piece>;
  constexpr auto kMalformed = ErrorCode::kMalformed;
  expect([](Pieces& p) { p[262].score = std::nanf(""); }, kMalformed,
         {"tokens[262]", "'he'", "no score"});
  expect([](Pieces& p) { p[263].name = "he"; }, kMalformed,
         {"262 and 263", "'he'"});
  expect([](Pieces& p) { p[10].name = "<0x00>"; }, kMalformed,
         {"3 and 10", "same byte"});
  expect([](Pieces& p) { p[10].name = "x"; }, kMalformed,
         {"token_type[10]", "'x'", "no byte"});
  expect(
      [](Pieces& p) {
        p[10] = {"x", -100, 1};
      },
      ErrorCode::kUnsupported, {"no token for byte 7", "<0x07>"});
  expect([](Pieces& p) { p[262].type = 7; }, ErrorCode::kUnsupported,
         {"token_type[262]", "type 7"});
  expect([](Pieces& p) { p[262].name = ""; }, kMalformed,
         {"token_type[262]", "empty"});
  expect([](Pieces& p) { p[262].name = std::string(300, 'a'); }, kMalformed,
         {"tokens[262]", "more than 256 bytes"});
  expect(
      [](Pieces& p) {
        p[272].name = "b";
        p[262].name = "ha";
      },
      kMalformed, {"tokens[262]", "'ha'", "no piece of its own"});
  expect(
      [](Pieces& p) {
        for (Piece& piece : p) piece.score = -1000;
      },
      kMalformed, {"scores", "order is lost"});
}

TEST(SentencePieceTest, UserDefinedPiecesAreFoundUnlessTheyHaveASpace) {
  std::vector<Piece> pieces = SmallPieces();
  pieces.push_back({"<mask>", 0, 4});
  EXPECT_EQ(MakeGgufTokenizer(PiecesGguf(pieces)).Encode("a<mask>", kPlain),
            Ids({267, 272, 276}));
  pieces.back().name = EscapeSpaces("<a b>");
  ExpectRefusal([&] { return MakeGgufTokenizer(PiecesGguf(pieces)); },
                ErrorCode::kUnsupported,
                {"pieces.gguf", "token_type[276]", "user-defined"});
}

TEST(SentencePieceTest, KeysThatContradictAreRefused) {
  const auto expect = [](const char* key, const files::GgufValue& value,
                         const std::vector<std::string>& parts) {
    files::GgufFile file = PiecesGguf(SmallPieces());
    file.metadata["tokenizer.ggml." + std::string(key)] = value;
    EXPECT_THROW((void)MakeGgufTokenizer(file), Error) << key;
    try {
      (void)MakeGgufTokenizer(file);
    } catch (const Error& error) {
      for (const std::string& part : parts) {
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
            << error.what();
      }
    }
  };
  expect("add_eos_token", true, {"add_eos_token", "true"});
  expect("remove_extra_whitespaces", true, {"remove_extra_whitespaces"});
  expect("precompiled_charsmap", std::string("x"), {"precompiled_charsmap"});
  expect("pre", std::string("llama-bpe"), {"tokenizer.ggml.pre", "llama-bpe"});
  expect("scores", std::vector<double>(5), {"scores", "276"});
  expect("scores", std::vector<std::int64_t>(276), {"scores"});
}

}  // namespace
}  // namespace tern::tokenizer
