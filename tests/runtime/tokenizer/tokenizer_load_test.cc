#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include <tern/tokenizer.h>

#include "runtime/files/gguf_writer.h"
#include "tests/runtime/tokenizer/fixtures.h"
#include "tests/runtime/tokenizer/sentence_piece_fixtures.h"

namespace tern {
namespace {

using tokenizer::testing::ExpectRefusal;
using tokenizer::testing::GoldenDirectory;
using tokenizer::testing::TemporaryDirectory;

TEST(TokenizerLoadTest, TakesADirectoryAFileOrTheWeightsBesideIt) {
  const TemporaryDirectory directory;
  directory.Write("tokenizer.json",
                  tokenizer::testing::SmallTokenizerJson().dump());
  directory.Write("model.safetensors", "");
  for (const char* name : {"", "tokenizer.json", "model.safetensors"}) {
    EXPECT_EQ(Tokenizer::Load(directory.path() / name).vocab_size(), 264u)
        << name;
  }
}

TEST(TokenizerLoadTest, ASentencePieceModelIsReadWhereThereIsNoJson) {
  const TemporaryDirectory directory;
  directory.Write("tokenizer.model", tokenizer::testing::PiecesModel(
                                         tokenizer::testing::SmallPieces()));
  directory.Write("model.safetensors", "");
  for (const char* name : {"", "tokenizer.model", "model.safetensors"}) {
    EXPECT_EQ(Tokenizer::Load(directory.path() / name).vocab_size(), 276u)
        << name;
  }
  directory.Write("tokenizer.json",
                  tokenizer::testing::SmallTokenizerJson().dump());
  EXPECT_EQ(Tokenizer::Load(directory.path()).vocab_size(), 264u);
}

TEST(TokenizerLoadTest, WhatIsMissingIsNamed) {
  const TemporaryDirectory directory;
  directory.Write("model.safetensors", "");
  for (const char* name : {"", "model.safetensors"}) {
    ExpectRefusal([&] { return Tokenizer::Load(directory.path() / name); },
                  ErrorCode::kNotFound,
                  {directory.path().string(), "no tokenizer.json"});
  }
  for (const char* name : {"none", "none.gguf", "none/tokenizer.json"}) {
    ExpectRefusal([&] { return Tokenizer::Load(directory.path() / name); },
                  ErrorCode::kNotFound, {name, "no such file"});
  }
}

TEST(TokenizerLoadTest, WhatCannotBeLookedAtIsNotTakenForAbsent) {
  for (const char* name :
       {"tokenizer.json", "tokenizer_config.json", "config.json"}) {
    const TemporaryDirectory directory;
    directory.Write("tokenizer.json",
                    tokenizer::testing::SmallTokenizerJson().dump());
    std::filesystem::remove(directory.path() / name);
    std::filesystem::create_symlink(name, directory.path() / name);
    ExpectRefusal([&] { return Tokenizer::Load(directory.path()); },
                  ErrorCode::kIo, {name, "cannot be opened"});
  }
}

// A GGUF file is one whatever it is called: pack writes to any name.
TEST(TokenizerLoadTest, GgufIsKnownByItsMagic) {
  const TemporaryDirectory directory;
  for (const char* name : {"a.json", "a.model", "a.safetensors"}) {
    const files::GgufFile small = tokenizer::testing::SmallGguf();
    files::GgufWriter writer(directory.path() / name, false,
                             {small.metadata.begin(), small.metadata.end()},
                             {});
    writer.Finish();
    EXPECT_EQ(Tokenizer::Load(directory.path() / name).vocab_size(), 264u);
  }
}

TEST(TokenizerLoadTest, WhatIsNoTokenizerIsRefused) {
  const TemporaryDirectory directory;
  directory.Write("readme.txt", "hello");
  ExpectRefusal(
      [&] { return Tokenizer::Load(directory.path() / "readme.txt"); },
      ErrorCode::kUnsupported, {"readme.txt", "not a tokenizer"});
}

}  // namespace
}  // namespace tern
