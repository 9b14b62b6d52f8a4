// What a tokenizer.json means.  tokenizer_json_refusals_test.cc has what is
// refused.
#include "runtime/tokenizer/tokenizer_json.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/tokenizer/tokenizer_gguf.h"
#include "tests/runtime/tokenizer/fixtures.h"
#include "tests/runtime/tokenizer/load_json.h"
#include "tests/runtime/tokenizer/sentence_piece_fixtures.h"

namespace tern::tokenizer {
namespace {

using nlohmann::json;
using testing::ExpectRefusal;
using testing::LoadJson;
using testing::PiecesGguf;
using testing::PiecesJson;
using testing::SmallPieces;
using testing::SmallTokenizerJson;

using Ids = std::vector<Token>;

Ids Ends(const Tokenizer& tokenizer) {
  return {tokenizer.end_tokens().begin(), tokenizer.end_tokens().end()};
}

TEST(TokenizerJsonTest, ReadsAFileOfItsOwn) {
  const Tokenizer tokenizer = LoadJson(SmallTokenizerJson());
  EXPECT_EQ(tokenizer.vocab_size(), 264u);
  EXPECT_EQ(tokenizer.bos(), 261);
  EXPECT_TRUE(tokenizer.adds_bos());
  EXPECT_EQ(tokenizer.Encode("hello a"), (Ids{261, 259, 260}));
  EXPECT_EQ(Ends(tokenizer), Ids{262});
}

TEST(TokenizerJsonTest, MergesMayBePairsOrStrings) {
  json file = SmallTokenizerJson();
  file["model"]["merges"] = {"h e", "l l", "he ll", "hell o"};
  EXPECT_EQ(LoadJson(file).Encode("hello hel"),
            LoadJson(SmallTokenizerJson()).Encode("hello hel"));
}

TEST(TokenizerJsonTest, WithoutIgnoreMergesOnlyMergesMakeTokens) {
  json file = SmallTokenizerJson();
  file["model"]["ignore_merges"] = false;
  EXPECT_EQ(LoadJson(file).Encode(" a", {.add_bos = false}), (Ids{' ', 'a'}));
  file["model"].erase("ignore_merges");
  EXPECT_EQ(LoadJson(file).Encode(" a", {.add_bos = false}), (Ids{' ', 'a'}));
}

TEST(TokenizerJsonTest, AddedWordsAreFoundInAnyText) {
  const Tokenizer tokenizer = LoadJson(SmallTokenizerJson());
  EXPECT_EQ(tokenizer.Encode("swords", {.add_bos = false}),
            (Ids{'s', 263, 's'}));
  EXPECT_FALSE(tokenizer.IsSpecial(263));
  EXPECT_EQ(tokenizer.Decode(Ids{'s', 263}), "sword");
}

// Such as Qwen's <think>, which a user may type.
TEST(TokenizerJsonTest, AddedWordsInWhatAUserTypesAreText) {
  json file = SmallTokenizerJson();
  for (const bool normalized : {true, false}) {
    file["added_tokens"][2]["normalized"] = normalized;
    for (const json& normalizer : {json(), json{{"type", "NFC"}}}) {
      file["normalizer"] = normalizer;
      const Tokenizer tokenizer = LoadJson(file);
      const auto encode = [&](std::string_view text, std::string_view mask) {
        return tokenizer.Encode(
            text,
            {.add_bos = false, .parse_special = true, .special_mask = mask});
      };
      EXPECT_EQ(encode("word", "0000"), (Ids{'w', 'o', 'r', 'd'}));
      EXPECT_EQ(encode("word", "1111"), Ids{263});
      EXPECT_EQ(encode("word<|eot_id|>word", "000011111111111111"),
                (Ids{'w', 'o', 'r', 'd', 262, 263}));
      // Normalization changes the text: as a whole the user's.
      EXPECT_EQ(encode("e\u0301word", "0001111").back(),
                normalized && !normalizer.is_null() ? 'd' : 263);
    }
  }
}

// Hugging Face looks for `normalized` tokens in what the others leave over,
// even where the text has no normalizer.
TEST(TokenizerJsonTest, NormalizedAddedWordsComeSecond) {
  json file = SmallTokenizerJson();
  json early = file["added_tokens"][2];
  early["id"] = 264;
  early["content"] = "rds";
  early["normalized"] = false;
  file["added_tokens"].push_back(early);
  EXPECT_EQ(LoadJson(file).Encode("words", {.add_bos = false}),
            (Ids{'w', 'o', 264}));
}

TEST(TokenizerJsonTest, BosOnlyWhereTheTemplateHasOne) {
  json file = SmallTokenizerJson();
  file["post_processor"] = nullptr;
  EXPECT_FALSE(LoadJson(file).adds_bos());
  EXPECT_EQ(LoadJson(file).bos(), std::nullopt);
  EXPECT_EQ(LoadJson(file).Encode("a"), Ids{'a'});

  const json config = {{"bos_token", {{"content", "<|begin_of_text|>"}}}};
  EXPECT_EQ(LoadJson(file, config).bos(), 261);
  EXPECT_FALSE(LoadJson(file, config).adds_bos());
}

TEST(TokenizerJsonTest, AddBosTokenOfTheConfigIsRespected) {
  json file = SmallTokenizerJson();
  EXPECT_FALSE(LoadJson(file, {{"add_bos_token", false}}).adds_bos());
  file["post_processor"] = nullptr;
  const json config = {{"add_bos_token", true},
                       {"bos_token", "<|begin_of_text|>"}};
  EXPECT_EQ(LoadJson(file, config).Encode("a"), (Ids{261, 'a'}));
  ExpectRefusal(
      [&] {
        return LoadJson(file, {{"add_bos_token", true}});
      },
      ErrorCode::kUnsupported, {"tokenizer_config.json", "add_bos_token"});
}

TEST(TokenizerJsonTest, EndTokensComeFromAllFiles) {
  const json file = SmallTokenizerJson();
  EXPECT_EQ(Ends(LoadJson(file, json::object(), {{"eos_token_id", 5}})),
            (Ids{5, 262}));
  EXPECT_EQ(
      Ends(LoadJson(file, json::object(), {{"eos_token_id", {7, 5, 262}}})),
      (Ids{5, 7, 262}));
  EXPECT_EQ(Ends(LoadJson(file, json::object(), json::object(),
                          {{"eos_token_id", 9}})),
            (Ids{9, 262}));
  EXPECT_EQ(Ends(LoadJson(file, {{"eos_token", "<|begin_of_text|>"}},
                          {{"eos_token_id", nullptr}})),
            (Ids{261, 262}));
}

json ByteLevelAlone() {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", true}};
}

TEST(TokenizerJsonTest, ByteLevelAloneSplitsAsGpt2) {
  json file = SmallTokenizerJson();
  file["model"]["ignore_merges"] = false;
  file["pre_tokenizer"] = ByteLevelAlone();
  const auto kind = [&] {
    const std::string text = LoadJson(file).description();
    return text.substr(0, text.find(';'));
  };
  EXPECT_EQ(kind(), "byte-level BPE, pre-tokenizer gpt-2");
  file["pre_tokenizer"].erase("use_regex");  // older files
  EXPECT_EQ(kind(), "byte-level BPE, pre-tokenizer gpt-2");
  file["normalizer"] = {{"type", "NFC"}};
  EXPECT_EQ(kind(), "byte-level BPE, pre-tokenizer gpt-neox");
  file["pre_tokenizer"]["use_regex"] = false;
  ExpectRefusal([&] { return LoadJson(file); }, ErrorCode::kUnsupported,
                {"pre_tokenizer.use_regex"});
  file["pre_tokenizer"] = ByteLevelAlone();
  file["pre_tokenizer"]["add_prefix_space"] = true;
  ExpectRefusal([&] { return LoadJson(file); }, ErrorCode::kUnsupported,
                {"pre_tokenizer.add_prefix_space"});
}

TEST(TokenizerJsonTest, Qwen2IsKnownByItsExpression) {
  json file = SmallTokenizerJson();
  file["model"]["ignore_merges"] = false;
  file["normalizer"] = {{"type", "NFC"}};
  auto& regex = file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"];
  std::string text = regex;
  text.replace(text.find("{1,3}"), 5, "");
  regex = text;
  EXPECT_NE(LoadJson(file).description().find("pre-tokenizer qwen2"),
            std::string::npos);
}

// "e" and U+0301 become U+00E9, whose bytes are C3 A9, before anything but
// added tokens that are not normalized is looked for.
TEST(TokenizerJsonTest, NfcComesBeforeTheSplit) {
  json file = SmallTokenizerJson();
  file["normalizer"] = {{"type", "NFC"}};
  const Tokenizer tokenizer = LoadJson(file);
  const EncodeOptions plain = {.add_bos = false};
  EXPECT_EQ(tokenizer.Encode("e\u0301", plain), (Ids{0xC3, 0xA9}));
  EXPECT_EQ(tokenizer.Encode("he\u0301\xFF", plain),
            (Ids{'h', 0xC3, 0xA9, 0xFF}));
  // "word" is normalized; its last letter with an accent is none of it.
  EXPECT_EQ(tokenizer.Encode("word", plain), Ids{263});
  EXPECT_EQ(tokenizer.Encode("word\u030C", plain),
            (Ids{'w', 'o', 'r', 0xC4, 0x8F}));
  EXPECT_EQ(tokenizer.Encode("a\u0301word", plain), (Ids{0xC3, 0xA1, 263}));
}

TEST(TokenizerJsonTest, Llama2IsReadWithItsMergesAndSpaces) {
  const json good = PiecesJson(SmallPieces());
  const Tokenizer tokenizer = LoadJson(good);
  const Tokenizer model =
      tokenizer::MakeGgufTokenizer(PiecesGguf(SmallPieces()));
  for (const char* text : {"", "hello", "ahello", " hell hello", "a   hello",
                           "\u00E8\n", "\xFF", "hello</s>hello", "<0x41>"}) {
    for (const bool parse : {false, true}) {
      const EncodeOptions options = {.add_bos = true, .parse_special = parse};
      const Ids ids = tokenizer.Encode(text, options);
      EXPECT_EQ(ids, model.Encode(text, options)) << text;
      EXPECT_EQ(tokenizer.Decode(ids), model.Decode(ids)) << text;
    }
  }
  EXPECT_TRUE(tokenizer.IsSpecial(0));
  json file = good;
  file["normalizer"] = nullptr;
  file["pre_tokenizer"] = {{"type", "Metaspace"},
                           {"replacement", "\u2581"},
                           {"prepend_scheme", "first"},
                           {"split", false}};
  EXPECT_EQ(LoadJson(file).Encode("hello</s>hello", {.parse_special = true}),
            (Ids{1, 266, 2, 274}));
  EXPECT_EQ(LoadJson(file).Encode(" hello"), (Ids{1, 266}));
  file["pre_tokenizer"]["prepend_scheme"] = "always";
  EXPECT_EQ(LoadJson(file).Encode("hello</s>hello", {.parse_special = true}),
            (Ids{1, 266, 2, 266}));
}

}  // namespace
}  // namespace tern::tokenizer
