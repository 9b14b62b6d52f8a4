#include "runtime/files/gguf_writer.h"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>

#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace tern::files {
namespace {

using Bytes = std::vector<std::uint8_t>;

// The expected file, put together number by number.
class Expected {
 public:
  template <typename T>
  Expected& Number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Expected& U32(std::uint32_t value) { return Number(value); }
  Expected& U64(std::uint64_t value) { return Number(value); }
  Expected& String(const std::string& text) {
    U64(text.size());
    bytes_ += text;
    return *this;
  }
  Expected& Raw(const std::string& text) {
    bytes_ += text;
    return *this;
  }
  Expected& PadTo32() {
    while (bytes_.size() % 32 != 0) bytes_ += '\0';
    return *this;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

Bytes Fill(std::size_t count, std::uint8_t value) {
  return Bytes(count, value);
}

std::string Written(const GgufMetadata& metadata) {
  const TemporaryDirectory directory;
  GgufWriter writer(directory / "a.gguf", false, metadata, {});
  const std::uint64_t size = writer.Finish();
  EXPECT_EQ(size, std::filesystem::file_size(directory / "a.gguf"));
  return ReadFile(directory / "a.gguf");
}

Expected Header(std::uint64_t tensors, std::uint64_t keys) {
  Expected expected;
  expected.Raw("GGUF").U32(3).U64(tensors).U64(keys);
  return expected;
}

TEST(GgufWriter, WritesEveryByteAsTheFormatSays) {
  const TemporaryDirectory directory;
  const GgufMetadata metadata = {
      {"z.last", std::string("first written first")},
      {"a.count", std::uint64_t{7}},
  };
  GgufWriter writer(directory / "a.gguf", false, metadata,
                    {{"norm", StoredType::kF32, {3}},
                     {"matrix", StoredType::kI2S, {2, 128}},
                     {"embedding", StoredType::kBf16, {5, 2}}});
  writer.Write(Fill(12, 0x11));
  writer.Write(Fill(50, 0x22));  // in pieces
  writer.Write({});
  writer.Write(Fill(46, 0x33));
  writer.Write(Fill(20, 0x44));
  const std::uint64_t size = writer.Finish();

  Expected expected = Header(3, 2);
  expected.String("z.last").U32(8).String("first written first");
  expected.String("a.count").U32(4).U32(7);
  expected.String("norm").U32(1).U64(3).U32(0).U64(0);
  expected.String("matrix").U32(2).U64(128).U64(2).U32(36).U64(32);
  expected.String("embedding").U32(2).U64(2).U64(5).U32(30).U64(128);
  expected.PadTo32();
  expected.Raw(std::string(12, 0x11)).PadTo32();
  expected.Raw(std::string(50, 0x22)).Raw(std::string(46, 0x33)).PadTo32();
  expected.Raw(std::string(20, 0x44)).PadTo32();
  EXPECT_EQ(ReadFile(directory / "a.gguf"), expected.bytes());
  EXPECT_EQ(size, expected.bytes().size());
}

TEST(GgufWriter, NumbersTakeTheNarrowestTypeThatHoldsThem) {
  const std::uint64_t wide = std::uint64_t{1} << 32;
  const double infinity = std::numeric_limits<double>::infinity();
  Expected expected = Header(0, 10);
  expected.String("a").U32(4).U32(0xffffffff);
  expected.String("b").U32(10).U64(wide);
  expected.String("c").U32(5).Number(std::int32_t{-5});
  expected.String("d").U32(11).Number(std::int64_t{-3000000000});
  expected.String("e").U32(6).Number(1e-5F);
  expected.String("f").U32(12).Number(1e-5);
  expected.String("g").U32(12).Number(1e300);
  expected.String("h").U32(6).Number(-std::numeric_limits<float>::infinity());
  expected.String("i").U32(7).Number(true);
  expected.String("j").U32(8).String("\xc4\xa0 t");
  expected.PadTo32();
  EXPECT_EQ(Written({{"a", std::uint64_t{0xffffffff}},
                     {"b", wide},
                     {"c", std::int64_t{-5}},
                     {"d", std::int64_t{-3000000000}},
                     {"e", static_cast<double>(1e-5F)},
                     {"f", 1e-5},
                     {"g", 1e300},
                     {"h", -infinity},
                     {"i", true},
                     {"j", std::string("\xc4\xa0 t")}}),
            expected.bytes());
}

TEST(GgufWriter, ArraysHaveOneTypeForAllElements) {
  const std::int64_t wide = std::int64_t{1} << 31;
  Expected expected = Header(0, 7);
  expected.String("i32").U32(9).U32(5).U64(2).U32(1).U32(3);
  expected.String("i64").U32(9).U32(11).U64(2).U64(1).Number(wide);
  expected.String("u32").U32(9).U32(4).U64(1).U32(9);
  expected.String("f32").U32(9).U32(6).U64(1).Number(0.5F);
  expected.String("bool").U32(9).U32(7).U64(3).Raw(std::string("\1\0\1", 3));
  expected.String("strings").U32(9).U32(8).U64(2).String("x").String("");
  expected.String("none").U32(9).U32(8).U64(0);
  expected.PadTo32();
  EXPECT_EQ(Written({{"i32", std::vector<std::int64_t>{1, 3}},
                     {"i64", std::vector<std::int64_t>{1, wide}},
                     {"u32", std::vector<std::uint64_t>{9}},
                     {"f32", std::vector<double>{0.5}},
                     {"bool", std::vector<bool>{true, false, true}},
                     {"strings", std::vector<std::string>{"x", ""}},
                     {"none", std::vector<std::string>{}}}),
            expected.bytes());
}

TEST(GgufWriter, TheReaderReadsItBack) {
  const TemporaryDirectory directory;
  const GgufMetadata metadata = {{"general.name", std::string("n")},
                                 {"numbers", std::vector<std::int64_t>{1, -2}},
                                 {"pi", static_cast<double>(3.14F)},
                                 {"flags", std::vector<bool>{true, false}}};
  GgufWriter writer(
      directory / "a.gguf", false, metadata,
      {{"q", StoredType::kTq2_0, {2, 256}}, {"e", StoredType::kQ8_0, {3, 32}}});
  writer.Write(Fill(132, 1));
  writer.Write(Fill(102, 2));
  writer.Finish();
  const GgufFile file = ReadGguf(directory / "a.gguf");
  for (const auto& [key, value] : metadata) {
    EXPECT_EQ(file.metadata.at(key), value) << key;
  }
  EXPECT_EQ(file.tensors.at("q").ReadAll(), Fill(132, 1));
  EXPECT_EQ(file.tensors.at("e").ReadAll(), Fill(102, 2));
  EXPECT_EQ(file.tensors.at("e").shape, (std::vector<std::uint64_t>{3, 32}));
}

TEST(GgufWriter, AnExistingFileIsLeftAlone) {
  const TemporaryDirectory directory;
  WriteFile(directory / "a.gguf", "precious");
  ExpectError(ErrorCode::kInvalidArgument, {"a.gguf", "exists already"},
              [&] { GgufWriter writer(directory / "a.gguf", false, {}, {}); });
  EXPECT_EQ(ReadFile(directory / "a.gguf"), "precious");
  EXPECT_EQ(directory.FileCount(), 1U);
}

TEST(GgufWriter, AFileThatAppearsMeanwhileIsLeftAlone) {
  const TemporaryDirectory directory;
  {
    GgufWriter writer(directory / "a.gguf", false, {}, {});
    WriteFile(directory / "a.gguf", "precious");
    ExpectError(ErrorCode::kInvalidArgument, {"a.gguf", "exists already"},
                [&] { writer.Finish(); });
  }
  EXPECT_EQ(ReadFile(directory / "a.gguf"), "precious");
  EXPECT_EQ(directory.FileCount(), 1U);
}

TEST(GgufWriter, OverwritingKeepsTheOldFileUntilTheNewOneIsComplete) {
  const TemporaryDirectory directory;
  WriteFile(directory / "a.gguf", "old");
  GgufWriter writer(directory / "a.gguf", true, {},
                    {{"t", StoredType::kF32, {1}}});
  EXPECT_EQ(ReadFile(directory / "a.gguf"), "old");
  writer.Write(Fill(4, 0));
  EXPECT_EQ(ReadFile(directory / "a.gguf"), "old");
  writer.Finish();
  EXPECT_EQ(ReadFile(directory / "a.gguf").substr(0, 4), "GGUF");
  EXPECT_EQ(directory.FileCount(), 1U);
}

TEST(GgufWriter, AnUnfinishedFileIsRemoved) {
  const TemporaryDirectory directory;
  WriteFile(directory / "a.gguf", "old");
  {
    GgufWriter writer(directory / "a.gguf", true, {},
                      {{"t", StoredType::kF32, {2}}});
    writer.Write(Fill(4, 0));
    EXPECT_EQ(directory.FileCount(), 2U);
  }
  EXPECT_EQ(ReadFile(directory / "a.gguf"), "old");
  EXPECT_EQ(directory.FileCount(), 1U);
}

TEST(GgufWriter, RefusesWhatIsNoOrdinaryFile) {
  const TemporaryDirectory directory;
  ExpectError(ErrorCode::kInvalidArgument, {"not an ordinary file"},
              [&] { GgufWriter writer(directory.path(), true, {}, {}); });
  ExpectError(ErrorCode::kInvalidArgument, {"/dev/null", "not an ordinary"},
              [] { GgufWriter writer("/dev/null", true, {}, {}); });
  ExpectError(ErrorCode::kInvalidArgument, {"no file name"},
              [&] { GgufWriter writer(directory / "a.gguf/", false, {}, {}); });
  ExpectError(ErrorCode::kIo, {"missing/a.gguf", "No such file"}, [&] {
    GgufWriter writer(directory / "missing/a.gguf", false, {}, {});
  });
}

TEST(GgufWriter, RefusesToMixUpTensors) {
  const TemporaryDirectory directory;
  const auto code = ErrorCode::kInvalidArgument;
  GgufWriter writer(
      directory / "a.gguf", false, {},
      {{"t", StoredType::kF32, {2}}, {"u", StoredType::kF32, {1}}});
  ExpectError(code, {"tensor 't' has too much"},
              [&] { writer.Write(Fill(9, 0)); });
  writer.Write(Fill(8, 0));
  ExpectError(code, {"tensor 'u' has too little"}, [&] { writer.Finish(); });
  writer.Write(Fill(4, 0));
  ExpectError(code, {"after the last"}, [&] { writer.Write(Fill(1, 0)); });
}

TEST(GgufWriter, RefusesWhatGgufCannotExpress) {
  const TemporaryDirectory directory;
  const auto refuse = [&](const std::string& words,
                          const GgufMetadata& metadata,
                          const std::vector<GgufTensor>& tensors) {
    ExpectError(ErrorCode::kInvalidArgument, {"a.gguf", words}, [&] {
      GgufWriter writer(directory / "a.gguf", false, metadata, tensors);
    });
    EXPECT_EQ(directory.FileCount(), 0U);
  };
  refuse("key 'k' is there twice", {{"k", true}, {"k", false}}, {});
  const GgufTensor sound = {"t", StoredType::kF32, {1}};
  refuse("tensor 't' is there twice", {}, {sound, sound});
  refuse("type", {}, {{"t", StoredType::kU8, {1}}});
  refuse("type", {}, {{"t", StoredType::kOther, {1}}});
  refuse("dimensions", {}, {{"t", StoredType::kF32, {}}});
  refuse("dimensions", {}, {{"t", StoredType::kF32, {1, 1, 1, 1, 1}}});
  refuse("empty", {}, {{"t", StoredType::kF32, {3, 0}}});
  refuse("too large", {},
         {{"t", StoredType::kF32, {std::uint64_t{1} << 40, 1U << 30}}});
  refuse("multiple", {}, {{"t", StoredType::kTq2_0, {4, 128}}});
}

// A limit on file sizes fails as a full disk does, after a short write.
TEST(GgufWriter, AFullDiskIsAnErrorAndLeavesNothing) {
  const TemporaryDirectory directory;
  rlimit old_limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  rlimit limit = old_limit;
  limit.rlim_cur = 5000;
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  ExpectError(ErrorCode::kIo, {"a.gguf", "taking room for its"}, [&] {
    GgufWriter writer(directory / "a.gguf", false, {},
                      {{"t", StoredType::kF32, {2000}}});
    writer.Write(Fill(8000, 0));
    writer.Finish();
  });
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(directory.FileCount(), 0U);
}

}  // namespace
}  // namespace tern::files
