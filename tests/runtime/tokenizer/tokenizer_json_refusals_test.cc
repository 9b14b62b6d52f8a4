// Each thing in a tokenizer.json, or beside it, that is refused.
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/tokenizer/tokenizer_json.h"
#include "tests/runtime/tokenizer/fixtures.h"
#include "tests/runtime/tokenizer/load_json.h"
#include "tests/runtime/tokenizer/sentence_piece_fixtures.h"

namespace tern::tokenizer {
namespace {

using nlohmann::json;
using testing::ExpectRefusal;
using testing::LoadJson;
using testing::PiecesJson;
using testing::SmallPieces;
using testing::SmallTokenizerJson;
using testing::TemporaryDirectory;

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

TEST(TokenizerJsonRefusalsTest, WhatCouldChangeAResultIsRefusedByName) {
  for (const Refusal& refusal : Refusals()) {
    SCOPED_TRACE(refusal.name);
    json file = SmallTokenizerJson();
    refusal.change(file);
    auto parts = refusal.parts;
    parts.emplace_back("tokenizer.json: ");
    ExpectRefusal([&] { return LoadJson(file); }, refusal.code, parts);
  }
}

TEST(TokenizerJsonRefusalsTest, OtherFormsOfSentencePieceAreRefused) {
  const auto expect = [](const char* pointer, const json& value,
                         const std::vector<std::string>& parts) {
    json file = PiecesJson(SmallPieces());
    Set(file, pointer, value);
    ExpectRefusal([&] { return LoadJson(file); }, ErrorCode::kUnsupported,
                  parts);
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
  ExpectRefusal([&] { return LoadJson(file); }, ErrorCode::kUnsupported,
                {"model.vocab", "byte 65", "<0x41>"});
  file = PiecesJson(SmallPieces());
  file["normalizer"] = nullptr;
  file["pre_tokenizer"] = {{"type", "Metaspace"},
                           {"replacement", "\u2581"},
                           {"prepend_scheme", "first"},
                           {"split", true}};
  ExpectRefusal([&] { return LoadJson(file); }, ErrorCode::kUnsupported,
                {"pre_tokenizer.split"});
}

TEST(TokenizerJsonRefusalsTest, BrokenVocabulariesAreRefused) {
  const auto expect = [](const json& id,
                         const std::vector<std::string>& parts) {
    json file = SmallTokenizerJson();
    file["model"]["vocab"]["hello"] = id;
    ExpectRefusal([&] { return LoadJson(file); }, ErrorCode::kMalformed, parts);
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
  ExpectRefusal([&] { return LoadJson(file); }, ErrorCode::kMalformed,
                {"added_tokens[2].id", "263"});
  file["model"]["vocab"]["<|eot_id|>"] = 262;
  ExpectRefusal([&] { return LoadJson(file); }, ErrorCode::kMalformed,
                {"model.vocab", "259"});

  file = SmallTokenizerJson();
  file["model"]["vocab"].erase("!");
  file["model"]["vocab"]["!!"] = '!';
  ExpectRefusal([&] { return LoadJson(file); }, ErrorCode::kUnsupported,
                {"model.vocab", "byte 33"});
}

TEST(TokenizerJsonRefusalsTest, BrokenMergesAreRefused) {
  const auto expect = [](const json& merge,
                         const std::vector<std::string>& parts) {
    json file = SmallTokenizerJson();
    file["model"]["merges"].push_back(merge);
    ExpectRefusal([&] { return LoadJson(file); }, ErrorCode::kMalformed, parts);
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

TEST(TokenizerJsonRefusalsTest, BrokenFilesBesideAreRefused) {
  const json file = SmallTokenizerJson();
  const json none = json::object();
  ExpectRefusal(
      [&] {
        return LoadJson(file, none, {{"eos_token_id", 264}});
      },
      ErrorCode::kMalformed, {"generation_config.json", "eos_token_id", "264"});
  ExpectRefusal(
      [&] {
        return LoadJson(file, none, {{"eos_token_id", {1, -1}}});
      },
      ErrorCode::kMalformed,
      {"generation_config.json", "eos_token_id[1]", "-1"});
  ExpectRefusal(
      [&] {
        return LoadJson(file, none, none, {{"eos_token_id", "x"}});
      },
      ErrorCode::kMalformed, {"/config.json", "eos_token_id"});
  ExpectRefusal(
      [&] {
        return LoadJson(file, {{"eos_token", "</s>"}});
      },
      ErrorCode::kMalformed, {"tokenizer_config.json", "eos_token", "</s>"});
  ExpectRefusal(
      [&] {
        return LoadJson(file, {{"add_eos_token", true}});
      },
      ErrorCode::kUnsupported, {"tokenizer_config.json", "add_eos_token"});
  EXPECT_NO_THROW((void)LoadJson(file, {{"add_prefix_space", false}}));
  ExpectRefusal(
      [&] {
        return LoadJson(file, {{"add_prefix_space", true}});
      },
      ErrorCode::kUnsupported, {"tokenizer_config.json", "add_prefix_space"});
}

TEST(TokenizerJsonRefusalsTest, WhatIsNotJsonIsRefusedWithItsPlace) {
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
