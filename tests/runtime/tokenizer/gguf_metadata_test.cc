#include "runtime/tokenizer/gguf_metadata.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>

#include "runtime/tokenizer/tokenizer_gguf.h"
#include "runtime/tokenizer/tokenizer_json.h"
#include "tests/runtime/tokenizer/fixtures.h"
#include "tests/runtime/tokenizer/sentence_piece_fixtures.h"

namespace tern::tokenizer {
namespace {

using files::GgufFile;
using files::GgufValue;
using nlohmann::json;
using testing::ExpectRefusal;
using testing::GoldenDirectory;
using testing::SmallTokenizerJson;
using testing::TemporaryDirectory;

using Strings = std::vector<std::string>;
using Types = std::vector<std::int64_t>;

constexpr std::size_t kSmallSize = 264;

GgufFile Convert(const std::filesystem::path& directory,
                 std::size_t vocab_size = kSmallSize) {
  const files::GgufMetadata metadata =
      TokenizerMetadata(ReadSpecForGguf(directory).value(),
                        ReadChatTemplates(directory), vocab_size);
  GgufFile file;
  file.path = "packed.gguf";
  file.metadata = {metadata.begin(), metadata.end()};
  return file;
}

GgufFile Convert(const json& tokenizer, std::size_t vocab_size = kSmallSize) {
  const TemporaryDirectory directory;
  directory.Write("tokenizer.json", tokenizer.dump());
  return Convert(directory.path(), vocab_size);
}

GgufValue Get(const GgufFile& file, const std::string& name) {
  return file.metadata.at("tokenizer." + name);
}

json AddedToken(int id, const char* content, bool special, bool normalized) {
  return {{"id", id},        {"content", content}, {"lstrip", false},
          {"rstrip", false}, {"special", special}, {"normalized", normalized}};
}

TEST(TokenizerMetadata, HasTheKeysOfAByteLevelTokenizer) {
  const GgufFile file = Convert(SmallTokenizerJson());
  Strings tokens = testing::ByteSpellings();
  for (const char* name : {"he", "ll", "hell", "hello", "\u0120a",
                           "<|begin_of_text|>", "<|eot_id|>", "word"}) {
    tokens.emplace_back(name);
  }
  Types types(kSmallSize, 1);
  types[261] = types[262] = 3;
  types[263] = 4;
  const std::map<std::string, GgufValue> expected = {
      {"tokenizer.ggml.model", std::string("gpt2")},
      {"tokenizer.ggml.pre", std::string("llama-bpe")},
      {"tokenizer.ggml.tokens", tokens},
      {"tokenizer.ggml.token_type", types},
      {"tokenizer.ggml.merges", Strings{"h e", "l l", "he ll", "hell o"}},
      {"tokenizer.ggml.bos_token_id", std::uint64_t{261}},
      {"tokenizer.ggml.eos_token_id", std::uint64_t{262}},
      {"tokenizer.ggml.add_bos_token", true}};
  EXPECT_EQ(file.metadata, expected);
}

// What is written must be the tokenizer that was read.
TEST(TokenizerMetadata, GivesTheIdsOfTheHuggingFaceForm) {
  const Tokenizer from =
      LoadJsonTokenizer(GoldenDirectory() / "tokenizer.json");
  const Tokenizer to = MakeGgufTokenizer(Convert(GoldenDirectory(), 4100));
  EXPECT_EQ(to.vocab_size(), 4100U);
  EXPECT_EQ(to.bos(), from.bos());
  EXPECT_EQ(to.adds_bos(), from.adds_bos());
  EXPECT_EQ(
      std::vector<Token>(to.end_tokens().begin(), to.end_tokens().end()),
      std::vector<Token>(from.end_tokens().begin(), from.end_tokens().end()));
  const json vectors =
      json::parse(testing::ReadFile(GoldenDirectory() / "vectors.json"));
  ASSERT_GE(vectors.size(), 40U);
  for (const json& vector : vectors) {
    const auto text = vector["text"].get<std::string>();
    for (const bool parse : {false, true}) {
      const EncodeOptions options{.add_bos = true, .parse_special = parse};
      EXPECT_EQ(to.Encode(text, options), from.Encode(text, options)) << text;
    }
  }
  for (Token token = 0; token < 4096; ++token) {
    ASSERT_EQ(to.Decode(token), from.Decode(token));
    ASSERT_EQ(to.IsSpecial(token), from.IsSpecial(token));
  }
}

TEST(TokenizerMetadata, PaddedIdsAreUnusedAndNamedOnce) {
  json tokenizer = SmallTokenizerJson();
  tokenizer["model"]["vocab"]["[PAD265]"] = 264;  // a name we would take
  const GgufFile file = Convert(tokenizer, 267);
  const auto tokens = std::get<Strings>(Get(file, "ggml.tokens"));
  EXPECT_EQ(Strings(tokens.begin() + 264, tokens.end()),
            (Strings{"[PAD265]", "[PAD265]_", "[PAD266]"}));
  const auto types = std::get<Types>(Get(file, "ggml.token_type"));
  EXPECT_EQ(Types(types.begin() + 264, types.end()), (Types{1, 5, 5}));
}

TEST(TokenizerMetadata, MergesInOneStringOrTwo) {
  json tokenizer = SmallTokenizerJson();
  tokenizer["model"]["merges"] = {"h e", "l l", "he ll", "hell o"};
  EXPECT_EQ(Convert(tokenizer).metadata,
            Convert(SmallTokenizerJson()).metadata);
}

TEST(TokenizerMetadata, NoTemplateMeansNoBos) {
  json tokenizer = SmallTokenizerJson();
  tokenizer["post_processor"] = nullptr;
  const GgufFile file = Convert(tokenizer);
  EXPECT_FALSE(file.metadata.contains("tokenizer.ggml.bos_token_id"));
  EXPECT_EQ(Get(file, "ggml.add_bos_token"), GgufValue(false));
  EXPECT_FALSE(MakeGgufTokenizer(file).adds_bos());
}

TEST(TokenizerMetadata, EndTokensComeFromAllFilesInTheirOrder) {
  const TemporaryDirectory directory;
  directory.Write("tokenizer.json", SmallTokenizerJson().dump());
  directory.Write("config.json", R"({"eos_token_id": 3})");
  directory.Write("generation_config.json", R"({"eos_token_id": [3, 2]})");
  const GgufFile file = Convert(directory.path());
  EXPECT_EQ(Get(file, "ggml.eos_token_id"), GgufValue(std::uint64_t{3}));
  EXPECT_EQ(Get(file, "ggml.eot_token_id"), GgufValue(std::uint64_t{2}));
  // <|eot_id|>: undeclared, by its name.
  EXPECT_EQ(Get(file, "ggml.eom_token_id"), GgufValue(std::uint64_t{262}));
  // A fourth needs no key if its name says what it is, ...
  directory.Write("generation_config.json", R"({"eos_token_id": [3, 2, 1]})");
  const Tokenizer four = MakeGgufTokenizer(Convert(directory.path()));
  EXPECT_TRUE(four.IsEndOfText(1));
  EXPECT_TRUE(four.IsEndOfText(262));
  // ... and has no place otherwise.
  directory.Write("generation_config.json",
                  R"({"eos_token_id": [3, 2, 1, 0]})");
  ExpectRefusal([&] { return Convert(directory.path()); },
                ErrorCode::kUnsupported, {"eos_token_id", "three"});
}

TEST(TokenizerMetadata, ChatTemplateInAnyOfItsPlaces) {
  const TemporaryDirectory directory;
  directory.Write("tokenizer.json", SmallTokenizerJson().dump());
  const auto get = [&](const std::string& name) {
    return Get(Convert(directory.path()), name);
  };
  directory.Write("tokenizer_config.json", R"({"chat_template": "{{ x }}"})");
  EXPECT_EQ(get("chat_template"), GgufValue(std::string("{{ x }}")));
  directory.Write("tokenizer_config.json", R"({"chat_template": [
      {"name": "default", "template": "d"},
      {"name": "rag", "template": "r"}]})");
  EXPECT_EQ(get("chat_template"), GgufValue(std::string("d")));
  EXPECT_EQ(get("chat_template.rag"), GgufValue(std::string("r")));
  directory.Write("tokenizer_config.json", R"({"chat_template": [
      {"name": "rag", "template": "d"}, {"name": "rag", "template": "r"}]})");
  ExpectRefusal([&] { return get("chat_template"); }, ErrorCode::kUnsupported,
                {"chat_template[1].name", "'rag'", "twice"});
  directory.Write("tokenizer_config.json", R"({"chat_template": {}})");
  ExpectRefusal([&] { return get("chat_template"); }, ErrorCode::kMalformed,
                {"tokenizer_config.json", "chat_template"});
  directory.Write("chat_template.jinja", "own file");
  EXPECT_EQ(get("chat_template"), GgufValue(std::string("own file")));
}

// What GGUF does not say must follow from the name of the pre-tokenizer.
TEST(TokenizerMetadata, PreTokenizersAreNamedByAllTheirProperties) {
  json tokenizer = SmallTokenizerJson();
  const auto pre = [&] {
    const GgufFile file = Convert(tokenizer);
    const TokenizerSpec spec = ReadGgufSpec(file);
    EXPECT_EQ(spec.nfc, !tokenizer["normalizer"].is_null());
    EXPECT_EQ(spec.ignore_merges, tokenizer["model"]["ignore_merges"]);
    return std::get<std::string>(Get(file, "ggml.pre"));
  };
  EXPECT_EQ(pre(), "llama-bpe");
  tokenizer["model"]["ignore_merges"] = false;
  EXPECT_EQ(pre(), "smaug-bpe");
  tokenizer["pre_tokenizer"] = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  EXPECT_EQ(pre(), "gpt-2");
  tokenizer["normalizer"] = {{"type", "NFC"}};
  tokenizer["added_tokens"][2]["content"] = "   ";  // as GPT-NeoX's
  EXPECT_EQ(pre(), "olmo");
}

TEST(TokenizerMetadata, SentencePieceComesBackAsItWas) {
  const TemporaryDirectory directory;
  directory.Write("tokenizer.model",
                  testing::PiecesModel(testing::SmallPieces()));
  directory.Write("added_tokens.json", R"({"<pad>": 276, "word": 277})");
  directory.Write("special_tokens_map.json", R"({"pad_token": "<pad>"})");
  directory.Write("tokenizer_config.json", R"({"legacy": false})");
  const TokenizerSpec from = ReadSpecForGguf(directory.path()).value();
  GgufFile file;
  file.path = "packed.gguf";
  for (const auto& [key, value] : TokenizerMetadata(from, {}, 280)) {
    file.metadata[key] = value;
  }
  const TokenizerSpec to = ReadGgufSpec(file);
  ASSERT_EQ(to.tokens.size(), 280U);
  for (std::size_t id = 0; id < from.tokens.size(); ++id) {
    EXPECT_EQ(to.tokens[id].bytes, from.tokens[id].bytes) << id;
    EXPECT_EQ(to.tokens[id].kind, from.tokens[id].kind) << id;
    EXPECT_EQ(to.tokens[id].score, from.tokens[id].score) << id;
  }
  EXPECT_EQ(to.dummy_prefix, from.dummy_prefix);
  EXPECT_TRUE(to.dummy_prefix.first_only);
  EXPECT_EQ(to.bos, from.bos);
  EXPECT_EQ(to.adds_bos, from.adds_bos);
  EXPECT_EQ(to.eos, from.eos);
  EXPECT_EQ(to.unknown, from.unknown);
  EXPECT_EQ(to.end_tokens, from.end_tokens);
}

TEST(TokenizerMetadata, MergesOfSentencePieceBecomeScores) {
  std::vector<testing::Piece> pieces = testing::SmallPieces();
  // Without runs of spaces, which share a score.
  pieces.erase(pieces.begin() + 259, pieces.begin() + 262);
  const TemporaryDirectory directory;
  const json tokenizer = testing::PiecesJson(pieces);
  directory.Write("tokenizer.json", tokenizer.dump());
  const Tokenizer from = LoadJsonTokenizer(directory.path() / "tokenizer.json");
  const Tokenizer to = MakeGgufTokenizer(Convert(directory.path(), 273));
  for (const char* text : {"hello hell ahello", "  hehello", "ll he\u00E9 l"}) {
    EXPECT_EQ(to.Encode(text), from.Encode(text)) << text;
  }
  // Where the pairs of a piece do not stand together no scores say the same,
  // and tokenizer.model is needed.
  json apart = tokenizer;
  apart["model"]["merges"].push_back(apart["model"]["merges"][0]);
  apart["model"]["merges"].erase(0);
  directory.Write("tokenizer.json", apart.dump());
  EXPECT_NO_THROW((void)Convert(directory.path(), 273));
  directory.Write("tokenizer.json",
                  testing::PiecesJson(testing::SmallPieces()).dump());
  ExpectRefusal([&] { return Convert(directory.path(), 276); },
                ErrorCode::kUnsupported, {"model.merges", "tokenizer.model"});
  directory.Write("tokenizer.model",
                  testing::PiecesModel(testing::SmallPieces()));
  EXPECT_EQ(MakeGgufTokenizer(Convert(directory.path(), 276)).Encode("hello"),
            (std::vector<Token>{1, 266}));
}

TEST(TokenizerMetadata, RefusesWhatGgufCannotSay) {
  json tokenizer = SmallTokenizerJson();
  tokenizer["normalizer"] = {{"type", "NFC"}};
  ExpectRefusal([&] { return Convert(tokenizer); }, ErrorCode::kUnsupported,
                {"tokenizer.json", "normalizer"});
  tokenizer["pre_tokenizer"] = {{"type", "ByteLevel"},
                                {"add_prefix_space", false}};
  ExpectRefusal([&] { return Convert(tokenizer); }, ErrorCode::kUnsupported,
                {"tokenizer.json", "model.ignore_merges"});
  tokenizer["model"]["ignore_merges"] = false;  // "word" is normalized
  ExpectRefusal([&] { return Convert(tokenizer); }, ErrorCode::kUnsupported,
                {"added_tokens", "'word'"});
  ExpectRefusal([&] { return Convert(SmallTokenizerJson(), kSmallSize - 1); },
                ErrorCode::kMalformed, {"264 tokens", "263"});
}

// "word" is normalized, so Hugging Face looks for it after the others.
TEST(TokenizerMetadata, RefusesAddedWordsWhoseOrderGgufCannotSay) {
  for (const char* early : {"rds", "sword", "swo", "or", "word!"}) {
    SCOPED_TRACE(early);
    json tokenizer = SmallTokenizerJson();
    tokenizer["added_tokens"].push_back(AddedToken(264, early, false, false));
    ExpectRefusal([&] { return Convert(tokenizer, 265); },
                  ErrorCode::kUnsupported,
                  {"added_tokens", std::string("'") + early + "'", "'word'"});
    tokenizer["added_tokens"].back()["normalized"] = true;
    EXPECT_NO_THROW((void)Convert(tokenizer, 265));
  }
  json apart = SmallTokenizerJson();
  apart["added_tokens"].push_back(AddedToken(264, "other", false, false));
  EXPECT_NO_THROW((void)Convert(apart, 265));
}

}  // namespace
}  // namespace tern::tokenizer
