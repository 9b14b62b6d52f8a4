#include "runtime/tokenizer/tokenizer_gguf.h"

#include <functional>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/tokenizer/gguf_pre_tokenizer.h"
#include "runtime/tokenizer/tokenizer_json.h"
#include "tests/runtime/tokenizer/fixtures.h"

namespace tern::tokenizer {
namespace {

using files::GgufFile;
using files::GgufValue;
using testing::ExpectRefusal;
using testing::SmallGguf;

using Ids = std::vector<Token>;

GgufFile With(const std::string& key, const GgufValue& value) {
  GgufFile file = SmallGguf();
  file.metadata.insert_or_assign(key, value);
  return file;
}

GgufFile Without(const std::string& key) {
  GgufFile file = SmallGguf();
  file.metadata.erase(key);
  return file;
}

template <typename T>
T& Value(GgufFile& file, const std::string& key) {
  return std::get<T>(file.metadata.at(key));
}

Ids Ends(const Tokenizer& tokenizer) {
  return {tokenizer.end_tokens().begin(), tokenizer.end_tokens().end()};
}

TEST(TokenizerGgufTest, GivesTheIdsOfTheJsonForm) {
  const testing::TemporaryDirectory directory;
  directory.Write("tokenizer.json", testing::SmallTokenizerJson().dump());
  const Tokenizer json = LoadJsonTokenizer(directory.path() / "tokenizer.json");
  const Tokenizer gguf = MakeGgufTokenizer(SmallGguf());
  EXPECT_EQ(gguf.vocab_size(), json.vocab_size());
  EXPECT_EQ(gguf.bos(), json.bos());
  EXPECT_EQ(gguf.adds_bos(), json.adds_bos());
  for (const char* text :
       {"hello a", "hell words\n\xFF", "x<|eot_id|>y", " a", ""}) {
    for (const bool parse : {false, true}) {
      const EncodeOptions options{.add_bos = true, .parse_special = parse};
      EXPECT_EQ(gguf.Encode(text, options), json.Encode(text, options)) << text;
    }
  }
}

TEST(TokenizerGgufTest, PreTokenizerIsInferredForBitnetOnly) {
  GgufFile file = Without("tokenizer.ggml.pre");
  const Tokenizer tokenizer = MakeGgufTokenizer(file);
  EXPECT_NE(tokenizer.description().find("inferred"), std::string::npos);
  EXPECT_EQ(tokenizer.Encode("hello a"), (Ids{261, 259, 260}));
  EXPECT_EQ(MakeGgufTokenizer(SmallGguf()).description().find("inferred"),
            std::string::npos);

  Value<std::string>(file, "general.architecture") = "bitnet-25";
  EXPECT_EQ(MakeGgufTokenizer(file).Encode("hello a"), (Ids{261, 259, 260}));
  Value<std::string>(file, "general.architecture") = "llama";
  ExpectRefusal([&] { return MakeGgufTokenizer(file); },
                ErrorCode::kUnsupported, {"small.gguf: tokenizer.ggml.pre:"});
}

// The vocabularies that everybody knows: their size, BOS and EOS.
TEST(TokenizerGgufTest, PreTokenizerIsInferredFromAKnownVocabulary) {
  using Id = std::optional<std::uint64_t>;
  const auto infer = [](const GgufValue& architecture, std::size_t size, Id bos,
                        Id eos, const char* pre) {
    GgufFile file;
    file.path = "big.gguf";
    file.metadata = {{"general.architecture", architecture},
                     {"tokenizer.ggml.tokens", std::vector<std::string>(size)}};
    if (bos) file.metadata["tokenizer.ggml.bos_token_id"] = *bos;
    if (eos) file.metadata["tokenizer.ggml.eos_token_id"] = *eos;
    if (pre != nullptr) file.metadata["tokenizer.ggml.pre"] = std::string(pre);
    const tokenizer::FoundPreTokenizer found =
        tokenizer::FindGgufPreTokenizer(file);
    return std::string(found.kind->name) + found.origin;
  };
  const std::string llama = "llama";
  EXPECT_EQ(infer(llama, 128256, 128000, 128001, nullptr),
            "llama-bpe, inferred from 128256 tokens, bos 128000, eos 128001 "
            "because tokenizer.ggml.pre is missing");
  EXPECT_EQ(infer(llama, 128256, 128000, 128001, "default"),
            "llama-bpe, inferred from 128256 tokens, bos 128000, eos 128001 "
            "because tokenizer.ggml.pre is 'default'");
  const auto name = [&](std::size_t size, Id bos, Id eos) {
    const std::string found = infer(llama, size, bos, eos, nullptr);
    return found.substr(0, found.find(','));
  };
  EXPECT_EQ(name(131072, {}, 11), "falcon3");
  EXPECT_EQ(name(131072, 11, 11), "falcon3");
  EXPECT_EQ(name(151936, {}, 151645), "qwen2");
  EXPECT_EQ(name(151669, 151643, 151643), "qwen2");
  EXPECT_EQ(name(50257, 50256, 50256), "gpt-2");
  EXPECT_EQ(name(50257, 0, 0), "gpt-neox");
  EXPECT_EQ(name(50304, 0, 0), "gpt-neox");
  EXPECT_EQ(infer(std::string("bitnet-b1.58"), 7, {}, {}, nullptr),
            "llama-bpe, inferred from the architecture because "
            "tokenizer.ggml.pre is missing");
  // Nearly these are others: Mistral's Tekken has 131072 tokens too.
  for (const auto& known :
       std::vector<std::tuple<std::size_t, Id, Id>>{{131072, 1, 2},
                                                    {131072, 1, 11},
                                                    {151936, 1, 151645},
                                                    {128256, 1, 128001},
                                                    {128257, 128000, 128001},
                                                    {151936, {}, {}},
                                                    {152064, {}, 151645},
                                                    {50257, {}, {}},
                                                    {50258, 50256, 50256},
                                                    {50304, 0, 1},
                                                    {32000, 1, 2}}) {
    ExpectRefusal([&] { return std::apply(name, known); },
                  ErrorCode::kUnsupported,
                  {"big.gguf: tokenizer.ggml.pre: missing", "convert"});
  }
}

TEST(TokenizerGgufTest, OtherNamesOfLlamaBpeAreKnown) {
  for (const char* name : {"llama3", "llama-v3"}) {
    EXPECT_EQ(MakeGgufTokenizer(With("tokenizer.ggml.pre", std::string(name)))
                  .Encode("hello a"),
              (Ids{261, 259, 260}));
  }
}

TEST(TokenizerGgufTest, UndeclaredEndOfTurnEndsGeneration) {
  EXPECT_EQ(Ends(MakeGgufTokenizer(SmallGguf())), (Ids{0, 262}));
  GgufFile file = With("tokenizer.ggml.eot_token_id", std::uint64_t{7});
  EXPECT_EQ(Ends(MakeGgufTokenizer(file)), (Ids{0, 7, 262}));
  // Only as a control token: as a word it is text.
  file = SmallGguf();
  Value<std::vector<std::int64_t>>(file, "tokenizer.ggml.token_type")[262] = 4;
  EXPECT_EQ(Ends(MakeGgufTokenizer(file)), Ids{0});
}

TEST(TokenizerGgufTest, AddBosTokenIsRespected) {
  EXPECT_TRUE(MakeGgufTokenizer(SmallGguf()).adds_bos());
  const Tokenizer without =
      MakeGgufTokenizer(With("tokenizer.ggml.add_bos_token", false));
  EXPECT_FALSE(without.adds_bos());
  EXPECT_EQ(without.bos(), 261);
  EXPECT_EQ(without.Encode("a"), Ids{'a'});
}

TEST(TokenizerGgufTest, BosIsFoundByNameOrThereIsNone) {
  GgufFile file = Without("tokenizer.ggml.bos_token_id");
  EXPECT_EQ(MakeGgufTokenizer(file).bos(), 261);
  Value<std::vector<std::string>>(file, "tokenizer.ggml.tokens")[261] = "<s>";
  EXPECT_EQ(MakeGgufTokenizer(file).bos(), std::nullopt);
  EXPECT_EQ(MakeGgufTokenizer(file).Encode("a"), Ids{'a'});
  file.metadata["tokenizer.ggml.add_bos_token"] = true;
  ExpectRefusal([&] { return MakeGgufTokenizer(file); }, ErrorCode::kMalformed,
                {"tokenizer.ggml.add_bos_token", "bos_token_id"});
}

TEST(TokenizerGgufTest, UnusedTokensAreNeverMade) {
  GgufFile file = SmallGguf();
  Value<std::vector<std::int64_t>>(file, "tokenizer.ggml.token_type")[260] = 5;
  const Tokenizer tokenizer = MakeGgufTokenizer(file);
  EXPECT_EQ(tokenizer.Encode(" a", {.add_bos = false}), (Ids{' ', 'a'}));
}

TEST(TokenizerGgufTest, WhatIsNotKnownIsRefusedByName) {
  const auto expect = [](const GgufFile& file, ErrorCode code,
                         const std::vector<std::string>& parts) {
    SCOPED_TRACE(parts.front());
    ExpectRefusal([&] { return MakeGgufTokenizer(file); }, code, parts);
  };
  constexpr auto kUnsupported = ErrorCode::kUnsupported;
  constexpr auto kMalformed = ErrorCode::kMalformed;
  expect(With("tokenizer.ggml.model", std::string("bert")), kUnsupported,
         {"small.gguf: tokenizer.ggml.model", "'bert'"});
  for (const char* pre : {"falcon", "mpt", "tekken", ""}) {
    expect(With("tokenizer.ggml.pre", std::string(pre)), kUnsupported,
           {"tokenizer.ggml.pre", "'" + std::string(pre) + "'"});
  }
  expect(With("tokenizer.ggml.add_eos_token", true), kUnsupported,
         {"tokenizer.ggml.add_eos_token"});
  for (const char* key : {"model", "tokens", "token_type", "merges"}) {
    const std::string name = "tokenizer.ggml." + std::string(key);
    expect(Without(name), ErrorCode::kNotFound, {name, "missing"});
  }
  for (const char* which : {"bos", "eos", "eot"}) {
    const std::string name =
        "tokenizer.ggml." + std::string(which) + "_token_id";
    expect(With(name, std::uint64_t{264}), kMalformed, {name, "264"});
  }
  expect(With("tokenizer.ggml.token_type", std::string("3")), kMalformed,
         {"tokenizer.ggml.token_type"});
  expect(With("tokenizer.ggml.token_type", std::vector<std::int64_t>(263, 1)),
         kMalformed, {"tokenizer.ggml.token_type", "263", "264"});
}

TEST(TokenizerGgufTest, KeysThatCouldChangeAnIdAreRefused) {
  const auto expect = [](const std::string& name, const GgufValue& value) {
    SCOPED_TRACE(name);
    ExpectRefusal(
        [&] { return MakeGgufTokenizer(With("tokenizer." + name, value)); },
        ErrorCode::kUnsupported, {"small.gguf", "tokenizer." + name});
  };
  for (const char* flag : {"add_space_prefix", "remove_extra_whitespaces",
                           "add_sep_token", "add_eos_token"}) {
    const std::string name = "ggml." + std::string(flag);
    expect(name, true);
    EXPECT_NO_THROW((void)MakeGgufTokenizer(With("tokenizer." + name, false)));
  }
  expect("tern.dummy_prefix", std::string("first"));  // of SentencePiece
  expect("ggml.normalizer.lowercase", false);
  expect("ggml.precompiled_charsmap", std::vector<std::int64_t>{1});
  expect("huggingface.json", std::string("{}"));
  expect("ggml.added_tokens", std::vector<std::string>{"a"});
}

TEST(TokenizerGgufTest, KeysThatCannotChangeAnIdArePassedOver) {
  GgufFile file = SmallGguf();
  for (const char* name : {"padding", "unknown", "seperator", "cls", "mask",
                           "fim_pre", "fim_suf", "fim_mid"}) {
    file.metadata["tokenizer.ggml." + std::string(name) + "_token_id"] =
        std::uint64_t{1};
  }
  file.metadata["tokenizer.ggml.scores"] = std::vector<double>(264);
  file.metadata["tokenizer.chat_template"] = std::string("x");
  file.metadata["tokenizer.chat_template.rag"] = std::string("y");
  EXPECT_EQ(MakeGgufTokenizer(file).Encode("hello a"), (Ids{261, 259, 260}));
}

TEST(TokenizerGgufTest, BrokenTablesAreRefused) {
  const auto refuse = [](const std::function<void(GgufFile&)>& change,
                         ErrorCode code,
                         const std::vector<std::string>& parts) {
    GgufFile file = SmallGguf();
    change(file);
    ExpectRefusal([&] { return MakeGgufTokenizer(file); }, code, parts);
  };
  using Names = std::vector<std::string>;
  using Types = std::vector<std::int64_t>;
  for (const std::int64_t type : {0, 2, 6, 7, -1}) {
    refuse(
        [&](GgufFile& file) {
          Value<Types>(file, "tokenizer.ggml.token_type")[9] = type;
        },
        ErrorCode::kUnsupported,
        {"tokenizer.ggml.token_type[9]", std::to_string(type)});
  }
  refuse(
      [](GgufFile& f) { Value<Names>(f, "tokenizer.ggml.tokens")[257] = "he"; },
      ErrorCode::kMalformed, {"tokenizer.ggml.tokens", "256 and 257", "he"});
  refuse(
      [](GgufFile& f) {
        Value<Names>(f, "tokenizer.ggml.tokens")[261] = "<|eot_id|>";
      },
      ErrorCode::kMalformed, {"tokenizer.ggml.tokens", "261 and 262"});
  refuse(
      [](GgufFile& f) { Value<Names>(f, "tokenizer.ggml.tokens")[65] = "zz"; },
      ErrorCode::kUnsupported, {"tokenizer.ggml.tokens", "byte 65"});
  refuse(
      [](GgufFile& f) { Value<Names>(f, "tokenizer.ggml.merges")[2] = "he x"; },
      ErrorCode::kMalformed, {"tokenizer.ggml.merges[2]", "hex"});
  refuse(
      [](GgufFile& f) { Value<Names>(f, "tokenizer.ggml.merges")[2] = "hell"; },
      ErrorCode::kMalformed, {"tokenizer.ggml.merges[2]", "hell"});
  refuse(
      [](GgufFile& f) { Value<Names>(f, "tokenizer.ggml.merges")[2] = "h e"; },
      ErrorCode::kMalformed, {"tokenizer.ggml.merges[2]", "merge 0"});
}

}  // namespace
}  // namespace tern::tokenizer
