// Pack against files that other programs wrote of the same models.
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/pack.h>

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/files/gguf.h"
#include "runtime/tokenizer/gguf_metadata.h"
#include "runtime/tokenizer/tokenizer_gguf.h"
#include "runtime/tokenizer/tokenizer_json.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using checkpoint::LinearSource;
using files::GgufFile;
using files::StoredTensor;
using files::StoredType;

fs::path Model(const std::string& name) {
  return fs::path(TERN_REFERENCE_DIR) / "models" / name;
}
fs::path Gguf(const std::string& name) {
  return fs::path(TERN_REFERENCE_DIR) / "gguf" / name;
}

packing::TernaryMatrix Ternary(const StoredTensor& tensor) {
  LinearSource source;
  source.kind = checkpoint::LinearKind::kTernary;
  source.rows = tensor.shape.at(0);
  source.cols = tensor.shape.at(1);
  source.weight = tensor;
  return checkpoint::ReadLinear(source);
}

bool IsTernary(const StoredTensor& tensor) {
  return tensor.type == StoredType::kI2S || tensor.type == StoredType::kTq2_0;
}

// Same names, types, shapes and contents.  Of I2_S the canonical form: the
// bytes after the scale are whatever the other program's memory held.
void ExpectSameTensors(const GgufFile& ours, const GgufFile& theirs) {
  ASSERT_EQ(ours.tensors.size(), theirs.tensors.size());
  for (const auto& [name, tensor] : theirs.tensors) {
    ASSERT_TRUE(ours.tensors.contains(name)) << name;
    const StoredTensor& own = ours.tensors.at(name);
    EXPECT_EQ(own.type, tensor.type) << name;
    EXPECT_EQ(own.shape, tensor.shape) << name;
    if (tensor.type == StoredType::kI2S) {
      EXPECT_EQ(Ternary(own), Ternary(tensor)) << name;
    } else {
      EXPECT_EQ(own.ReadAll(), tensor.ReadAll()) << name;
    }
  }
}

void ExpectSameMetadata(const GgufFile& ours, const GgufFile& theirs) {
  for (const auto& [key, value] : theirs.metadata) {
    ASSERT_TRUE(ours.metadata.contains(key)) << key;
    if (key == "general.name" || key == "general.file_type") continue;
    EXPECT_EQ(ours.metadata.at(key), value) << key;
  }
}

TEST(PackReference, I2SAsBitnetCppWritesIt) {
  const TemporaryDirectory directory;
  const fs::path out = directory / "a.gguf";
  Pack(Model("books-14m-packed"), out,
       {.type = PackedType::kI2S, .head = PackedHead::kF16});
  const GgufFile ours = files::ReadGguf(out);
  const GgufFile theirs = files::ReadGguf(Gguf("books-14m.i2_s.gguf"));
  ExpectSameTensors(ours, theirs);
  ExpectSameMetadata(ours, theirs);
  EXPECT_EQ(*ours.String("general.name"), "books-14m-packed");
  EXPECT_EQ(ours.Unsigned("general.file_type"), 40U);
  EXPECT_EQ(ours.Unsigned("tokenizer.ggml.eot_token_id"), 4095U);
  EXPECT_NE(ours.String("tokenizer.chat_template")->find("Assistant: "),
            std::string::npos);
}

TEST(PackReference, Tq2AsBitnetCppWritesIt) {
  const TemporaryDirectory directory;
  const fs::path out = directory / "a.gguf";
  Pack(Model("books-79m-packed"), out,
       {.type = PackedType::kTQ2_0, .head = PackedHead::kF16});
  const GgufFile ours = files::ReadGguf(out);
  const GgufFile theirs = files::ReadGguf(Gguf("books-79m.tq2_0.gguf"));
  ExpectSameTensors(ours, theirs);
  ExpectSameMetadata(ours, theirs);
}

// Their ternary values are the same; the scales differ by bf16 rounding.
TEST(PackReference, MasterWeightsBecomeThePackedModelsCodes) {
  const TemporaryDirectory directory;
  Pack(Model("books-14m-master"), directory / "a.gguf",
       {.type = PackedType::kI2S});
  const GgufFile ours = files::ReadGguf(directory / "a.gguf");
  const GgufFile theirs = files::ReadGguf(Gguf("books-14m.i2_s.gguf"));
  std::size_t compared = 0;
  for (const auto& [name, tensor] : theirs.tensors) {
    if (!IsTernary(tensor)) continue;
    const packing::TernaryMatrix own = Ternary(ours.tensors.at(name));
    const packing::TernaryMatrix their = Ternary(tensor);
    EXPECT_EQ(own.codes, their.codes) << name;
    EXPECT_NEAR(own.scales[0], their.scales[0], their.scales[0] / 256) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 56U);
}

TEST(PackReference, PublishedMetadataIsCopied) {
  const TemporaryDirectory directory;
  const fs::path source = Gguf("books-14m.published-metadata.i2_s.gguf");
  Pack(source, directory / "a.gguf", {.type = PackedType::kI2S});
  const GgufFile ours = files::ReadGguf(directory / "a.gguf");
  const GgufFile theirs = files::ReadGguf(source);
  ExpectSameTensors(ours, theirs);
  ExpectSameMetadata(ours, theirs);
  EXPECT_EQ(ours.metadata.size(), theirs.metadata.size());
}

TEST(PackReference, FloatModelsKeepTheirFloats) {
  const TemporaryDirectory directory;
  Pack(Model("books-14m-fp16"), directory / "a.gguf", {});
  const GgufFile ours = files::ReadGguf(directory / "a.gguf");
  EXPECT_EQ(ours.Unsigned("general.file_type"), 1U);
  EXPECT_EQ(ours.tensors.at("blk.3.ffn_up.weight").type, StoredType::kF16);
}

// 640 columns: 5 blocks of I2_S, but 2.5 of TQ2_0.  No tokenizer beside it.
TEST(PackReference, WidthsThatTq2CannotHold) {
  const TemporaryDirectory directory;
  const fs::path source = Model("zoo/z1-bitnet-2b4t-packed");
  ExpectError(ErrorCode::kUnsupported, {"down_proj", "640", "I2_S"}, [&] {
    Pack(source, directory / "a.gguf", {.type = PackedType::kTQ2_0});
  });
  EXPECT_EQ(directory.FileCount(), 0U);
  Pack(source, directory / "a.gguf", {});
  const GgufFile ours = files::ReadGguf(directory / "a.gguf");
  for (const auto& [key, value] : ours.metadata) {
    EXPECT_FALSE(key.starts_with("tokenizer.")) << key;
  }
}

TEST(PackReference, RefusesWhatCannotBeRun) {
  const TemporaryDirectory directory;
  for (const fs::path& source :
       {Gguf("zb-bitnet-256.CORRUPT-2threads.i2_s.gguf"),
        Gguf("z1-bitnet-2b4t-packed.K640-UNSOUND.tq2_0.gguf"),
        Model("zoo/z2-llama-bitlinear")}) {
    EXPECT_THROW(Pack(source, directory / "a.gguf", {.type = PackedType::kI2S}),
                 Error)
        << source;
  }
  EXPECT_EQ(directory.FileCount(), 0U);
}

TEST(TokenizerMetadataReference, Llama3) {
  const fs::path source =
      fs::path(TERN_REFERENCE_DIR) / "tokenizers/llama3/tokenizer.json";
  const files::GgufMetadata list =
      tokenizer::TokenizerMetadata(tokenizer::ReadJsonSpec(source), {}, 128256);
  const std::map<std::string, files::GgufValue> metadata(list.begin(),
                                                         list.end());
  const auto& tokens =
      std::get<std::vector<std::string>>(metadata.at("tokenizer.ggml.tokens"));
  const auto& types = std::get<std::vector<std::int64_t>>(
      metadata.at("tokenizer.ggml.token_type"));
  ASSERT_EQ(tokens.size(), 128256U);
  EXPECT_EQ(tokens[128009], "<|eot_id|>");
  EXPECT_EQ(types[127999], 1);
  EXPECT_EQ(types[128000], 3);
  EXPECT_EQ(
      std::get<std::vector<std::string>>(metadata.at("tokenizer.ggml.merges"))
          .size(),
      280147U);
  EXPECT_EQ(metadata.at("tokenizer.ggml.bos_token_id"),
            files::GgufValue(std::uint64_t{128000}));
}

}  // namespace
}  // namespace tern
