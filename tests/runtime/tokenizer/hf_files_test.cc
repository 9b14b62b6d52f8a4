// A tokenizer that came from GGUF as the files of Hugging Face, and back.
#include "runtime/tokenizer/hf_files.h"

#include <string>

#include <gtest/gtest.h>

#include <tern/error.h>

#include "runtime/tokenizer/gguf_metadata.h"
#include "runtime/tokenizer/tokenizer_gguf.h"
#include "runtime/tokenizer/tokenizer_impl.h"
#include "runtime/tokenizer/tokenizer_json.h"
#include "runtime/tokenizer/tokenizer_model.h"
#include "tests/runtime/tokenizer/fixtures.h"
#include "tests/runtime/tokenizer/sentence_piece_fixtures.h"
#include "tests/support/expect_error.h"

namespace tern::tokenizer {
namespace {

using testing::TemporaryDirectory;

void Write(const TokenizerSpec& spec, const TemporaryDirectory& directory,
           const std::vector<ChatTemplate>& templates = {}) {
  for (const auto& [name, text] : MakeHfFiles(spec, templates)) {
    directory.Write(name.c_str(), text);
  }
}

// What SmallTokenizerJson says, in GGUF's words, padded to 300 tokens.
files::GgufFile SmallGguf() {
  const TemporaryDirectory directory;
  directory.Write("tokenizer.json", testing::SmallTokenizerJson().dump());
  files::GgufFile file;
  file.path = "small.gguf";
  const TokenizerSpec spec = ReadJsonSpec(directory.path() / "tokenizer.json");
  for (auto& [key, value] : TokenizerMetadata(spec, {}, 300)) {
    file.metadata.emplace(key, value);
  }
  return file;
}

TEST(HfFiles, AByteLevelVocabularyComesBack) {
  const files::GgufFile file = SmallGguf();
  const TokenizerSpec spec = ReadGgufSpec(file);
  const TemporaryDirectory directory;
  Write(spec, directory);
  const auto back = ReadSpecForGguf(directory.path());
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(FirstDifference(spec, *back), "");
  EXPECT_LT(back->tokens.size(), spec.tokens.size());  // without the padding
  const Tokenizer a(std::make_unique<const Tokenizer::Impl>(spec));
  const Tokenizer b(std::make_unique<const Tokenizer::Impl>(*back));
  EXPECT_EQ(a.Encode("hello words \xff 12"), b.Encode("hello words \xff 12"));
}

TEST(HfFiles, ChatTemplatesComeBack) {
  const files::GgufFile file = SmallGguf();
  for (const std::vector<ChatTemplate>& templates :
       {std::vector<ChatTemplate>{{"", "{{ x }}\n"}},
        std::vector<ChatTemplate>{{"", "one"}, {"tool_use", "two"}}}) {
    const TemporaryDirectory directory;
    Write(ReadGgufSpec(file), directory, templates);
    const auto back = ReadChatTemplates(directory.path());
    ASSERT_EQ(back.size(), templates.size());
    for (std::size_t i = 0; i < back.size(); ++i) {
      EXPECT_EQ(back[i].name, templates[i].name);
      EXPECT_EQ(back[i].text, templates[i].text);
    }
  }
}

TEST(HfFiles, SentencePieceBecomesAModelWithItsScores) {
  const files::GgufFile file = testing::PiecesGguf(testing::SmallPieces());
  TokenizerSpec spec = ReadGgufSpec(file);
  const TemporaryDirectory directory;
  Write(spec, directory);
  const auto back = ReadSpecForGguf(directory.path());
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(FirstDifference(spec, *back), "");
  const Tokenizer a(std::make_unique<const Tokenizer::Impl>(spec));
  const Tokenizer b(std::make_unique<const Tokenizer::Impl>(*back));
  const std::string text = "hello  hell\n     o\xc3\xa9";
  EXPECT_EQ(a.Encode(text), b.Encode(text));
}

// Every property that could change an id is looked at.
TEST(HfFiles, DifferencesAreNamed) {
  const files::GgufFile file = SmallGguf();
  const TokenizerSpec spec = ReadGgufSpec(file);
  const auto difference = [&](auto change) {
    TokenizerSpec other = spec;
    change(other);
    return FirstDifference(spec, other);
  };
  using Spec = TokenizerSpec;
  EXPECT_EQ(difference([](Spec&) {}), "");
  EXPECT_EQ(difference([](Spec& s) { s.tokens[5].bytes = "?"; }).substr(0, 8),
            "token 5,");
  EXPECT_NE(difference([](Spec& s) { s.tokens.resize(9); }), "");
  EXPECT_EQ(difference([](Spec& s) { s.merges.pop_back(); }), "its merges");
  EXPECT_EQ(difference([](Spec& s) { s.nfc = !s.nfc; }), "its normalization");
  EXPECT_EQ(difference([](Spec& s) { s.ignore_merges = !s.ignore_merges; }),
            "ignore_merges");
  EXPECT_EQ(difference([](Spec& s) { s.adds_bos = !s.adds_bos; }),
            "its beginning-of-text token");
  EXPECT_EQ(difference([](Spec& s) { s.end_tokens.push_back(1); }),
            "its end tokens");
}

TEST(HfFiles, RefusesANameThatIsThereTwice) {
  const files::GgufFile file = SmallGguf();
  TokenizerSpec spec = ReadGgufSpec(file);
  spec.tokens[7] = spec.tokens[8];
  ExpectError(ErrorCode::kUnsupported, {"small.gguf", "twice"},
              [&] { (void)MakeHfFiles(spec, {}); });
}

}  // namespace
}  // namespace tern::tokenizer
