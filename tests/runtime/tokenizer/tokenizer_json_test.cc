#include "runtime/tokenizer/tokenizer_json.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/tokenizer/tokenizer_gguf.h"
#include "tests/runtime/tokenizer/fixtures.h"
#include "tests/runtime/tokenizer/sentence_piece_fixtures.h"

namespace tern::tokenizer {
namespace {

using nlohmann::json;
using testing::ExpectRefusal;
using testing::SmallTokenizerJson;
using testing::TemporaryDirectory;
using tokenizer::testing::PiecesGguf;
using tokenizer::testing::PiecesJson;
using tokenizer::testing::SmallPieces;

using Ids = std::vector<Token>;

Tokenizer Load(const json& file, const json& config = json::object(),
               const json& generation = json::object(),
               const json& model = json::object()) {
  const TemporaryDirectory directory;
  directory.Write("tokenizer.json", file.dump());
  directory.Write("tokenizer_config.json", config.dump());
  directory.Write("generation_config.json", generation.dump());
  directory.Write("config.json", model.dump());
  return LoadJsonTokenizer(directory.path() / "tokenizer.json");
}

Ids Ends(const Tokenizer& tokenizer) {
  return {tokenizer.end_tokens().begin(), tokenizer.end_tokens().end()};
}

TEST(TokenizerJsonTest, ReadsAFileOfItsOwn) {
  const Tokenizer tokenizer = Load(SmallTokenizerJson());
  EXPECT_EQ(tokenizer.vocab_size(), 264u);
  EXPECT_EQ(tokenizer.bos(), 261);
  EXPECT_TRUE(tokenizer.adds_bos());
  EXPECT_EQ(tokenizer.Encode("hello a"), (Ids{261, 259, 260}));
  EXPECT_EQ(Ends(tokenizer), Ids{262});
}

TEST(TokenizerJsonTest, MergesMayBePairsOrStrings) {
  json file = SmallTokenizerJson();
  file["model"]["merges"] = {"h e", "l l", "he ll", "hell o"};
  EXPECT_EQ(Load(file).Encode("hello hel"),
            Load(SmallTokenizerJson()).Encode("hello hel"));
}

TEST(TokenizerJsonTest, WithoutIgnoreMergesOnlyMergesMakeTokens) {
  json file = SmallTokenizerJson();
  file["model"]["ignore_merges"] = false;
  EXPECT_EQ(Load(file).Encode(" a", {.add_bos = false}), (Ids{' ', 'a'}));
  file["model"].erase("ignore_merges");
  EXPECT_EQ(Load(file).Encode(" a", {.add_bos = false}), (Ids{' ', 'a'}));
}

TEST(TokenizerJsonTest, AddedWordsAreFoundInAnyText) {
  const Tokenizer tokenizer = Load(SmallTokenizerJson());
  EXPECT_EQ(tokenizer.Encode("swords", {.add_bos = false}),
            (Ids{'s', 263, 's'}));
  EXPECT_FALSE(tokenizer.IsSpecial(263));
  EXPECT_EQ(tokenizer.Decode(Ids{'s', 263}), "sword");
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
  EXPECT_EQ(Load(file).Encode("words", {.add_bos = false}),
            (Ids{'w', 'o', 264}));
}

TEST(TokenizerJsonTest, BosOnlyWhereTheTemplateHasOne) {
  json file = SmallTokenizerJson();
  file["post_processor"] = nullptr;
  EXPECT_FALSE(Load(file).adds_bos());
  EXPECT_EQ(Load(file).bos(), std::nullopt);
  EXPECT_EQ(Load(file).Encode("a"), Ids{'a'});

  const json config = {{"bos_token", {{"content", "<|begin_of_text|>"}}}};
  EXPECT_EQ(Load(file, config).bos(), 261);
  EXPECT_FALSE(Load(file, config).adds_bos());
}

TEST(TokenizerJsonTest, AddBosTokenOfTheConfigIsRespected) {
  json file = SmallTokenizerJson();
  EXPECT_FALSE(Load(file, {{"add_bos_token", false}}).adds_bos());
  file["post_processor"] = nullptr;
  const json config = {{"add_bos_token", true},
                       {"bos_token", "<|begin_of_text|>"}};
  EXPECT_EQ(Load(file, config).Encode("a"), (Ids{261, 'a'}));
  ExpectRefusal(
      [&] {
        return Load(file, {{"add_bos_token", true}});
      },
      ErrorCode::kUnsupported, {"tokenizer_config.json", "add_bos_token"});
}

TEST(TokenizerJsonTest, EndTokensComeFromAllFiles) {
  const json file = SmallTokenizerJson();
  EXPECT_EQ(Ends(Load(file, json::object(), {{"eos_token_id", 5}})),
            (Ids{5, 262}));
  EXPECT_EQ(Ends(Load(file, json::object(), {{"eos_token_id", {7, 5, 262}}})),
            (Ids{5, 7, 262}));
  EXPECT_EQ(
      Ends(Load(file, json::object(), json::object(), {{"eos_token_id", 9}})),
      (Ids{9, 262}));
  EXPECT_EQ(Ends(Load(file, {{"eos_token", "<|begin_of_text|>"}},
                      {{"eos_token_id", nullptr}})),
            (Ids{261, 262}));
}

// One change to a good file, and what the Error must name.
struct Refusal {
  const char* name;
  std::function<void(json&)> change;
  ErrorCode code;
  std::vector<std::string> parts;
};

void Set(json& file, const char* pointer, const json& value) {
  file[json::json_pointer(pointer)] = value;
}

std::vector<Refusal> Refusals() {
  constexpr auto kUnsupported = ErrorCode::kUnsupported;
  constexpr auto kMalformed = ErrorCode::kMalformed;
  const auto set = [](const char* pointer, json value) {
    return [=](json& file) { Set(file, pointer, value); };
  };
  const char* const split = "/pre_tokenizer/pretokenizers/0";
  const auto in_split = [=](const char* key, const json& value) {
    return [=](json& file) { file[json::json_pointer(split)][key] = value; };
  };
  return {
      {"normalizer",
       set("/normalizer", {{"type", "NFKC"}}),
       kUnsupported,
       {"normalizer", "NFKC"}},
      {"unknown key", set("/surprise", 1), kUnsupported, {"surprise"}},
      {"unknown key of many lines", set("/a\nb", 1), kUnsupported, {"a\\x0ab"}},
      {"version", set("/version", "2.0"), kUnsupported, {"version", "2.0"}},
      {"model type",
       set("/model/type", "Unigram"),
       kUnsupported,
       {"model.type", "Unigram"}},
      {"unknown model key",
       set("/model/surprise", 1),
       kUnsupported,
       {"model.surprise"}},
      {"dropout", set("/model/dropout", 0.1), kUnsupported, {"dropout"}},
      {"unk_token",
       set("/model/unk_token", "<unk>"),
       kUnsupported,
       {"unk_token", "<unk>"}},
      {"continuing_subword_prefix",
       set("/model/continuing_subword_prefix", "##"),
       kUnsupported,
       {"continuing_subword_prefix", "##"}},
      {"end_of_word_suffix",
       set("/model/end_of_word_suffix", "</w>"),
       kUnsupported,
       {"end_of_word_suffix"}},
      {"fuse_unk", set("/model/fuse_unk", true), kUnsupported, {"fuse_unk"}},
      {"byte_fallback",
       set("/model/byte_fallback", "yes"),
       kMalformed,
       {"byte_fallback"}},
      {"ignore_merges",
       set("/model/ignore_merges", "yes"),
       kMalformed,
       {"ignore_merges"}},
      {"no pre-tokenizer",
       set("/pre_tokenizer", nullptr),
       kUnsupported,
       {"pre_tokenizer"}},
      {"other pre-tokenizer",
       set("/pre_tokenizer", {{"type", "Metaspace"}}),
       kUnsupported,
       {"pre_tokenizer.type", "Metaspace"}},
      {"third pre-tokenizer",
       set("/pre_tokenizer/pretokenizers/2", {{"type", "Digits"}}),
       kUnsupported,
       {"pre_tokenizer.pretokenizers"}},
      {"regex",
       in_split("pattern", {{"Regex", "\\s+"}}),
       kUnsupported,
       {"pattern.Regex", "\\s+"}},
      {"string pattern",
       in_split("pattern", {{"String", " "}}),
       kUnsupported,
       {"pattern.String"}},
      {"behavior",
       in_split("behavior", "Removed"),
       kUnsupported,
       {"behavior", "Removed"}},
      {"invert", in_split("invert", true), kUnsupported, {"invert"}},
      {"prefix space",
       set("/pre_tokenizer/pretokenizers/1/add_prefix_space", true),
       kUnsupported,
       {"add_prefix_space"}},
      {"second regex",
       set("/pre_tokenizer/pretokenizers/1/use_regex", true),
       kUnsupported,
       {"use_regex"}},
      {"no decoder", set("/decoder", nullptr), kUnsupported, {"decoder"}},
      {"decoder",
       set("/decoder/type", "Metaspace"),
       kUnsupported,
       {"decoder.type", "Metaspace"}},
      {"post-processor",
       set("/post_processor/type", "RobertaProcessing"),
       kUnsupported,
       {"post_processor", "RobertaProcessing"}},
      {"processor",
       set("/post_processor/processors/0/type", "Bert"),
       kUnsupported,
       {"processors[0].type", "Bert"}},
      {"two templates",
       [](json& file) {
         auto& processors = file["post_processor"]["processors"];
         processors.push_back(processors[1]);
       },
       kUnsupported,
       {"processors[2]", "twice"}},
      {"token after the text",
       [](json& file) {
         auto& single = file["post_processor"]["processors"][1]["single"];
         single.push_back(single[0]);
       },
       kUnsupported,
       {"single"}},
      {"another BOS id",
       set("/post_processor/processors/1/special_tokens/<|begin_of_text|>/ids",
           json::array({5})),
       kMalformed,
       {"ids", "5", "<|begin_of_text|>"}},
      {"lstrip",
       set("/added_tokens/0/lstrip", true),
       kUnsupported,
       {"added_tokens[0].lstrip"}},
      {"rstrip",
       set("/added_tokens/1/rstrip", true),
       kUnsupported,
       {"added_tokens[1].rstrip"}},
      {"single_word",
       set("/added_tokens/2/single_word", true),
       kUnsupported,
       {"added_tokens[2].single_word"}},
      {"unknown flag",
       set("/added_tokens/2/surprise", true),
       kUnsupported,
       {"added_tokens[2].surprise"}},
      {"added id in use",
       set("/added_tokens/2/id", 5),
       kMalformed,
       {"added_tokens[2]", "5", "word"}},
      {"added name in use",
       set("/added_tokens/2/content", "he"),
       kMalformed,
       {"added_tokens[2]", "he"}},
      {"added name twice",
       set("/added_tokens/1/content", "word"),
       kMalformed,
       {"262", "263", "word"}},
      {"empty added name",
       set("/added_tokens/2/content", ""),
       kMalformed,
       {"added_tokens[2]"}},
  };
}

TEST(TokenizerJsonTest, WhatCouldChangeAResultIsRefusedByName) {
  for (const Refusal& refusal : Refusals()) {
    SCOPED_TRACE(refusal.name);
    json file = SmallTokenizerJson();
    refusal.change(file);
    auto parts = refusal.parts;
    parts.emplace_back("tokenizer.json: ");
    ExpectRefusal([&] { return Load(file); }, refusal.code, parts);
  }
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
    const std::string text = Load(file).description();
    return text.substr(0, text.find(';'));
  };
  EXPECT_EQ(kind(), "byte-level BPE, pre-tokenizer gpt-2");
  file["pre_tokenizer"].erase("use_regex");  // older files
  EXPECT_EQ(kind(), "byte-level BPE, pre-tokenizer gpt-2");
  file["normalizer"] = {{"type", "NFC"}};
  EXPECT_EQ(kind(), "byte-level BPE, pre-tokenizer gpt-neox");
  file["pre_tokenizer"]["use_regex"] = false;
  ExpectRefusal([&] { return Load(file); }, ErrorCode::kUnsupported,
                {"pre_tokenizer.use_regex"});
  file["pre_tokenizer"] = ByteLevelAlone();
  file["pre_tokenizer"]["add_prefix_space"] = true;
  ExpectRefusal([&] { return Load(file); }, ErrorCode::kUnsupported,
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
  EXPECT_NE(Load(file).description().find("pre-tokenizer qwen2"),
            std::string::npos);
}

// "e" and U+0301 become U+00E9, whose bytes are C3 A9, before anything but
// added tokens that are not normalized is looked for.
TEST(TokenizerJsonTest, NfcComesBeforeTheSplit) {
  json file = SmallTokenizerJson();
  file["normalizer"] = {{"type", "NFC"}};
  const Tokenizer tokenizer = Load(file);
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
  const Tokenizer tokenizer = Load(good);
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
  EXPECT_EQ(Load(file).Encode("hello</s>hello", {.parse_special = true}),
            (Ids{1, 266, 2, 274}));
  EXPECT_EQ(Load(file).Encode(" hello"), (Ids{1, 266}));
  file["pre_tokenizer"]["prepend_scheme"] = "always";
  EXPECT_EQ(Load(file).Encode("hello</s>hello", {.parse_special = true}),
            (Ids{1, 266, 2, 266}));
}

TEST(TokenizerJsonTest, OtherFormsOfSentencePieceAreRefused) {
  const auto expect = [](const char* pointer, const json& value,
                         const std::vector<std::string>& parts) {
    json file = PiecesJson(SmallPieces());
    Set(file, pointer, value);
    ExpectRefusal([&] { return Load(file); }, ErrorCode::kUnsupported, parts);
  };
  expect("/normalizer/normalizers/0/prepend", "x", {"normalizer"});
  expect("/normalizer", {{"type", "NFKC"}}, {"normalizer", "NFKC"});
  expect("/pre_tokenizer", {{"type", "Metaspace"}}, {"pre_tokenizer.type"});
  expect("/decoder/decoders/3/start", 2, {"decoder"});
  expect("/decoder/decoders", json::array(), {"decoder"});
  expect("/model/ignore_merges", true, {"ignore_merges"});
  expect("/model/unk_token", "none", {"unk_token", "none"});
  json file = PiecesJson(SmallPieces());
  file["model"]["vocab"].erase("<0x41>");
  file["model"]["vocab"]["x"] = 3 + 0x41;
  ExpectRefusal([&] { return Load(file); }, ErrorCode::kUnsupported,
                {"model.vocab", "byte 65", "<0x41>"});
  file = PiecesJson(SmallPieces());
  file["normalizer"] = nullptr;
  file["pre_tokenizer"] = {{"type", "Metaspace"},
                           {"replacement", "\u2581"},
                           {"prepend_scheme", "first"},
                           {"split", true}};
  ExpectRefusal([&] { return Load(file); }, ErrorCode::kUnsupported,
                {"pre_tokenizer.split"});
}

TEST(TokenizerJsonTest, BrokenVocabulariesAreRefused) {
  const auto expect = [](const json& id,
                         const std::vector<std::string>& parts) {
    json file = SmallTokenizerJson();
    file["model"]["vocab"]["hello"] = id;
    ExpectRefusal([&] { return Load(file); }, ErrorCode::kMalformed, parts);
  };
  expect(258, {"model.vocab", "258"});  // of "hell"
  expect(-1, {"model.vocab", "-1"});
  expect(4000000000, {"model.vocab", "4000000000"});
  expect(1e18, {"model.vocab"});
  expect("259", {"model.vocab", "string"});
  expect(nullptr, {"model.vocab"});

  json file = SmallTokenizerJson();
  file["model"]["vocab"].erase("hello");
  file["model"]["merges"].erase(3);
  ExpectRefusal([&] { return Load(file); }, ErrorCode::kMalformed,
                {"added_tokens[2].id", "263"});
  file["model"]["vocab"]["<|eot_id|>"] = 262;
  ExpectRefusal([&] { return Load(file); }, ErrorCode::kMalformed,
                {"model.vocab", "259"});

  file = SmallTokenizerJson();
  file["model"]["vocab"].erase("!");
  file["model"]["vocab"]["!!"] = '!';
  ExpectRefusal([&] { return Load(file); }, ErrorCode::kUnsupported,
                {"model.vocab", "byte 33"});
}

TEST(TokenizerJsonTest, BrokenMergesAreRefused) {
  const auto expect = [](const json& merge,
                         const std::vector<std::string>& parts) {
    json file = SmallTokenizerJson();
    file["model"]["merges"].push_back(merge);
    ExpectRefusal([&] { return Load(file); }, ErrorCode::kMalformed, parts);
  };
  expect(json::array({"h", "x"}), {"model.merges[4]", "hx"});
  expect(json::array({"hx", "e"}), {"model.merges[4]", "hx"});
  expect(json::array({"h", "e"}), {"model.merges[4]", "merge 0"});
  expect({"h", "e", "l"}, {"model.merges[4]"});
  expect("he", {"model.merges[4]", "he"});
  expect("h e l", {"model.merges[4]", "h e l"});
  expect(7, {"model.merges[4]"});
  // A special token is never made from text.
  expect(json::array({"<|eot_id|>", "h"}), {"model.merges[4]", "<|eot_id|>"});
}

TEST(TokenizerJsonTest, BrokenFilesBesideAreRefused) {
  const json file = SmallTokenizerJson();
  const json none = json::object();
  ExpectRefusal(
      [&] {
        return Load(file, none, {{"eos_token_id", 264}});
      },
      ErrorCode::kMalformed, {"generation_config.json", "eos_token_id", "264"});
  ExpectRefusal(
      [&] {
        return Load(file, none, {{"eos_token_id", {1, -1}}});
      },
      ErrorCode::kMalformed,
      {"generation_config.json", "eos_token_id[1]", "-1"});
  ExpectRefusal(
      [&] {
        return Load(file, none, none, {{"eos_token_id", "x"}});
      },
      ErrorCode::kMalformed, {"/config.json", "eos_token_id"});
  ExpectRefusal(
      [&] {
        return Load(file, {{"eos_token", "</s>"}});
      },
      ErrorCode::kMalformed, {"tokenizer_config.json", "eos_token", "</s>"});
  ExpectRefusal(
      [&] {
        return Load(file, {{"add_eos_token", true}});
      },
      ErrorCode::kUnsupported, {"tokenizer_config.json", "add_eos_token"});
}

TEST(TokenizerJsonTest, WhatIsNotJsonIsRefusedWithItsPlace) {
  const TemporaryDirectory directory;
  const auto expect = [&](const std::string& text,
                          const std::vector<std::string>& parts) {
    directory.Write("tokenizer.json", text);
    ExpectRefusal(
        [&] { return LoadJsonTokenizer(directory.path() / "tokenizer.json"); },
        ErrorCode::kMalformed, parts);
  };
  expect("", {"tokenizer.json", "byte"});
  expect("{\"version\": \"1.0\",", {"byte 19"});
  expect("[]", {"tokenizer.json", "object"});
  expect("{}", {"model", "missing"});
  const std::string deep(300000, '[');
  expect(deep, {"nested deeper"});
  expect("{\"normalizer\":" + deep + std::string(300000, ']') + "}",
         {"nested deeper"});
  expect(R"({"version": "1.0", "version": "1.0"})", {"'version'", "twice"});
  expect(R"({"version": 1e999})", {"tokenizer.json: not valid JSON"});
  const std::string good = SmallTokenizerJson().dump();
  for (std::size_t size = 0; size < good.size(); size += 97) {
    expect(good.substr(0, size), {"byte"});
  }
}

}  // namespace
}  // namespace tern::tokenizer
