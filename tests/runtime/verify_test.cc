// Verify finds what is wrong with a file of any format, all of it, and nothing
// with a sound one.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/inspect.h>
#include <tern/pack.h>
#include <tern/verify.h>

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/files/gguf.h"
#include "tests/runtime/files/damaged_files.h"
#include "tests/runtime/files/tiny_model.h"
#include "tests/support/expect_error.h"
#include "tests/support/golden.h"
#include "tests/support/synthetic_model.h"
#include "tests/support/temporary_directory.h"

namespace tern::testing {
namespace {

namespace fs = std::filesystem;
using Linears = HfForm::Linears;

// Writes a model into a directory and gives its path.
using Writer = std::function<fs::path(const TemporaryDirectory&)>;

struct Form {
  std::string name;
  Writer write;
  VerifyOptions options{};
  // A byte that no weight of the type can have.
  char bad = '\xff';
};
void PrintTo(const Form& form, std::ostream* out) { *out << form.name; }

Writer Gguf(const SyntheticShape& shape, const GgufForm& form) {
  return [shape, form](const TemporaryDirectory& directory) {
    fs::path path = directory / "model.gguf";
    WriteFile(path, Serialize(GgufOf(shape, RandomModel(shape, 5), form)));
    return path;
  };
}

Writer HuggingFace(const SyntheticShape& shape, const HfForm& form,
                   std::size_t shards = 1) {
  return [shape, form, shards](const TemporaryDirectory& directory) {
    fs::path path = directory / "model";
    WriteHuggingFace(HuggingFaceOf(shape, RandomModel(shape, 5), form), path,
                     shards);
    return path;
  };
}

Writer Packed(PackedType type) {
  return [type](const TemporaryDirectory& directory) {
    fs::path path = directory / "packed.gguf";
    Pack(GoldenDir() / "zb-bitnet-256.i2_s.gguf", path, {.type = type});
    return path;
  };
}

std::vector<Form> Forms() {
  const SyntheticShape llama = {};
  const SyntheticShape groups = {
      .architecture = "qwen3", .int8_input = false, .group = 128};
  const SyntheticShape masters = {.architecture = "bitnet", .masters = true};
  const SyntheticShape floats = {.int8_input = false};
  const SyntheticShape reciprocal = {.reciprocal_scales = true};
  const SyntheticShape falcon = {.projection_norms = true};
  std::vector<Form> forms = {
      {"I2S", Gguf(llama, {})},
      {"I2SLayoutB",
       Gguf(llama, {.i2s_layout = 'B'}),
       {.i2s_layout = I2SLayout::kB}},
      {"I2SLayoutC",
       Gguf(llama, {.i2s_layout = 'C'}),
       {.i2s_layout = I2SLayout::kC}},
      {"TQ2", Gguf(llama, {.linear_type = gguf::kTq2_0})},
      {"TQ1", Gguf(llama, {.linear_type = gguf::kTq1_0}), {}, '\x01'},
      {"Q2", Gguf(llama, {.linear_type = gguf::kQ2_0})},
      {"PQ2", Gguf(groups, {.linear_type = gguf::kPq2_0})},
      {"PTQ1", Gguf(groups, {.linear_type = gguf::kPtq1_0}), {}, '\x01'},
      {"IQ1BN", Gguf(llama, {.linear_type = gguf::kIq1Bn}), {}, '\x01'},
      {"IQ2BN", Gguf(llama, {.linear_type = gguf::kIq2Bn})},
      {"F16", Gguf(llama, {.linear_type = gguf::kF16})},
      {"BF16", Gguf(llama, {.linear_type = gguf::kBf16})},
      {"F32", Gguf(llama, {.linear_type = gguf::kF32})},
      {"T2", Packed(PackedType::kT2)},
      {"HfPacked", HuggingFace(llama, {})},
      {"HfShards", HuggingFace(llama, {}, 3)},
      {"HfProjectionNorms", HuggingFace(falcon, {})},
      {"HfDivide",
       HuggingFace(reciprocal, {.linears = Linears::kPackedDivide})},
      {"HfMaster",
       HuggingFace({.architecture = "bitnet-b1.58", .masters = true},
                   {.linears = Linears::kMaster})},
      {"HfOneBitLlm", HuggingFace(masters, {.linears = Linears::kOneBitLlm})},
      {"HfUnpacked", HuggingFace(floats, {.linears = Linears::kUnpacked})}};
  forms.push_back({"SafetensorsFile", [](const TemporaryDirectory& directory) {
                     return HuggingFace({}, {})(directory) /
                            "model.safetensors";
                   }});
  return forms;
}

void Overwrite(const fs::path& path, std::uint64_t offset,
               const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file << bytes;
}

class VerifyForms : public ::testing::TestWithParam<Form> {};

TEST_P(VerifyForms, ASoundModelHasNoFaults) {
  const TemporaryDirectory directory;
  const fs::path path = GetParam().write(directory);
  const VerifyReport report = Verify(path, GetParam().options);
  for (const VerifyFault& fault : report.faults) ADD_FAILURE() << fault.what;
  EXPECT_GT(report.tensors, 10U);
  EXPECT_GT(report.bytes, 100'000U);
  EXPECT_FALSE(report.format.empty());
  EXPECT_EQ(report.checksums, GetParam().name == "T2" ? report.tensors : 0U);
}

// In the middle of a matrix, and of the last layer's.
TEST_P(VerifyForms, AnImpossibleWeightIsFoundInItsPlace) {
  const TemporaryDirectory directory;
  const fs::path path = GetParam().write(directory);
  const auto down = checkpoint::Open(path).layers.back().down.weight;
  const std::uint64_t offset = down.offset + down.bytes / 2 + 12;
  Overwrite(down.file->path(), offset, std::string(8, GetParam().bad));
  const VerifyReport report = Verify(path, GetParam().options);
  ASSERT_FALSE(report.faults.empty());
  for (const VerifyFault& fault : report.faults) {
    EXPECT_EQ(fault.file, down.file->path().string());
    EXPECT_EQ(fault.tensor, down.name) << fault.what;
    ASSERT_TRUE(fault.offset) << fault.what;
    EXPECT_LT(*fault.offset, down.offset + down.bytes);
    EXPECT_EQ(fault.what.find(fault.file), 0U);
  }
  EXPECT_GE(*report.faults.back().offset, down.offset);
}

TEST_P(VerifyForms, ATornFileIsFound) {
  const TemporaryDirectory directory;
  const fs::path path = GetParam().write(directory);
  const fs::path torn =
      checkpoint::Open(path).layers.back().down.weight.file->path();
  fs::resize_file(torn, fs::file_size(torn) - 65);
  const VerifyReport report = Verify(path, GetParam().options);
  ASSERT_FALSE(report.faults.empty());
  EXPECT_EQ(report.faults[0].file, torn.string());
}

INSTANTIATE_TEST_SUITE_P(All, VerifyForms, ::testing::ValuesIn(Forms()),
                         [](const auto& test) { return test.param.name; });

// --- more than one fault ---

// That of the tiny model is but half of one, which is a fault of its own.
test::GgufParts WithoutTokenizer(test::GgufParts parts) {
  std::erase_if(parts.keys, [](const test::GgufKey& key) {
    return key.name.starts_with("tokenizer.");
  });
  return parts;
}

TEST(Verify, TellsEveryFaultWithItsTensorAndByte) {
  const TemporaryDirectory directory;
  test::GgufParts parts = test::TinyGguf();
  parts.Tensor("blk.0.attn_q.weight").data[3] |= '\x03';
  parts.Tensor("blk.0.ffn_up.weight").data[200] |= '\x03';
  const float infinity = std::numeric_limits<float>::infinity();
  parts.Tensor("blk.0.ffn_norm.weight")
      .data.replace(12, 4, test::Bytes(infinity));
  parts.Tensor("output_norm.weight").type = 1;  // half of the bytes
  parts.Tensor("blk.0.attn_v.weight").dims = {16, 32};
  WriteFile(directory / "a.gguf", Serialize(parts));
  const auto tensors =
      files::ReadGguf(directory / "a.gguf", [](auto&) {}).tensors;
  const auto at = [&](const std::string& name) {
    return tensors.at(name).offset;
  };
  // The container's, the model's, then those of the values.
  const std::vector<std::pair<std::string, std::uint64_t>> expected = {
      {"output_norm.weight", at("output_norm.weight")},
      {"blk.0.attn_v.weight", at("blk.0.attn_v.weight")},
      {"blk.0.ffn_norm.weight", at("blk.0.ffn_norm.weight") + 12},
      {"blk.0.attn_q.weight", at("blk.0.attn_q.weight") + 3},
      {"blk.0.ffn_up.weight", at("blk.0.ffn_up.weight") + 200}};
  std::vector<std::pair<std::string, std::uint64_t>> found;
  for (const VerifyFault& fault : Verify(directory / "a.gguf").faults) {
    EXPECT_EQ(fault.file, (directory / "a.gguf").string());
    found.emplace_back(fault.tensor, fault.offset.value_or(0));
  }
  EXPECT_EQ(found, expected);
}

// A hundred ways to break a model: each is told as loading would tell it, with
// whatever else is wrong, and no damage ends the search with an exception.
TEST(Verify, FindsWhatLoadingRefuses) {
  std::size_t count = 0;
  for (const auto& models : {test::DamagedGguf(), test::DamagedSafetensors(),
                             test::DamagedConfigs()}) {
    for (const test::DamagedModel& model : models) {
      SCOPED_TRACE(model.mutation);
      const TemporaryDirectory directory;
      for (const auto& [name, bytes] : model.files) {
        WriteFile(directory / name, bytes);
      }
      std::vector<std::string> told;
      try {
        for (const auto& fault :
             Verify(directory.path() / model.open, {.num_threads = 1}).faults) {
          told.push_back(fault.what);
          EXPECT_EQ(fault.what.find(fault.file), 0U) << fault.what;
        }
      } catch (const Error& error) {  // neither GGUF nor safetensors
        EXPECT_EQ(error.code(), ErrorCode::kUnsupported) << error.what();
        told.emplace_back(error.what());
      }
      EXPECT_TRUE(std::any_of(
          told.begin(), told.end(),
          [&](const std::string& what) {
            return std::all_of(model.expected.begin(), model.expected.end(),
                               [&](const std::string& words) {
                                 return what.find(words) != std::string::npos;
                               });
          }))
          << ::testing::PrintToString(told);
      ++count;
    }
  }
  EXPECT_GE(count, 200U);
}

// As many faults as tensors, each with its place: time in proportion to their
// number (20,000 took 40 seconds when each fault was compared with each name).
TEST(Verify, ManyFaultsOfManyTensorsTakeNoLonger) {
  constexpr int kCount = 30'000;
  const TemporaryDirectory directory;
  test::GgufParts parts = WithoutTokenizer(test::TinyGguf());
  for (int i = 0; i < kCount; ++i) {
    parts.tensors.push_back(parts.Tensor("output_norm.weight"));
    parts.tensors.back().name = "mystery': " + std::to_string(i);
  }
  WriteFile(directory / "a.gguf", Serialize(parts));
  const auto start = std::chrono::steady_clock::now();
  const VerifyReport report = Verify(directory / "a.gguf");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(15));
  ASSERT_EQ(report.faults.size(), std::size_t{kCount});
  for (const VerifyFault& fault : report.faults) {
    ASSERT_EQ(fault.file, (directory / "a.gguf").string());
    ASSERT_NE(fault.what.find("'" + fault.tensor + "'"), std::string::npos);
    ASSERT_TRUE(fault.offset.has_value());
  }
}

TEST(Verify, OfADirectoryEveryFileIsLookedAt) {
  const TemporaryDirectory directory;
  const fs::path model = HuggingFace({}, {}, 3)(directory);
  const auto source = checkpoint::Open(model);
  const auto& q = source.layers[0].q.weight;
  const auto& down = source.layers.back().down.weight;
  ASSERT_NE(q.file->path(), down.file->path());
  Overwrite(q.file->path(), q.offset + 5, "\xff");
  Overwrite(down.file->path(), down.offset + 7, "\xff");
  auto config = nlohmann::json::parse(ReadFile(model / "config.json"));
  config["mystery"] = 1;
  WriteFile(model / "config.json", config.dump());
  WriteFile(model / "tokenizer.json", "{]");
  const VerifyReport report = Verify(model);
  std::vector<std::string> found;
  for (const VerifyFault& fault : report.faults) found.push_back(fault.file);
  EXPECT_EQ(found, (std::vector<std::string>{
                       (model / "config.json").string(),
                       q.file->path().string(), down.file->path().string(),
                       (model / "tokenizer.json").string()}));
  // Without the index each shard is still read.
  WriteFile(model / "model.safetensors.index.json", "{]");
  const VerifyReport blind = Verify(model);
  EXPECT_EQ(blind.tensors, report.tensors);
  EXPECT_FALSE(blind.faults.empty());
}

TEST(Verify, ATokenizerThatCannotBeUsedIsAFault) {
  const TemporaryDirectory directory;
  std::string bytes = ReadFile(GoldenDir() / "zb-bitnet-256.i2_s.gguf");
  bytes[bytes.find("llama-bpe")] = 'x';  // the pre-tokenizer
  WriteFile(directory / "a.gguf", bytes);
  const VerifyReport report = Verify(directory / "a.gguf");
  ASSERT_EQ(report.faults.size(), 1U);
  EXPECT_NE(report.faults[0].what.find("tokenizer.ggml.pre"), std::string::npos)
      << report.faults[0].what;
}

// Not a model without a tokenizer, which is sound.
TEST(Verify, HalfATokenizerIsAFault) {
  const TemporaryDirectory directory;
  const std::string sound = ReadFile(GoldenDir() / "zb-bitnet-256.i2_s.gguf");
  for (const std::string part : {"tokens", "token_type", "merges"}) {
    SCOPED_TRACE(part);
    const std::string key = "tokenizer.ggml." + part;
    std::string bytes = sound;
    // A key that tern passes over, as long as the one that is then missing.
    bytes.replace(bytes.find(key), key.size(),
                  "quantize." + std::string(key.size() - 9, 'x'));
    WriteFile(directory / "a.gguf", bytes);
    const VerifyReport report = Verify(directory / "a.gguf");
    ASSERT_EQ(report.faults.size(), 1U);
    EXPECT_NE(report.faults[0].what.find(key + ": missing"), std::string::npos)
        << report.faults[0].what;
    const ModelReport inspected = Inspect(directory / "a.gguf");
    EXPECT_EQ(inspected.problems,
              std::vector<std::string>{report.faults[0].what});
    EXPECT_TRUE(inspected.runs);  // on token ids
  }
}

// A tensor that no architecture has is a fault, and read all the same.
TEST(Verify, TensorsThatNoModelHasAreReadToo) {
  const TemporaryDirectory directory;
  test::GgufParts parts = WithoutTokenizer(test::TinyGguf());
  parts.tensors.push_back(parts.Tensor("blk.0.attn_q.weight"));
  parts.tensors.back().name = "mystery.weight";
  parts.tensors.back().data[9] = '\xff';
  WriteFile(directory / "a.gguf", Serialize(parts));
  const VerifyReport report = Verify(directory / "a.gguf");
  ASSERT_EQ(report.faults.size(), 2U);
  for (const VerifyFault& fault : report.faults) {
    EXPECT_EQ(fault.tensor, "mystery.weight") << fault.what;
  }
  EXPECT_NE(report.faults[1].what.find("code 3"), std::string::npos);
}

// What the container has told of a tensor is not told again in other words.
TEST(Verify, AScaleOfWhichNobodyKnowsWhereItLiesIsToldOnce) {
  const TemporaryDirectory directory;
  const fs::path path = HuggingFace({}, {})(directory) / "model.safetensors";
  const std::string bytes = ReadFile(path);
  std::uint64_t size = 0;
  std::memcpy(&size, bytes.data(), sizeof size);
  auto header = nlohmann::json::parse(bytes.substr(8, size));
  header["model.layers.0.self_attn.q_proj.weight_scale"]["shape"] = {3};
  const std::string text = header.dump();
  WriteFile(path, test::Bytes(std::uint64_t{text.size()}) + text +
                      bytes.substr(8 + size));
  const VerifyReport report = Verify(path.parent_path());
  ASSERT_EQ(report.faults.size(), 1U)
      << ::testing::PrintToString(report.faults[1].what);
  EXPECT_NE(report.faults[0].what.find("q_proj.weight_scale"),
            std::string::npos);
  EXPECT_EQ(report.faults[0].what.find("is not read here"), std::string::npos)
      << report.faults[0].what;
}

// --- t2 ---

TEST(Verify, OfAT2FileWeightsThatAreStillValidAreFound) {
  const TemporaryDirectory directory;
  const fs::path path = Packed(PackedType::kT2)(directory);
  const auto model = checkpoint::Open(path);
  const auto& down = model.layers[1].down.weight;
  std::string bytes = ReadFile(path);
  // Code 0 becomes 2: only the checksum can tell.
  std::uint64_t place = down.offset;
  while ((bytes[place] & 3) != 0) ++place;
  bytes[place] = static_cast<char>(bytes[place] | 2);
  // A finite float becomes another one.
  const auto& norm = model.output_norm;
  bytes[norm.offset] = static_cast<char>(bytes[norm.offset] ^ 1);
  WriteFile(path, bytes);
  const VerifyReport report = Verify(path);
  ASSERT_EQ(report.faults.size(), 2U);
  EXPECT_EQ(report.faults[0].tensor, "output_norm.weight");
  EXPECT_EQ(report.faults[0].offset, norm.offset);
  EXPECT_EQ(report.faults[1].tensor, "blk.1.ffn_down.weight");
  EXPECT_EQ(report.faults[1].offset, down.offset);
}

TEST(Verify, OfAT2FileTheTokenizersTextIsCovered) {
  const TemporaryDirectory directory;
  const fs::path path = Packed(PackedType::kT2)(directory);
  std::string bytes = ReadFile(path);
  bytes[bytes.find("zb-bitnet-256")] = 'y';  // general.name
  WriteFile(path, bytes);
  const VerifyReport report = Verify(path);
  ASSERT_EQ(report.faults.size(), 1U);
  EXPECT_EQ(report.faults[0].tensor, "");
  EXPECT_EQ(report.faults[0].offset, 0U);
  EXPECT_NE(report.faults[0].what.find("keys"), std::string::npos);
}

// A checksum that has changed is no fault of the tensor that it is for.
TEST(Verify, DamagedChecksumsBlameNoTensor) {
  const TemporaryDirectory directory;
  const fs::path path = Packed(PackedType::kT2)(directory);
  const auto sums = files::ReadGguf(path).tensors.at("tern.checksums");
  std::string bytes = ReadFile(path);
  bytes[sums.offset + 16 * 5] ^= 1;
  WriteFile(path, bytes);
  const VerifyReport report = Verify(path);
  ASSERT_EQ(report.faults.size(), 2U);
  EXPECT_EQ(report.faults[0].tensor, "");
  EXPECT_NE(report.faults[0].what.find("or checksums are not as they were"),
            std::string::npos)
      << report.faults[0].what;
  EXPECT_EQ(report.faults[1].tensor, "tern.checksums");
  EXPECT_EQ(report.faults[1].offset, sums.offset + 16 * 5);
  EXPECT_NE(report.faults[1].what.find("nobody knows which"), std::string::npos)
      << report.faults[1].what;
  ExpectError(ErrorCode::kMalformed, {"or checksums are not as they were"},
              [&] { Model::Load(path, {.verify = true}); });
}

TEST(Verify, OfATornT2FileChecksumsAreNotCompared) {
  const TemporaryDirectory directory;
  const fs::path path = Packed(PackedType::kT2)(directory);
  fs::resize_file(path, fs::file_size(path) / 2);
  const VerifyReport report = Verify(path);
  EXPECT_EQ(report.checksums, 0U);
  EXPECT_TRUE(report.records_checksums);
  EXPECT_FALSE(report.faults.empty());
  for (const VerifyFault& fault : report.faults) {
    EXPECT_EQ(fault.what.find("checksum;"), std::string::npos) << fault.what;
  }
}

// --- the call ---

TEST(Verify, ThrowsIfThereIsNothingToVerify) {
  const TemporaryDirectory directory;
  ExpectError(ErrorCode::kNotFound, {"none.gguf"},
              [&] { Verify(directory / "none.gguf"); });
  WriteFile(directory / "notes.txt", "no model");
  ExpectError(ErrorCode::kUnsupported, {"notes.txt", "neither a GGUF"},
              [&] { Verify(directory / "notes.txt"); });
}

TEST(Verify, ADirectoryWithoutAModelHasFaults) {
  const TemporaryDirectory directory;
  const VerifyReport report = Verify(directory.path());
  ASSERT_EQ(report.faults.size(), 2U);
  EXPECT_NE(report.faults[0].what.find("model.safetensors"), std::string::npos);
  EXPECT_NE(report.faults[1].what.find("config.json"), std::string::npos);
}

TEST(Verify, ThreadsMakeNoDifference) {
  const TemporaryDirectory directory;
  const fs::path path = Packed(PackedType::kT2)(directory);
  std::string bytes = ReadFile(path);
  for (std::size_t i = 20'000; i < bytes.size(); i += 50'000) {
    bytes[i] = static_cast<char>(bytes[i] ^ 3);
  }
  WriteFile(path, bytes);
  const auto faults = [&](int threads) {
    std::vector<std::string> all;
    for (const auto& fault : Verify(path, {.num_threads = threads}).faults) {
      all.push_back(fault.what);
    }
    return all;
  };
  EXPECT_GT(faults(1).size(), 5U);
  EXPECT_EQ(faults(3), faults(1));
}

TEST(Verify, ProgressRisesAndMayGiveUp) {
  const TemporaryDirectory directory;
  const fs::path path = Packed(PackedType::kT2)(directory);
  std::vector<double> fractions;
  Verify(path, {.num_threads = 1, .progress = [&](double fraction) {
                  fractions.push_back(fraction);
                }});
  ASSERT_GT(fractions.size(), 10U);
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));
  EXPECT_GT(fractions.front(), 0);
  EXPECT_EQ(fractions.back(), 1);
  for (const double last : {0.2, 0.8}) {
    EXPECT_THROW(Verify(path, {.progress =
                                   [&](double fraction) {
                                     if (fraction > last) throw 1;
                                   }}),
                 int);
  }
}

}  // namespace
}  // namespace tern::testing
