// Files that somebody damaged, by accident or on purpose: each must be refused
// with an Error that names the place, at once, and without an allocation that
// the file's size does not justify.
#include "tests/runtime/files/damaged_files.h"

#include <algorithm>
#include <cctype>
#include <ctime>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>

#include "runtime/checkpoint/checkpoint.h"
#include "tests/runtime/files/allocation_probe.h"
#include "tests/runtime/files/temporary_directory.h"
#include "tests/runtime/files/tiny_model.h"

namespace tern::test {
namespace {

using checkpoint::Checkpoint;
using checkpoint::LinearKind;
using checkpoint::LinearSource;

void ReadFloats(const files::StoredTensor& tensor) {
  const std::uint64_t cols = tensor.shape.back();
  const std::uint64_t rows = tensor.ElementCount() / cols;
  std::vector<float> values(rows * cols);
  files::ReadFloats(tensor, 0, rows, values.data());
}

void ReadWeights(const LinearSource& source) {
  if (source.kind == LinearKind::kDense) {
    ReadFloats(source.weight);
  } else {
    (void)checkpoint::ReadLinear(source);
  }
}

// Everything that a loader reads.
void ReadWholeModel(const std::filesystem::path& path) {
  const Checkpoint model = checkpoint::Open(path);
  ReadWeights(model.embedding);
  ReadFloats(model.output_norm);
  if (model.head) ReadWeights(*model.head);
  for (const auto& layer : model.layers) {
    ReadFloats(layer.attn_norm);
    ReadFloats(layer.ffn_norm);
    for (const auto* norm : {&layer.attn_sub_norm, &layer.ffn_sub_norm}) {
      if (*norm) ReadFloats(**norm);
    }
    for (const auto* linear : {&layer.q, &layer.k, &layer.v, &layer.o,
                               &layer.gate, &layer.up, &layer.down}) {
      ReadWeights(*linear);
    }
  }
}

class DamagedFiles : public testing::TestWithParam<DamagedModel> {};

TEST_P(DamagedFiles, AreRefusedInPlace) {
  const DamagedModel& model = GetParam();
  const TemporaryDirectory directory;
  std::size_t size = 0;
  for (const auto& [name, bytes] : model.files) {
    directory.Write(name, bytes);
    size += bytes.size();
  }
  std::string message;
  const std::clock_t begin = std::clock();  // not the wall's: others run too
  ResetLargestAllocation();
  try {
    ReadWholeModel(directory.path() / model.open);
  } catch (const Error& error) {
    message = error.what();
  }
  const std::size_t largest = LargestAllocation();
  EXPECT_LT(std::clock() - begin, CLOCKS_PER_SEC);
  ASSERT_FALSE(message.empty()) << "accepted: " << model.mutation;
  EXPECT_LE(largest, 8 * size + (1 << 20));
  EXPECT_EQ(message.find(directory.path().string()), 0U) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  for (const std::string& expected : model.expected) {
    EXPECT_NE(message.find(expected), std::string::npos)
        << model.mutation << ": '" << expected << "' is not in\n"
        << message;
  }
}

std::string TestName(const testing::TestParamInfo<DamagedModel>& info) {
  std::string name = std::to_string(info.index) + "_";
  for (const char c : info.param.mutation.substr(0, 80)) {
    name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Gguf, DamagedFiles, testing::ValuesIn(DamagedGguf()),
                         TestName);
INSTANTIATE_TEST_SUITE_P(Safetensors, DamagedFiles,
                         testing::ValuesIn(DamagedSafetensors()), TestName);
INSTANTIATE_TEST_SUITE_P(Config, DamagedFiles,
                         testing::ValuesIn(DamagedConfigs()), TestName);

// Without this, files that are wrong from the start would pass for damaged.
TEST(UndamagedFiles, AreRead) {
  const TemporaryDirectory directory;
  ReadWholeModel(directory.Write("i2_s.gguf", Serialize(TinyGguf())));
  ReadWholeModel(directory.Write("tq2_0.gguf", Serialize(TinyTq2Gguf())));
  directory.Write("config.json", TinyConfig().dump());
  directory.Write("model.safetensors", Serialize(TinyPacked()));
  ReadWholeModel(directory.path());
  ReadWholeModel(directory.path() / "model.safetensors");
  for (const char* dtype : {"F32", "F16", "BF16"}) {
    auto config = TinyConfig();
    directory.Write("model.safetensors", Serialize(TinyFloats(dtype)));
    config["quantization_config"]["quantization_mode"] = "online";
    directory.Write("config.json", config.dump());
    ReadWholeModel(directory.path());
    config.erase("quantization_config");
    directory.Write("config.json", config.dump());
    ReadWholeModel(directory.path());
  }
}

TEST(DamagedFilesSuite, HasManyDifferentMutations) {
  std::set<std::string> mutations;
  std::size_t count = 0;
  for (const auto& models :
       {DamagedGguf(), DamagedSafetensors(), DamagedConfigs()}) {
    count += models.size();
    for (const DamagedModel& model : models) {
      std::string all = model.open;
      for (const auto& [name, bytes] : model.files) all += name + bytes;
      EXPECT_TRUE(mutations.insert(all).second) << model.mutation;
    }
  }
  EXPECT_GE(count, 200U);
}

TEST(AllocationProbe, SeesAllocations) {
  ResetLargestAllocation();
  const std::vector<char> memory(3 << 20);
  EXPECT_GE(LargestAllocation(), memory.size());
}

}  // namespace
}  // namespace tern::test
