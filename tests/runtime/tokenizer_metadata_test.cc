#include "runtime/tokenizer_metadata.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>

#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace tern {
namespace {

using nlohmann::json;

constexpr const char* kLlama3Split =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

json AddedToken(std::size_t id, const char* content, bool special) {
  return {{"id", id},          {"content", content}, {"single_word", false},
          {"lstrip", false},   {"rstrip", false},    {"normalized", false},
          {"special", special}};
}

// The shape of Llama 3's tokenizer.json, with three tokens and two added ones.
json Tokenizer() {
  json document = json::parse(R"({
    "version": "1.0",
    "added_tokens": [],
    "normalizer": null,
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
      {"type": "Split", "pattern": {"Regex": ""}, "behavior": "Isolated",
       "invert": false},
      {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
       "use_regex": false}]},
    "post_processor": {"type": "Sequence", "processors": [
      {"type": "ByteLevel"},
      {"type": "TemplateProcessing", "single": [
        {"SpecialToken": {"id": "<|bos|>", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}}]}]},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "dropout": null, "ignore_merges": true,
              "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}
  })");
  document["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] =
      kLlama3Split;
  document["added_tokens"] = {AddedToken(3, "<|bos|>", true),
                              AddedToken(4, "word", false)};
  return document;
}

HuggingFaceTokenizer Source(const json& tokenizer = Tokenizer()) {
  HuggingFaceTokenizer source;
  source.directory = "model";
  // As a parser sees it: numbers that are not negative are unsigned.
  source.tokenizer = json::parse(tokenizer.dump());
  return source;
}

std::map<std::string, files::GgufValue> Convert(
    const HuggingFaceTokenizer& source, std::size_t vocab_size = 5) {
  const files::GgufMetadata metadata = TokenizerMetadata(source, vocab_size);
  return {metadata.begin(), metadata.end()};
}

// The document with the value at `pointer` replaced; `value` is JSON.
json With(const std::string& pointer, const std::string& value) {
  json document = Tokenizer();
  document[json::json_pointer(pointer)] = json::parse(value);
  return document;
}

void ExpectRefused(const json& tokenizer, const std::string& words,
                   ErrorCode code = ErrorCode::kUnsupported) {
  ExpectError(code, {"model/tokenizer.json", words},
              [&] { Convert(Source(tokenizer)); });
}

using Strings = std::vector<std::string>;
using Types = std::vector<std::int64_t>;

TEST(TokenizerMetadata, HasTheKeysOfAByteLevelTokenizer) {
  const auto metadata = Convert(Source());
  const std::map<std::string, files::GgufValue> expected = {
      {"tokenizer.ggml.model", std::string("gpt2")},
      {"tokenizer.ggml.pre", std::string("llama-bpe")},
      {"tokenizer.ggml.tokens", Strings{"a", "b", "ab", "<|bos|>", "word"}},
      {"tokenizer.ggml.token_type", Types{1, 1, 1, 3, 4}},
      {"tokenizer.ggml.merges", Strings{"a b"}},
      {"tokenizer.ggml.bos_token_id", std::uint64_t{3}},
      {"tokenizer.ggml.add_bos_token", true}};
  EXPECT_EQ(metadata, expected);
}

TEST(TokenizerMetadata, PaddedIdsAreUnusedAndNamedOnce) {
  json tokenizer = Tokenizer();
  tokenizer["model"]["vocab"]["[PAD6]"] = 5;  // a name we would take
  const auto metadata = Convert(Source(tokenizer), 8);
  EXPECT_EQ(metadata.at("tokenizer.ggml.tokens"),
            files::GgufValue(Strings{"a", "b", "ab", "<|bos|>", "word",
                                     "[PAD6]", "[PAD6]_", "[PAD7]"}));
  EXPECT_EQ(metadata.at("tokenizer.ggml.token_type"),
            files::GgufValue(Types{1, 1, 1, 3, 4, 1, 5, 5}));
}

TEST(TokenizerMetadata, MergesInOneStringOrTwo) {
  const auto metadata =
      Convert(Source(With("/model/merges", R"(["a b", ["b", "a"]])")));
  EXPECT_EQ(metadata.at("tokenizer.ggml.merges"),
            files::GgufValue(Strings{"a b", "b a"}));
}

TEST(TokenizerMetadata, AddedTokensMayRepeatTheVocabulary) {
  const auto metadata = Convert(
      Source(With("/added_tokens/1", AddedToken(1, "b", true).dump())), 5);
  EXPECT_EQ(metadata.at("tokenizer.ggml.token_type"),
            files::GgufValue(Types{1, 3, 1, 3, 5}));
}

TEST(TokenizerMetadata, NoTemplateMeansNoBos) {
  json tokenizer = Tokenizer();
  tokenizer["post_processor"] = nullptr;
  const auto metadata = Convert(Source(tokenizer));
  EXPECT_FALSE(metadata.contains("tokenizer.ggml.bos_token_id"));
  EXPECT_EQ(metadata.at("tokenizer.ggml.add_bos_token"),
            files::GgufValue(false));
}

TEST(TokenizerMetadata, TokenizerConfigNamesBosAndDecidesWhetherToAddIt) {
  json tokenizer = Tokenizer();
  tokenizer["post_processor"] = nullptr;
  HuggingFaceTokenizer source = Source(tokenizer);
  source.tokenizer_config = json::parse(
      R"({"bos_token": {"content": "<|bos|>"}, "add_bos_token": true})");
  EXPECT_EQ(Convert(source).at("tokenizer.ggml.add_bos_token"),
            files::GgufValue(true));
  source = Source();
  source.tokenizer_config = {{"add_bos_token", false}};
  const auto metadata = Convert(source);
  EXPECT_EQ(metadata.at("tokenizer.ggml.add_bos_token"),
            files::GgufValue(false));
  EXPECT_EQ(metadata.at("tokenizer.ggml.bos_token_id"),
            files::GgufValue(std::uint64_t{3}));
}

TEST(TokenizerMetadata, EndTokensComeFromAllFiles) {
  HuggingFaceTokenizer source = Source();
  source.tokenizer["added_tokens"].push_back(AddedToken(5, "<|eot_id|>", true));
  source.config = json::parse(R"({"eos_token_id": 3})");
  source.generation_config = json::parse(R"({"eos_token_id": [3, 2]})");
  source.tokenizer_config = {{"eos_token", "<|bos|>"}};
  const auto metadata = Convert(source, 6);
  EXPECT_EQ(metadata.at("tokenizer.ggml.eos_token_id"),
            files::GgufValue(std::uint64_t{3}));
  EXPECT_EQ(metadata.at("tokenizer.ggml.eot_token_id"),
            files::GgufValue(std::uint64_t{2}));
  EXPECT_EQ(metadata.at("tokenizer.ggml.eom_token_id"),
            files::GgufValue(std::uint64_t{5}));  // undeclared, by its name
  source.generation_config = json::parse(R"({"eos_token_id": [3, 2, 1]})");
  ExpectError(ErrorCode::kUnsupported, {"generation_config.json", "three"},
              [&] { Convert(source, 6); });
}

TEST(TokenizerMetadata, ChatTemplateInAnyOfItsPlaces) {
  HuggingFaceTokenizer source = Source();
  source.tokenizer_config = {{"chat_template", "{{ x }}"}};
  const std::string key = "tokenizer.chat_template";
  EXPECT_EQ(Convert(source).at(key), files::GgufValue(std::string("{{ x }}")));
  source.tokenizer_config = {{"chat_template",
                              {{{"name", "default"}, {"template", "d"}},
                               {{"name", "rag"}, {"template", "r"}}}}};
  EXPECT_EQ(Convert(source).at(key), files::GgufValue(std::string("d")));
  EXPECT_EQ(Convert(source).at(key + ".rag"),
            files::GgufValue(std::string("r")));
  source.chat_template = "own file";
  EXPECT_EQ(Convert(source).at(key), files::GgufValue(std::string("own file")));
}

TEST(TokenizerMetadata, RefusesWhatGgufCannotSay) {
  ExpectRefused(With("/model/type", R"("Unigram")"), "model.type");
  ExpectRefused(With("/model/ignore_merges", "false"), "model.ignore_merges");
  ExpectRefused(With("/model/dropout", "0.1"), "model.dropout");
  ExpectRefused(With("/model/byte_fallback", "true"), "model.byte_fallback");
  ExpectRefused(With("/model/unk_token", R"("a")"), "model.unk_token");
  ExpectRefused(With("/normalizer", R"({"type": "NFC"})"), "normalizer");
  ExpectRefused(With("/decoder/type", R"("WordPiece")"), "decoder");
  const std::string steps = "/pre_tokenizer/pretokenizers/";
  ExpectRefused(With(steps + "0/pattern/Regex", R"("\\w+")"), "pre_tokenizer");
  ExpectRefused(With(steps + "1/add_prefix_space", "true"), "pre_tokenizer");
  ExpectRefused(With("/pre_tokenizer", "null"), "pre_tokenizer");
  ExpectRefused(With("/added_tokens/1/lstrip", "true"), "lstrip");
  ExpectRefused(With("/added_tokens/1/single_word", "true"), "single_word");
  ExpectRefused(With("/model/merges", R"([["a ", "b"]])"), "model.merges");
  json tokenizer = Tokenizer();
  json& single = tokenizer["post_processor"]["processors"][1]["single"];
  single.push_back(single[0]);
  ExpectRefused(tokenizer, "post_processor");
  HuggingFaceTokenizer source = Source();
  source.tokenizer_config = {{"add_eos_token", true}};
  ExpectError(ErrorCode::kUnsupported, {"add_eos_token"},
              [&] { Convert(source); });
}

TEST(TokenizerMetadata, RefusesWhatContradictsItself) {
  const ErrorCode code = ErrorCode::kMalformed;
  ExpectRefused(With("/model/vocab/ab", "1"), "twice", code);
  ExpectRefused(With("/model/vocab/ab", "5"), "beyond", code);
  ExpectRefused(With("/model/vocab/ab", "-1"), "number", code);
  ExpectRefused(With("/model/vocab/ab", "2.0"), "number", code);
  ExpectRefused(With("/added_tokens/0/id", "1"), "contradicts", code);
  ExpectRefused(With("/added_tokens/0/content", R"("ab")"), "contradicts",
                code);
  ExpectRefused(With("/added_tokens/0", "7"), "Hugging Face", code);
  ExpectRefused(With("/model/merges", "[1]"), "Hugging Face", code);
  ExpectRefused(json::object(), "Hugging Face", code);
  json tokenizer = Tokenizer();
  tokenizer["post_processor"]["processors"][1]["single"][0]["SpecialToken"]
           ["id"] = "<|none|>";
  ExpectRefused(tokenizer, "no token", code);
}

TEST(TokenizerMetadata, ReadsTheFilesOfADirectory) {
  const TemporaryDirectory directory;
  EXPECT_FALSE(ReadHuggingFaceTokenizer(directory.path()).has_value());
  WriteFile(directory / "tokenizer.model", "sentence piece");
  ExpectError(ErrorCode::kUnsupported, {"tokenizer.model", "SentencePiece"},
              [&] { (void)ReadHuggingFaceTokenizer(directory.path()); });
  WriteFile(directory / "tokenizer.json", Tokenizer().dump());
  WriteFile(directory / "tokenizer_config.json", R"({"eos_token": "<|bos|>"})");
  WriteFile(directory / "config.json", R"({"eos_token_id": 2})");
  WriteFile(directory / "chat_template.jinja", "{{ y }}");
  const auto source = ReadHuggingFaceTokenizer(directory.path());
  ASSERT_TRUE(source.has_value());
  EXPECT_TRUE(source->generation_config.is_null());
  const auto metadata = Convert(*source);
  EXPECT_EQ(metadata.at("tokenizer.ggml.eos_token_id"),
            files::GgufValue(std::uint64_t{2}));
  EXPECT_EQ(metadata.at("tokenizer.ggml.eot_token_id"),
            files::GgufValue(std::uint64_t{3}));
  EXPECT_EQ(metadata.at("tokenizer.chat_template"),
            files::GgufValue(std::string("{{ y }}")));
}

}  // namespace
}  // namespace tern
