#include "runtime/tokenizer/tokenizer_model.h"

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/tokenizer.h>

#include "tests/runtime/tokenizer/fixtures.h"
#include "tests/runtime/tokenizer/sentence_piece_fixtures.h"

namespace tern::tokenizer {
namespace {

using testing::BytesField;
using testing::ExpectRefusal;
using testing::NumberField;
using testing::PieceField;
using testing::PiecesModel;
using testing::SmallPieces;
using testing::TemporaryDirectory;

using Ids = std::vector<Token>;

Tokenizer LoadBytes(const std::string& bytes) {
  const TemporaryDirectory directory;
  directory.Write("tokenizer.model", bytes);
  return LoadModelTokenizer(directory.path() / "tokenizer.model");
}

TEST(TokenizerModelTest, IsTheTokenizerThatItDescribes) {
  const Tokenizer tokenizer = LoadBytes(PiecesModel(SmallPieces()));
  EXPECT_EQ(tokenizer.vocab_size(), 276u);
  EXPECT_EQ(tokenizer.Encode("hell hello"), Ids({1, 275, 266}));
  EXPECT_EQ(tokenizer.bos(), 1);
  EXPECT_EQ(tokenizer.eos(), 2);
  EXPECT_TRUE(tokenizer.IsEndOfText(2));
  EXPECT_TRUE(tokenizer.IsSpecial(0));
  EXPECT_FALSE(tokenizer.IsSpecial(262));
  EXPECT_NE(tokenizer.description().find("SentencePiece BPE; 276 tokens"),
            std::string::npos);
}

TEST(TokenizerModelTest, FilesBesideAddTokens) {
  const TemporaryDirectory directory;
  directory.Write("tokenizer.model", PiecesModel(SmallPieces()));
  directory.Write("added_tokens.json", R"({"<pad>": 276, "word": 277})");
  directory.Write("special_tokens_map.json", R"({"pad_token": "<pad>"})");
  directory.Write("tokenizer_config.json", R"({"add_bos_token": false,
      "bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "<pad>",
      "added_tokens_decoder": {"1": {"content": "<s>", "special": true},
        "276": {"content": "<pad>", "special": true, "rstrip": false}}})");
  const Tokenizer tokenizer = Tokenizer::Load(directory.path());
  EXPECT_EQ(tokenizer.vocab_size(), 278u);
  EXPECT_EQ(tokenizer.Encode("aword"), Ids({267, 272, 277}));
  EXPECT_EQ(tokenizer.Encode("<pad>", {.parse_special = true}), Ids({276}));
  EXPECT_NE(tokenizer.Encode("<pad>"), Ids({276}));
  EXPECT_TRUE(tokenizer.IsSpecial(276));
  EXPECT_EQ(tokenizer.eos(), 276);
  const EncodeOptions parse = {.parse_special = true};
  EXPECT_EQ(tokenizer.Encode("<pad>hello", parse), Ids({276, 266}));
  directory.Write("tokenizer_config.json", R"({"legacy": false})");
  EXPECT_EQ(Tokenizer::Load(directory.path()).Encode("<pad>hello", parse),
            Ids({1, 276, 274}));
}

TEST(TokenizerModelTest, FilesThatContradictAreRefused) {
  const auto expect = [](const char* name, const char* text,
                         const std::vector<std::string>& parts) {
    const TemporaryDirectory directory;
    directory.Write("tokenizer.model", PiecesModel(SmallPieces()));
    directory.Write(name, text);
    try {
      (void)Tokenizer::Load(directory.path());
      ADD_FAILURE() << "accepted: " << text;
    } catch (const Error& error) {
      for (const std::string& part : parts) {
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
            << error.what();
      }
    }
  };
  expect("added_tokens.json", R"({"<pad>": 277})", {"id 276"});
  expect("added_tokens.json", R"({"<pad>": 2})", {"<pad>", "</s>"});
  expect("added_tokens.json", R"({"<pad>": -1})", {"<pad>", "-1"});
  expect("added_tokens.json", R"({"a": 276, "b": 276})", {"276"});
  expect("tokenizer_config.json", R"({"add_eos_token": true})",
         {"add_eos_token"});
  expect("tokenizer_config.json", R"({"bos_token": "<none>"})", {"<none>"});
  expect("tokenizer_config.json",
         R"({"added_tokens_decoder": {"x": {"content": "y"}}})", {"'x'"});
  expect("tokenizer_config.json",
         R"({"added_tokens_decoder": {"276": {"content": "y",
             "rstrip": true}}})",
         {"rstrip"});
}

TEST(TokenizerModelTest, OtherSettingsAreRefusedByName) {
  const auto expect = [](const std::string& more,
                         const std::vector<std::string>& parts) {
    ExpectRefusal([&] { return LoadBytes(PiecesModel(SmallPieces()) + more); },
                  ErrorCode::kUnsupported, parts);
  };
  const auto trainer = [](const std::string& fields) {
    return BytesField(2, fields);
  };
  const auto normalizer = [](const std::string& fields) {
    return BytesField(3, NumberField(4, 0) + fields);
  };
  expect(trainer(NumberField(35, 1)), {"model_type", "1 is not 2"});
  expect(trainer(NumberField(3, 2)), {"byte_fallback"});
  expect(trainer(NumberField(3, 2) + NumberField(35, 1) + NumberField(24, 1)),
         {"treat_whitespace_as_suffix"});
  expect(normalizer(BytesField(1, "nmt_nfkc")), {"name", "nmt_nfkc"});
  expect(normalizer(BytesField(2, "x")), {"precompiled_charsmap"});
  expect(normalizer(NumberField(5, 0)), {"escape_whitespaces"});
  expect(BytesField(3, ""), {"remove_extra_whitespaces"});
  expect(normalizer(NumberField(9, 0)), {"field 9 of the normalizer"});
  expect(BytesField(5, BytesField(2, "x")), {"denormalizer"});
  expect(BytesField(6, ""), {"field 6 of the model"});
  expect(BytesField(1, NumberField(4, 0)), {"field 4 of a piece"});
  expect(PieceField({"x", 0, 5}), {"unused piece"});
  expect(PieceField({"<mask>", 0, 4}), {"user-defined piece", "<mask>"});
}

TEST(TokenizerModelTest, DamagedFilesAreRefused) {
  const std::string good = PiecesModel(SmallPieces());
  const auto expect = [](const std::string& bytes,
                         const std::vector<std::string>& parts) {
    ExpectRefusal([&] { return LoadBytes(bytes); }, ErrorCode::kMalformed,
                  parts);
  };
  expect(good + "\x0a", {"byte " + std::to_string(good.size() + 1)});
  expect(good + "\x0a\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",
         {"18446744073709551615 bytes"});
  expect(good + std::string(11, '\xFF'), {"more than 64 bits"});
  expect(good + "\x02\x01", {"number 0"});
  expect(good + "\x0B", {"wire type 3"});
  expect(good + NumberField(1, 5), {"field 1 is not a string"});
  expect(good + BytesField(1, BytesField(2, "abcd")), {"32-bit number"});
  expect(good + BytesField(2, BytesField(3, "x")), {"is not a number"});
  expect(good + BytesField(2, NumberField(40, std::uint64_t{1} << 40)),
         {"more than 32 bits"});
  expect(good + BytesField(2, NumberField(3, 2) + NumberField(35, 1) +
                                  NumberField(41, 276)),
         {"bos_id", "276"});
  // Wherever it ends: an Error, never anything else.
  for (std::size_t size = 0; size < good.size(); size += 7) {
    EXPECT_THROW((void)LoadBytes(good.substr(0, size)), Error) << size;
  }
}

}  // namespace
}  // namespace tern::tokenizer
