// Models whose weights lie in mapped files compute what copied ones compute,
// bit for bit, and what cannot be mapped or is damaged is refused as well.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/model.h>
#include <tern/pack.h>
#include <tern/session.h>

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/find_unpacked.h"
#include "runtime/files/mapped_file.h"
#include "tests/runtime/forward/expect_logits.h"
#include "tests/support/expect_error.h"
#include "tests/support/golden.h"

namespace tern::testing {
namespace {

namespace fs = std::filesystem;
using checkpoint::LinearSource;
using files::StoredType;

std::shared_ptr<const Model> Load(const fs::path& path, bool map,
                                  HeadForm head = HeadForm::kAuto) {
  return Model::Load(path, {.head = head, .map = map, .num_threads = 2});
}

std::vector<float> LogitsOfText(const std::shared_ptr<const Model>& model) {
  std::vector<std::int32_t> ids(20);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<std::int32_t>(3 + 4 * i);
  }
  return LogitsOf(model, ids, 7);
}

// Bytes of the matrices in the file that can be used as they lie there.
std::uint64_t MappableBytes(const fs::path& path) {
  const checkpoint::Checkpoint model = checkpoint::Open(path);
  std::uint64_t bytes = 0;
  const auto add = [&](const LinearSource& source) {
    const StoredType type = source.weight.type;
    const bool as_stored = source.kind == checkpoint::LinearKind::kDense
                               ? type != StoredType::kQ6K &&
                                     source.interleaved_heads == 0 &&
                                     source.weight.offset % 4 == 0
                               : type == StoredType::kT2;
    if (as_stored) bytes += source.weight.bytes;
  };
  add(model.embedding);
  if (model.head) add(*model.head);
  ForEachLinear(model, add);
  return bytes;
}

void ExpectSame(const fs::path& path, HeadForm head = HeadForm::kAuto) {
  const auto copied = Load(path, false, head);
  const auto mapped = Load(path, true, head);
  EXPECT_EQ(copied->mapped_bytes(), 0U);
  EXPECT_GT(mapped->mapped_bytes(), 0U);
  EXPECT_EQ(mapped->weights_bytes(), copied->weights_bytes());
  EXPECT_EQ(mapped->bytes_per_token(), copied->bytes_per_token());
  EXPECT_EQ(mapped->fingerprint(), copied->fingerprint());
  EXPECT_NE(mapped->Describe().find(" % mapped"), std::string::npos)
      << mapped->Describe();
  EXPECT_EQ(LogitsOfText(mapped), LogitsOfText(copied));
}

// --- every kind of model as t2 ---

struct Source {
  std::string name;
  std::function<fs::path(ModelFiles&)> make;
};
void PrintTo(const Source& source, std::ostream* out) { *out << source.name; }

std::vector<Source> Sources() {
  const auto golden = [](const char* name) {
    return [name](ModelFiles&) { return GoldenDir() / name; };
  };
  const auto gguf = [](const SyntheticShape& shape, const GgufForm& form) {
    return [=](ModelFiles& files) {
      return files.Write(GgufOf(shape, RandomModel(shape, 9), form));
    };
  };
  const SyntheticShape bonsai = {.architecture = "qwen3",
                                 .head_dim = 128,
                                 .int8_input = false,
                                 .group = 128,
                                 .ternary_embedding = true};
  const SyntheticShape odd = {.architecture = "bitnet-b1.58",
                              .hidden = 100,
                              .ffn = 156,
                              .heads = 5,
                              .kv_heads = 1,
                              .head_dim = 20};
  const SyntheticShape sliced = {.int8_input = false, .slices = 4};
  return {{"Bitnet", golden("zb-bitnet-256.i2_s.gguf")},
          {"PackedBitnet", golden("z1-bitnet-2b4t-packed")},
          {"Llama", golden("zl-llama-256.gguf")},
          {"TernaryEmbedding", gguf(bonsai, {.linear_type = gguf::kPq2_0,
                                             .embedding_type = gguf::kPq2_0,
                                             .head_type = gguf::kPq2_0})},
          {"OddWidths", gguf(odd, {.linear_type = gguf::kF16})},
          {"ScalesOfSlices", gguf(sliced, {.linear_type = gguf::kF32})}};
}

class MappedT2 : public ::testing::TestWithParam<Source> {
 protected:
  fs::path PackT2(PackedHead head = PackedHead::kKeep) {
    fs::path path = directory_ / "t2.gguf";
    Pack(GetParam().make(files_), path, {.head = head});
    return path;
  }

  ModelFiles files_;
  TemporaryDirectory directory_;
};

TEST_P(MappedT2, ComputesWhatTheCopyComputes) { ExpectSame(PackT2()); }

TEST_P(MappedT2, AllMatricesAreMapped) {
  const fs::path path = PackT2();
  const auto model = Load(path, true);
  EXPECT_EQ(model->mapped_bytes(), MappableBytes(path));
  EXPECT_GE(model->mapped_bytes(), 8 * model->weights_bytes() / 10);
}

// int8 sums are exact, so what was packed computes the same, too.
TEST_P(MappedT2, ComputesWhatItsSourceComputes) {
  const auto source = Load(GetParam().make(files_), false);
  if (source->config().input_type != InputType::kInt8) {
    ExpectFloatLogits(LogitsOfText(Load(PackT2(), true)), LogitsOfText(source));
    return;
  }
  EXPECT_EQ(LogitsOfText(Load(PackT2(), true)), LogitsOfText(source));
}

INSTANTIATE_TEST_SUITE_P(Sources, MappedT2, ::testing::ValuesIn(Sources()),
                         [](const auto& test) { return test.param.name; });

// --- heads and other files ---

class Mapping : public ::testing::Test {
 protected:
  fs::path PackT2(const fs::path& source, PackedHead head = PackedHead::kKeep) {
    fs::path path = directory_ / "t2.gguf";
    Pack(source, path, {.head = head, .overwrite = true});
    return path;
  }
  fs::path Synthetic(const SyntheticShape& shape, const GgufForm& form) {
    return files_.Write(GgufOf(shape, RandomModel(shape, 9), form));
  }

  ModelFiles files_;
  TemporaryDirectory directory_;
};

TEST_F(Mapping, EveryFormOfTheHeadIsTheSame) {
  for (const bool tied : {false, true}) {
    const fs::path source = Synthetic({.vocab = 320, .tied = tied}, {});
    for (const PackedHead stored :
         {PackedHead::kKeep, PackedHead::kF16, PackedHead::kQ8_0}) {
      const fs::path path = PackT2(source, stored);
      ExpectSame(path, HeadForm::kAsStored);
      if (stored == PackedHead::kQ8_0) continue;
      ExpectSame(path, HeadForm::kQ8);
      ExpectSame(path, HeadForm::kScreened);
    }
  }
}

// The int8 rows take the place of an untied head, which is then not used.
TEST_F(Mapping, AHeadThatIsReplacedDoesNotCount) {
  const fs::path path = PackT2(Synthetic({.vocab = 320}, {}));
  const std::uint64_t head = checkpoint::Open(path).head->weight.bytes;
  const auto stored = Load(path, true, HeadForm::kAsStored);
  const auto int8 = Load(path, true, HeadForm::kQ8);
  EXPECT_EQ(int8->mapped_bytes(), stored->mapped_bytes() - head);
  EXPECT_LT(int8->mapped_bytes(), int8->weights_bytes());
}

TEST_F(Mapping, FloatModelsOfAnyFormatAreMappedToo) {
  const SyntheticShape bitnet = {.architecture = "bitnet-b1.58",
                                 .int8_input = false};
  ReferenceModel dense = RandomModel(bitnet, 9);
  for (auto& layer : dense.layers) {
    for (auto* matrix : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate,
                         &layer.up, &layer.down}) {
      matrix->values = ValuesOf(*matrix);
      // So that nobody takes it for ternary.
      for (std::size_t i = 0; i < matrix->values.size(); i += 3) {
        matrix->values[i] *= 2;
      }
      matrix->trits.clear();
    }
  }
  for (const std::uint32_t type : {gguf::kF32, gguf::kF16, gguf::kBf16}) {
    const fs::path path =
        files_.Write(GgufOf(bitnet, dense, {.linear_type = type}));
    ExpectSame(path);
    EXPECT_EQ(Load(path, true)->mapped_bytes(), MappableBytes(path));
  }
}

// Of safetensors, tensors lie at any byte, and only some can be used there.
TEST_F(Mapping, OfOtherFormatsTheEmbeddingIs) {
  for (const fs::path& path : {GoldenDir() / "zb-bitnet-256",
                               GoldenDir() / "zb-bitnet-256.i2_s.gguf"}) {
    ExpectSame(path);
    EXPECT_EQ(Load(path, true)->mapped_bytes(),
              checkpoint::Open(path).embedding.weight.bytes);
  }
}

// What Model::Load promises with and without mapping.
TEST_F(Mapping, TheFileMayLoseItsNameMeanwhile) {
  const fs::path path = PackT2(GoldenDir() / "zb-bitnet-256.i2_s.gguf");
  const std::vector<float> expected = LogitsOfText(Load(path, false));
  const auto model = Load(path, true);
  fs::remove(path);
  EXPECT_EQ(LogitsOfText(model), expected);
}

TEST_F(Mapping, ModelsMayShareAFile) {
  const fs::path path = PackT2(GoldenDir() / "zb-bitnet-256.i2_s.gguf");
  auto first = Load(path, true);
  const auto second = Load(path, true);
  const std::vector<float> expected = LogitsOfText(first);
  first.reset();
  EXPECT_EQ(LogitsOfText(second), expected);
}

TEST_F(Mapping, IsCheckedAgainstTheChecksumsIfAsked) {
  const fs::path path = PackT2(GoldenDir() / "zb-bitnet-256.i2_s.gguf");
  const LoadOptions both = {.verify = true, .map = true};
  EXPECT_GT(Model::Load(path, both)->mapped_bytes(), 0U);
  // A code that becomes another one.
  const auto weight = checkpoint::Open(path).layers[0].down.weight;
  std::string bytes = ReadFile(path);
  std::uint64_t place = weight.offset;
  while ((bytes[place] & 3) != 0) ++place;
  bytes[place] = static_cast<char>(bytes[place] | 2);
  WriteFile(path, bytes);
  for (const bool map : {false, true}) {
    EXPECT_NE(Load(path, map), nullptr);  // nobody asked
    ExpectError(ErrorCode::kMalformed, {"blk.0.ffn_down.weight", "checksum"},
                [&] { Model::Load(path, {.verify = true, .map = map}); });
  }
}

// --- refusals ---

TEST_F(Mapping, RefusesAModelOfWhichNothingCanBeMapped) {
  const SyntheticShape bonsai = {.architecture = "qwen3",
                                 .head_dim = 128,
                                 .int8_input = false,
                                 .group = 128,
                                 .ternary_embedding = true};
  const fs::path path = Synthetic(bonsai, {.linear_type = gguf::kPq2_0,
                                           .embedding_type = gguf::kPq2_0,
                                           .head_type = gguf::kPq2_0});
  EXPECT_NE(Load(path, false), nullptr);
  ExpectError(ErrorCode::kUnsupported,
              {path.string(), "nothing can be mapped", "PQ2_0", "pack it"},
              [&] { Load(path, true); });
}

TEST_F(Mapping, ChecksumsAreOfT2FilesAlone) {
  for (const fs::path& path :
       {GoldenDir() / "zb-bitnet-256", GoldenDir() / "zb-bitnet-256.i2_s.gguf",
        GoldenDir() / "zb-bitnet-256" / "model.safetensors"}) {
    ExpectError(ErrorCode::kUnsupported,
                {path.string(), "records no checksums"},
                [&] { Model::Load(path, {.verify = true}); });
  }
}

// Mapped weights are looked at as copied ones are.
TEST_F(Mapping, RefusesWhatCopyingRefuses) {
  const fs::path path = PackT2(GoldenDir() / "zb-bitnet-256.i2_s.gguf");
  const std::string sound = ReadFile(path);
  const auto model = checkpoint::Open(path);
  const auto& down = model.layers[1].down;
  const auto refuse = [&](std::uint64_t offset, const std::string& change,
                          std::initializer_list<std::string> words) {
    std::string bytes = sound;
    bytes.replace(offset, change.size(), change);
    WriteFile(path, bytes);
    for (const bool map : {false, true}) {
      ExpectError(ErrorCode::kMalformed, words, [&] { Load(path, map); });
    }
  };
  const std::uint64_t codes = down.weight.offset;
  refuse(codes + 999, "\xff",
         {"blk.1.ffn_down.weight", "byte " + std::to_string(codes + 999),
          "code 3"});
  refuse(codes, std::string(down.weight.bytes, '\0'),
         {"blk.1.ffn_down.weight", "hole"});
  refuse(codes, std::string(down.weight.bytes, '\x55'),
         {"blk.1.ffn_down.weight", "hole"});
  const std::uint64_t scale = down.multipliers->offset;
  refuse(scale, test::Bytes(-1.0F), {"blk.1.ffn_down.scales", "scale -1"});
  refuse(scale, test::Bytes(0.0F), {"blk.1.ffn_down.weight", "scale 0"});
  refuse(scale, std::string("\0\0\xc0\x7f", 4),
         {"blk.1.ffn_down.scales", "not a finite"});
  const std::uint64_t embedding = model.embedding.weight.offset;
  refuse(embedding + 1000, "\xff\x7f",
         {"token_embd.weight", "element 500 is not a finite"});
  refuse(embedding, std::string(model.embedding.weight.bytes, '\0'),
         {"token_embd.weight", "hole"});
}

// The names of the table, where a model cannot do without them.
TEST_F(Mapping, RefusesT2WeightsWithoutTheirScales) {
  const fs::path path = PackT2(GoldenDir() / "zb-bitnet-256.i2_s.gguf");
  std::string bytes = ReadFile(path);
  bytes[bytes.find("blk.0.attn_q.scales")] = 'x';
  WriteFile(path, bytes);
  ExpectError(ErrorCode::kNotFound, {"'blk.0.attn_q.scales' is missing"},
              [&] { Load(path, true); });
}

TEST(MappedFile, HasTheBytesOfTheFile) {
  const TemporaryDirectory directory;
  WriteFile(directory / "a", std::string(5000, 'x') + "end");
  const files::MappedFile mapped(files::InputFile(directory / "a"));
  EXPECT_EQ(mapped.bytes().size(), 5003U);
  EXPECT_EQ(mapped.bytes()[4999], 'x');
  EXPECT_EQ(mapped.bytes()[5002], 'd');
  WriteFile(directory / "empty", "");
  EXPECT_TRUE(
      files::MappedFile(files::InputFile(directory / "empty")).bytes().empty());
}

// The address space is too small for it.
TEST(MappedFile, RefusesWhatTheSystemCannotMap) {
  const TemporaryDirectory directory;
  WriteFile(directory / "a", "");
  fs::resize_file(directory / "a", std::uint64_t{4} << 30);
  const files::InputFile file(directory / "a");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlimit small = {pages * 4096 + (64U << 20U), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &small), 0);
  ExpectError(ErrorCode::kIo,
              {(directory / "a").string() + ": cannot be mapped",
               "load it without mapping"},
              [&] { const files::MappedFile mapped(file); });
  EXPECT_EQ(setrlimit(RLIMIT_AS, &before), 0);
}

}  // namespace
}  // namespace tern::testing
