// Well-formed files; damaged ones are in damaged_files_test.cc.
#include "runtime/files/gguf.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/runtime/files/error_of.h"
#include "tests/runtime/files/temporary_directory.h"
#include "tests/runtime/files/tiny_model.h"

namespace tern::files {
namespace {

using test::Bytes;
using test::ErrorOf;
using test::GgufParts;
using test::GgufString;
using test::GgufTyped;
using test::TemporaryDirectory;

class GgufTest : public testing::Test {
 protected:
  GgufFile Read(const GgufParts& parts) {
    return ReadGguf(directory_.Write("x.gguf", Serialize(parts)));
  }
  GgufFile ReadKey(const GgufTyped& value) {
    GgufParts parts;
    parts.keys = {{"k", value}};
    return Read(parts);
  }
  template <typename T>
  T Value(const GgufTyped& value) {
    return std::get<T>(ReadKey(value).metadata.at("k"));
  }

  TemporaryDirectory directory_;
};

TEST_F(GgufTest, ReadsEveryScalarType) {
  EXPECT_EQ(Value<std::uint64_t>({0, "\xff"}), 255U);
  EXPECT_EQ(Value<std::int64_t>({1, "\xff"}), -1);
  EXPECT_EQ(Value<std::uint64_t>({2, Bytes(std::uint16_t{65535})}), 65535U);
  EXPECT_EQ(Value<std::int64_t>({3, Bytes(std::int16_t{-2})}), -2);
  EXPECT_EQ(Value<std::uint64_t>({4, Bytes(4000000000U)}), 4000000000U);
  EXPECT_EQ(Value<std::int64_t>({5, Bytes(-3)}), -3);
  EXPECT_EQ(Value<double>({6, Bytes(0.5F)}), 0.5);
  EXPECT_EQ(Value<bool>({7, std::string(1, '\1')}), true);
  EXPECT_EQ(Value<bool>({7, std::string(1, '\0')}), false);
  EXPECT_EQ(Value<std::string>({8, GgufString("text")}), "text");
  EXPECT_EQ(Value<std::uint64_t>({10, Bytes(~std::uint64_t{0})}),
            ~std::uint64_t{0});
  EXPECT_EQ(Value<std::int64_t>({11, Bytes(std::int64_t{-4})}), -4);
  EXPECT_EQ(Value<double>({12, Bytes(0.1)}), 0.1);
}

TEST_F(GgufTest, ReadsArraysOfEveryType) {
  const auto array = [](std::uint32_t type, std::uint64_t count,
                        const std::string& elements) {
    return GgufTyped{9, Bytes(type) + Bytes(count) + elements};
  };
  using Unsigned = std::vector<std::uint64_t>;
  using Signed = std::vector<std::int64_t>;
  using Floats = std::vector<double>;
  using Bytes8 = std::vector<std::uint8_t>;
  using Signed8 = std::vector<std::int8_t>;
  using Unsigned16 = std::vector<std::uint16_t>;
  using Signed16 = std::vector<std::int16_t>;
  EXPECT_EQ(Value<Bytes8>(array(0, 2, "\x01\xff")), (Bytes8{1, 255}));
  EXPECT_EQ(Value<Signed8>(array(1, 2, "\x01\xff")), (Signed8{1, -1}));
  EXPECT_EQ(Value<Unsigned16>(array(2, 1, "\x02\x01")), (Unsigned16{258}));
  EXPECT_EQ(Value<Signed16>(array(3, 1, "\xfe\xff")), (Signed16{-2}));
  EXPECT_EQ(Value<Unsigned>(array(4, 1, Bytes(7U))), (Unsigned{7}));
  EXPECT_EQ(Value<Signed>(array(5, 2, Bytes(-7) + Bytes(8))), (Signed{-7, 8}));
  EXPECT_EQ(Value<Floats>(array(6, 1, Bytes(0.25F))), (Floats{0.25}));
  EXPECT_EQ(Value<std::vector<bool>>(array(7, 2, {"\0\1", 2})),
            (std::vector<bool>{false, true}));
  EXPECT_EQ(Value<std::vector<std::string>>(
                array(8, 2, GgufString("ab") + GgufString(""))),
            (std::vector<std::string>{"ab", ""}));
  EXPECT_EQ(Value<Unsigned>(array(10, 1, Bytes(std::uint64_t{9}))),
            (Unsigned{9}));
  EXPECT_EQ(Value<Signed>(array(11, 1, Bytes(std::int64_t{-9}))), (Signed{-9}));
  EXPECT_EQ(Value<Floats>(array(12, 1, Bytes(0.1))), (Floats{0.1}));
  EXPECT_TRUE(Value<Unsigned>(array(4, 0, "")).empty());
}

// More than the reader's buffer, so that strings straddle its ends.
TEST_F(GgufTest, ReadsManyAndLongStrings) {
  std::vector<std::string> texts;
  for (int i = 0; i < 60000; ++i) {
    texts.push_back("text " + std::to_string(i));
  }
  texts.push_back(std::string(1000000, 'x'));
  texts.emplace_back("last");
  const GgufFile file = ReadKey(test::Texts(texts));
  ASSERT_NE(file.Strings("k"), nullptr);
  EXPECT_EQ(*file.Strings("k"), texts);
}

TEST_F(GgufTest, GivesValuesByTypeAndRefusesOthers) {
  const GgufFile count = ReadKey(test::U32(7));
  EXPECT_EQ(count.Unsigned("k"), 7U);
  EXPECT_EQ(count.Unsigned("other"), std::nullopt);
  EXPECT_EQ(count.String("other"), nullptr);
  for (const auto& action : std::vector<std::function<void()>>{
           [&] { (void)count.String("k"); }, [&] { (void)count.Bool("k"); },
           [&] { (void)count.Number("k"); }, [&] { (void)count.Strings("k"); },
           [&] {
             (void)ReadKey({5, Bytes(-1)}).Unsigned("k");
           },
           [&] { (void)ReadKey(test::F32(1)).Unsigned("k"); }}) {
    const auto thrown = ErrorOf(action);
    EXPECT_EQ(thrown.code, ErrorCode::kMalformed);
    EXPECT_NE(thrown.message.find("x.gguf: key 'k': is not"),
              std::string::npos);
  }
  EXPECT_EQ(ReadKey({5, Bytes(3)}).Unsigned("k"), 3U);
  EXPECT_EQ(ReadKey(test::F32(0.5F)).Number("k"), 0.5);
  EXPECT_EQ(ReadKey(test::Bool(true)).Bool("k"), true);
  EXPECT_EQ(*ReadKey(test::Text("t")).String("k"), "t");
}

TEST_F(GgufTest, FindsEachTensorWithItsShapeOutermostFirst) {
  for (const std::uint32_t version : {2U, 3U}) {
    GgufParts parts = test::TinyGguf();
    parts.version = version;
    const GgufFile file = Read(parts);
    EXPECT_EQ(file.version, version);
    EXPECT_EQ(file.tensors.size(), parts.tensors.size());
    for (const auto& part : parts.tensors) {
      const StoredTensor& tensor = file.tensors.at(part.name);
      EXPECT_EQ(tensor.shape, std::vector<std::uint64_t>(part.dims.rbegin(),
                                                         part.dims.rend()));
      const auto bytes = tensor.ReadAll();
      EXPECT_EQ(std::string(bytes.begin(), bytes.end()), part.data);
    }
    EXPECT_EQ(file.tensors.at("blk.0.attn_q.weight").type, StoredType::kI2S);
    EXPECT_EQ(file.tensors.at("token_embd.weight").type_name, "F16");
  }
}

TEST_F(GgufTest, KnowsTheSizesOfAllTypesItReads) {
  GgufParts parts;
  const auto add = [&](const char* name, std::uint32_t type,
                       std::size_t bytes) {
    parts.tensors.push_back(
        {name, {256, 2}, type, std::string(bytes, '\1'), {}});
  };
  add("f32", 0, 2048);
  add("f16", 1, 1024);
  add("bf16", 30, 1024);
  add("q8_0", 8, 544);
  add("i2_s", 36, 160);
  add("tq1_0", 34, 108);
  add("tq2_0", 35, 132);
  add("pq2_0", 142, 136);
  add("ptq1_0", 143, 112);
  add("q4_0", 2, 288);
  add("q6_k", 14, 420);
  const GgufFile file = Read(parts);
  EXPECT_EQ(file.tensors.at("f32").type, StoredType::kF32);
  EXPECT_EQ(file.tensors.at("f16").type, StoredType::kF16);
  EXPECT_EQ(file.tensors.at("bf16").type, StoredType::kBf16);
  EXPECT_EQ(file.tensors.at("q8_0").type, StoredType::kQ8_0);
  EXPECT_EQ(file.tensors.at("i2_s").type, StoredType::kI2S);
  EXPECT_EQ(file.tensors.at("tq1_0").type, StoredType::kTq1_0);
  EXPECT_EQ(file.tensors.at("tq2_0").type, StoredType::kTq2_0);
  EXPECT_EQ(file.tensors.at("pq2_0").type, StoredType::kPq2_0);
  EXPECT_EQ(file.tensors.at("ptq1_0").type, StoredType::kPtq1_0);
  EXPECT_EQ(file.tensors.at("q4_0").type, StoredType::kQ4_0);
  EXPECT_EQ(file.tensors.at("q6_k").type, StoredType::kQ6K);
  EXPECT_EQ(file.tensors.at("tq2_0").bytes, 132U);
}

TEST_F(GgufTest, ListsTensorsOfTypesThatItDoesNotRead) {
  GgufParts parts;
  parts.tensors = {{"tl1", {256}, 38, std::string(54, 'x'), {}},
                   {"new", {256}, 777, std::string(32, 'x'), {}}};
  const GgufFile file = Read(parts);
  EXPECT_EQ(file.tensors.at("tl1").type, StoredType::kOther);
  EXPECT_EQ(file.tensors.at("tl1").type_name, "TL1");
  EXPECT_EQ(file.tensors.at("tl1").bytes, 64U);  // padding included
  EXPECT_EQ(file.tensors.at("new").type_name, "777");
}

TEST_F(GgufTest, HonoursTheAlignment) {
  GgufParts parts;
  parts.alignment = 128;
  parts.keys = {{"general.alignment", test::U32(128)}};
  parts.tensors = {{"a", {1}, 0, Bytes(1.0F), {}},
                   {"b", {1}, 0, Bytes(2.0F), {}}};
  const GgufFile file = Read(parts);
  float value = 0;
  ReadFloats(file.tensors.at("b"), 0, 1, &value);
  EXPECT_EQ(value, 2);
  EXPECT_EQ(file.tensors.at("b").offset % 128, 0U);
}

TEST_F(GgufTest, LetsTheLastTensorEndWithoutPadding) {
  GgufParts parts;
  parts.tensors = {{"a", {1}, 0, Bytes(1.0F), {}},
                   {"b", {1}, 0, Bytes(2.0F), {}}};
  std::string bytes = Serialize(parts);
  bytes.resize(bytes.size() - 28);
  const auto path = directory_.Write("short.gguf", bytes);
  EXPECT_EQ(ReadGguf(path).tensors.at("b").bytes, 4U);
}

TEST_F(GgufTest, IsKnownByItsFirstBytes) {
  EXPECT_TRUE(IsGguf(directory_.Write("a", "GGUF")));
  EXPECT_FALSE(IsGguf(directory_.Write("b", "GGU")));
  EXPECT_FALSE(IsGguf(directory_.Write("c", "XGGUF")));
}

// The file has room for it, though it takes none on the disk.
TEST_F(GgufTest, TextOfMoreThanAGibibyteIsRefused) {
  std::string bytes("GGUF\3\0\0\0", 8);
  for (const std::uint64_t number :
       {std::uint64_t{0}, std::uint64_t{1}, (std::uint64_t{1} << 30) + 1}) {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  const auto path = directory_.Write("x.gguf", bytes);
  std::filesystem::resize_file(path, std::uint64_t{1} << 31);
  const auto thrown = ErrorOf([&] { (void)ReadGguf(path); });
  EXPECT_EQ(thrown.code, ErrorCode::kMalformed);
  EXPECT_NE(thrown.message.find("1073741825 bytes"), std::string::npos)
      << thrown.message;
}

}  // namespace
}  // namespace tern::files
