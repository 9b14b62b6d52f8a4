// Against vocabularies and files that the repository does not contain.
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <tern/tokenizer.h>

#include "runtime/files/gguf.h"
#include "tests/runtime/tokenizer/fixtures.h"
#include "tests/runtime/tokenizer/sentence_piece_fixtures.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using tokenizer::testing::ReadFile;

const fs::path kReference = TERN_REFERENCE_DIR;

const Tokenizer& Llama3() {
  static const Tokenizer tokenizer =
      Tokenizer::Load(kReference / "tokenizers/llama3");
  return tokenizer;
}

// Texts are separated by a line of their own; ids stand one text a line.
std::vector<std::string> ReadTexts(const fs::path& path) {
  const std::string separator = "\n__ggml_vocab_test__\n";
  const std::string all = ReadFile(path);
  std::vector<std::string> texts;
  std::size_t begin = 0;
  for (auto end = all.find(separator); end != std::string::npos;
       end = all.find(separator, begin)) {
    texts.push_back(all.substr(begin, end - begin));
    begin = end + separator.size();
  }
  if (begin < all.size()) texts.push_back(all.substr(begin));
  return texts;
}

std::vector<std::vector<Token>> ReadIds(const fs::path& path) {
  std::istringstream file(ReadFile(path));
  std::vector<std::vector<Token>> ids;
  for (std::string line; std::getline(file, line);) {
    std::istringstream numbers(line);
    ids.emplace_back();
    for (Token id = 0; numbers >> id;) ids.back().push_back(id);
  }
  return ids;
}

void ExpectVectors(const Tokenizer& tokenizer, const std::string& name) {
  const fs::path folder = kReference / "tokenizers";
  const auto texts = ReadTexts(folder / (name + ".gguf.inp"));
  const auto ids = ReadIds(folder / (name + ".gguf.out"));
  ASSERT_GE(texts.size(), 40u);
  ASSERT_EQ(texts.size(), ids.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(tokenizer.Encode(texts[i], {.add_bos = false}), ids[i])
        << texts[i];
    EXPECT_EQ(tokenizer.Decode(ids[i]), texts[i]);
  }
}

Tokenizer LoadVocabulary(const std::string& name) {
  return Tokenizer::Load(kReference / "tokenizers" / (name + ".gguf"));
}

TEST(TokenizerReferenceTest, Llama3GivesTheIdsOfLlamaCpp) {
  ExpectVectors(Llama3(), "ggml-vocab-llama-bpe");
}

TEST(TokenizerReferenceTest, Gpt2GivesTheIdsOfLlamaCpp) {
  const Tokenizer gpt2 = LoadVocabulary("ggml-vocab-gpt-2");
  ExpectVectors(gpt2, "ggml-vocab-gpt-2");
  EXPECT_FALSE(gpt2.adds_bos());
  EXPECT_EQ(gpt2.eos(), 50256);
}

TEST(TokenizerReferenceTest, Llama2GivesTheIdsOfLlamaCpp) {
  const Tokenizer llama = LoadVocabulary("ggml-vocab-llama-spm");
  ExpectVectors(llama, "ggml-vocab-llama-spm");
  EXPECT_TRUE(llama.adds_bos());
  EXPECT_EQ(llama.bos(), 1);
  EXPECT_EQ(llama.Decode(*llama.bos()), "<s>");
  EXPECT_EQ(llama.eos(), 2);
  EXPECT_TRUE(llama.IsEndOfText(2));
}

std::vector<tokenizer::testing::Piece> Llama2Pieces() {
  const auto file =
      files::ReadGguf(kReference / "tokenizers/ggml-vocab-llama-spm.gguf");
  const auto& names = *file.Strings("tokenizer.ggml.tokens");
  const auto& scores =
      std::get<std::vector<double>>(file.metadata.at("tokenizer.ggml.scores"));
  const auto& types = std::get<std::vector<std::int64_t>>(
      file.metadata.at("tokenizer.ggml.token_type"));
  std::vector<tokenizer::testing::Piece> pieces;
  for (std::size_t id = 0; id < names.size(); ++id) {
    pieces.push_back({names[id], static_cast<float>(scores[id]),
                      static_cast<int>(types[id])});
  }
  return pieces;
}

TEST(TokenizerReferenceTest, Llama2IsTheSameInEveryForm) {
  const tokenizer::testing::TemporaryDirectory directory;
  directory.Write("tokenizer.model",
                  tokenizer::testing::PiecesModel(Llama2Pieces()));
  // 1bitLLM's models have two tokens more.
  directory.Write("added_tokens.json", R"({"<pad>": 32000, "<more>": 32001})");
  const Tokenizer model = Tokenizer::Load(directory.path());
  ExpectVectors(model, "ggml-vocab-llama-spm");
  EXPECT_EQ(model.vocab_size(), 32002u);
  EXPECT_EQ(model.eos(), 2);
  directory.Write("tokenizer.json",
                  tokenizer::testing::PiecesJson(Llama2Pieces()).dump());
  const Tokenizer json = Tokenizer::Load(directory.path());
  EXPECT_EQ(json.vocab_size(), 32000u);
  ExpectVectors(json, "ggml-vocab-llama-spm");
  EXPECT_EQ(json.Encode("Hello"), model.Encode("Hello"));
}

// The file does not name its pre-tokenizer.
TEST(TokenizerReferenceTest, GptNeoxIsKnownByItsVocabulary) {
  const Tokenizer neox = LoadVocabulary("ggml-vocab-gpt-neox");
  EXPECT_NE(neox.description().find("gpt-neox, inferred from 50432 tokens"),
            std::string::npos)
      << neox.description();
  EXPECT_FALSE(neox.adds_bos());
  EXPECT_EQ(neox.Encode("Hello world"), (std::vector<Token>{12092, 1533}));
  // Runs of spaces are added tokens; the longest has 24.
  EXPECT_EQ(neox.Encode(std::string(24, ' ') + "x"),
            (std::vector<Token>{50254, 89}));
  // Form C, as the model's tokenizer.json has it.
  EXPECT_EQ(neox.Encode("cafe\u0301"), neox.Encode("caf\u00E9"));
  for (const std::string& text :
       ReadTexts(kReference / "tokenizers/ggml-vocab-gpt-2.gguf.inp")) {
    const auto ids = neox.Encode(text);
    EXPECT_EQ(neox.Encode(neox.Decode(ids)), ids) << text;
  }
}

TEST(TokenizerReferenceTest, Llama3KnowsItsSpecialTokens) {
  EXPECT_EQ(Llama3().vocab_size(), 128256u);
  EXPECT_EQ(Llama3().bos(), 128000);
  EXPECT_TRUE(Llama3().IsEndOfText(128001));
  EXPECT_TRUE(Llama3().IsEndOfText(128009));
  EXPECT_TRUE(Llama3().IsSpecial(128255));
  EXPECT_FALSE(Llama3().IsSpecial(127999));
}

// A GGUF file and the tokenizer.json it was made from are one tokenizer.
TEST(TokenizerReferenceTest, GgufGivesTheIdsOfTokenizerJson) {
  const Tokenizer json =
      Tokenizer::Load(kReference / "models/books-14m-packed");
  const auto vectors = nlohmann::json::parse(
      ReadFile(kReference / "models/golden/tokenizer.json"));
  for (const char* name :
       {"books-14m.i2_s.gguf", "books-14m.published-metadata.i2_s.gguf",
        "books-79m.tq2_0.gguf"}) {
    SCOPED_TRACE(name);
    const Tokenizer gguf = Tokenizer::Load(kReference / "gguf" / name);
    EXPECT_EQ(gguf.bos(), json.bos());
    EXPECT_EQ(gguf.adds_bos(), json.adds_bos());
    EXPECT_EQ(
        std::vector<Token>(gguf.end_tokens().begin(), gguf.end_tokens().end()),
        (std::vector<Token>{4094, 4095}));
    const bool is_inferred =
        gguf.description().find("inferred") != std::string::npos;
    EXPECT_EQ(is_inferred, std::string_view(name).find("published") !=
                               std::string_view::npos);
    for (const auto& vector : vectors) {
      EXPECT_EQ(gguf.Encode(vector["text"].get<std::string>(),
                            {.add_bos = false, .parse_special = true}),
                vector["ids"].get<std::vector<Token>>())
          << vector["text"];
    }
    for (Token token = 0; token < 4096; ++token) {
      ASSERT_EQ(gguf.Decode(token), json.Decode(token));
      ASSERT_EQ(gguf.IsSpecial(token), json.IsSpecial(token));
    }
  }
}

}  // namespace
}  // namespace tern
