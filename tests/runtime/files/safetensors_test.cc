// Well-formed files; damaged ones are in damaged_files_test.cc.
#include "runtime/files/safetensors.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/runtime/files/temporary_directory.h"
#include "tests/runtime/files/tiny_model.h"

namespace tern::files {
namespace {

using test::Bytes;
using test::SafetensorsParts;
using test::TemporaryDirectory;

std::string Data(const StoredTensor& tensor) {
  const auto bytes = tensor.ReadAll();
  return {bytes.begin(), bytes.end()};
}

TEST(ReadSafetensors, FindsEachTensor) {
  SafetensorsParts parts;
  parts.tensors = {{"b", "U8", {2, 3}, "abcdef", {}},
                   {"a", "F32", {1}, Bytes(1.0F), {}},
                   {"none", "BF16", {0, 7}, "", {}},
                   {"scalar", "F16", {}, "xy", {}},
                   {"ids", "I64", {1}, "12345678", {}}};
  const TemporaryDirectory directory;
  const auto path = directory.Write("x.safetensors", Serialize(parts));
  const TensorMap tensors = ReadSafetensors(path);
  ASSERT_EQ(tensors.size(), 5U);  // and __metadata__ is none
  const StoredTensor& b = tensors.at("b");
  EXPECT_EQ(b.name, "b");
  EXPECT_EQ(b.type, StoredType::kU8);
  EXPECT_EQ(b.type_name, "U8");
  EXPECT_EQ(b.shape, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(b.bytes, 6U);
  EXPECT_EQ(Data(b), "abcdef");
  EXPECT_EQ(Data(tensors.at("a")), Bytes(1.0F));
  EXPECT_EQ(tensors.at("none").bytes, 0U);
  EXPECT_EQ(Data(tensors.at("scalar")), "xy");
  EXPECT_EQ(tensors.at("scalar").ElementCount(), 1U);
  EXPECT_EQ(tensors.at("ids").type, StoredType::kOther);
  EXPECT_EQ(tensors.at("ids").type_name, "I64");
}

// Writers pad the header so that the data is aligned.
TEST(ReadSafetensors, AllowsSpacesAfterTheHeader) {
  SafetensorsParts parts;
  parts.header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}   )";
  parts.more_data.push_back('x');
  const TemporaryDirectory directory;
  const auto path = directory.Write("x.safetensors", Serialize(parts));
  EXPECT_EQ(Data(ReadSafetensors(path).at("a")), "x");
}

TEST(ReadSafetensors, AllowsTheHeaderInAnyOrder) {
  SafetensorsParts parts;
  parts.header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},)"
                 R"("b":{"data_offsets":[0,1],"shape":[1],"dtype":"U8"}})";
  parts.more_data = "xy";
  const TemporaryDirectory directory;
  const auto path = directory.Write("x.safetensors", Serialize(parts));
  EXPECT_EQ(Data(ReadSafetensors(path).at("a")), "y");
}

TEST(ReadSafetensorsDirectory, JoinsShards) {
  const TemporaryDirectory directory;
  SafetensorsParts one;
  one.tensors = {{"a", "U8", {1}, "A", {}}};
  SafetensorsParts two;
  two.tensors = {{"b", "U8", {1}, "B", {}}};
  directory.Write("model-1.safetensors", Serialize(one));
  directory.Write("model-2.safetensors", Serialize(two));
  directory.Write("model.safetensors.index.json",
                  R"({"metadata": {"total_size": 2}, "weight_map": {
                      "a": "model-1.safetensors", "b": "model-2.safetensors"}})");
  const TensorMap tensors = ReadSafetensorsDirectory(directory.path());
  ASSERT_EQ(tensors.size(), 2U);
  EXPECT_EQ(Data(tensors.at("a")), "A");
  EXPECT_EQ(Data(tensors.at("b")), "B");
}

TEST(ReadSafetensorsDirectory, AllowsAnIndexOfTheSingleFile) {
  const TemporaryDirectory directory;
  SafetensorsParts parts;
  parts.tensors = {{"a", "U8", {1}, "A", {}}};
  directory.Write("model.safetensors", Serialize(parts));
  EXPECT_EQ(ReadSafetensorsDirectory(directory.path()).size(), 1U);
  directory.Write("model.safetensors.index.json",
                  R"({"weight_map": {"a": "model.safetensors"}})");
  EXPECT_EQ(ReadSafetensorsDirectory(directory.path()).size(), 1U);
}

}  // namespace
}  // namespace tern::files
