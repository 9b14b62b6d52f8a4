#include "runtime/files/stored_tensor.h"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "packing/half.h"
#include "packing/q8_0.h"
#include "tests/runtime/files/error_of.h"
#include "tests/runtime/files/temporary_directory.h"
#include "tests/runtime/files/tiny_model.h"

namespace tern::files {
namespace {

using test::Bytes;
using test::ErrorOf;
using test::TemporaryDirectory;

class StoredTensorTest : public testing::Test {
 protected:
  // The data begins at byte 3, so that an offset which is ignored shows.
  StoredTensor Store(StoredType type, std::vector<std::uint64_t> shape,
                     const std::string& data) {
    StoredTensor tensor;
    tensor.name = "t";
    tensor.type = type;
    tensor.type_name = "TYPE";
    tensor.shape = std::move(shape);
    tensor.file = std::make_shared<const InputFile>(
        directory_.Write("f.bin", "###" + data + "###"));
    tensor.offset = 3;
    tensor.bytes = data.size();
    return tensor;
  }
  static std::vector<float> Rows(const StoredTensor& tensor,
                                 std::uint64_t begin, std::uint64_t end) {
    const std::uint64_t cols = tensor.shape.empty() ? 1 : tensor.shape.back();
    std::vector<float> floats((end - begin) * cols);
    ReadFloats(tensor, begin, end, floats.data());
    return floats;
  }

  TemporaryDirectory directory_;
};

template <typename T>
std::string Join(const std::vector<T>& values) {
  std::string bytes;
  for (const T value : values) bytes += Bytes(value);
  return bytes;
}

TEST_F(StoredTensorTest, ReadsRowsOfEveryFloatType) {
  const std::vector<float> values = {1, -2, 0.5F, 0, 65504, -0.25F};
  std::vector<std::uint16_t> f16;
  std::vector<std::uint16_t> bf16;
  std::vector<float> as_bf16;
  for (const float value : values) {
    f16.push_back(packing::F32ToF16(value));
    bf16.push_back(packing::F32ToBf16(value));
    as_bf16.push_back(packing::Bf16ToF32(bf16.back()));
  }
  const auto f32 = Store(StoredType::kF32, {3, 2}, Join(values));
  EXPECT_EQ(Rows(f32, 0, 3), values);
  EXPECT_EQ(Rows(f32, 1, 2), (std::vector<float>{0.5F, 0}));
  EXPECT_TRUE(Rows(f32, 3, 3).empty());
  EXPECT_EQ(Rows(Store(StoredType::kF16, {3, 2}, Join(f16)), 0, 3), values);
  EXPECT_EQ(Rows(Store(StoredType::kBf16, {3, 2}, Join(bf16)), 0, 3), as_bf16);
}

TEST_F(StoredTensorTest, ReadsQ8Blocks) {
  std::vector<float> row(64);
  for (std::size_t i = 0; i < row.size(); ++i) {
    row[i] = static_cast<float>(i) - 31;
  }
  std::vector<std::uint8_t> bytes(2 * packing::Q8RowBytes(64));
  packing::QuantizeQ8(row, std::span(bytes).first(68));
  packing::QuantizeQ8(row, std::span(bytes).last(68));
  std::vector<float> expected(64);
  packing::DequantizeQ8(std::span(bytes).first(68), expected);
  const auto tensor =
      Store(StoredType::kQ8_0, {2, 64}, {bytes.begin(), bytes.end()});
  EXPECT_EQ(Rows(tensor, 1, 2), expected);
  EXPECT_NEAR(expected[0], -31, 0.2);
}

TEST_F(StoredTensorTest, CountsAVectorAsOneRow) {
  const auto vector = Store(StoredType::kF32, {3}, Join<float>({1, 2, 3}));
  EXPECT_EQ(Rows(vector, 0, 1), (std::vector<float>{1, 2, 3}));
  const auto scalar = Store(StoredType::kF32, {}, Join<float>({4}));
  EXPECT_EQ(Rows(scalar, 0, 1), (std::vector<float>{4}));
}

// Larger than what is read at once.
TEST_F(StoredTensorTest, ReadsManyChunksInOrder) {
  std::vector<float> values(1000 * 300);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i);
  }
  const auto tensor = Store(StoredType::kF32, {1000, 300}, Join(values));
  EXPECT_EQ(Rows(tensor, 0, 1000), values);
}

TEST_F(StoredTensorTest, RefusesRowsThatAreNotThere) {
  const auto tensor = Store(StoredType::kF32, {2, 1}, Join<float>({1, 2}));
  std::vector<float> out(8);
  for (const auto& [begin, end] :
       {std::pair<std::uint64_t, std::uint64_t>{0, 3}, {2, 1}, {3, 3}}) {
    EXPECT_EQ(ErrorOf([&, b = begin, e = end] {
                ReadFloats(tensor, b, e, out.data());
              }).code,
              ErrorCode::kInvalidArgument);
  }
}

TEST_F(StoredTensorTest, RefusesTypesWithoutFloats) {
  for (const auto type : {StoredType::kU8, StoredType::kI2S, StoredType::kTq2_0,
                          StoredType::kOther}) {
    const auto tensor = Store(type, {4}, "1234");
    float out[4];
    const auto thrown = ErrorOf([&] { ReadFloats(tensor, 0, 1, out); });
    EXPECT_EQ(thrown.code, ErrorCode::kUnsupported);
    EXPECT_NE(thrown.message.find("tensor 't': type TYPE"), std::string::npos);
  }
}

TEST_F(StoredTensorTest, RefusesValuesThatAreNotFinite) {
  const auto tensor =
      Store(StoredType::kBf16, {2, 2},
            Join<std::uint16_t>({0x3f80, 0x3f80, 0x3f80, 0xff80}));
  float out[4];
  ReadFloats(tensor, 0, 1, out);
  const auto thrown = ErrorOf([&] { ReadFloats(tensor, 1, 2, out); });
  EXPECT_EQ(thrown.code, ErrorCode::kMalformed);
  EXPECT_NE(thrown.message.find("element 3 "), std::string::npos);
}

TEST_F(StoredTensorTest, KnowsItsBytesCountAndPlace) {
  const auto tensor = Store(StoredType::kU8, {2, 3}, "abcdef");
  const auto bytes = tensor.ReadAll();
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "abcdef");
  EXPECT_EQ(tensor.ElementCount(), 6U);
  EXPECT_EQ(tensor.Place(),
            (directory_.path() / "f.bin").string() + ": tensor 't'");
}

}  // namespace
}  // namespace tern::files
