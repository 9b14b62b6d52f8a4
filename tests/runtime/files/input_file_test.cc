#include "runtime/files/input_file.h"

#include <array>
#include <filesystem>
#include <limits>
#include <string>
#include <sys/stat.h>
#include <utility>

#include <gtest/gtest.h>

#include "runtime/files/quote.h"
#include "tests/runtime/files/error_of.h"
#include "tests/runtime/files/temporary_directory.h"

namespace tern::files {
namespace {

using test::ErrorOf;
using test::TemporaryDirectory;

std::string AsText(const std::vector<std::uint8_t>& bytes) {
  return {bytes.begin(), bytes.end()};
}

TEST(InputFile, ReadsRanges) {
  const TemporaryDirectory directory;
  const InputFile file(directory.Write("f", "0123456789"));
  EXPECT_EQ(file.size(), 10U);
  EXPECT_EQ(AsText(file.Read(3, 4)), "3456");
  EXPECT_EQ(AsText(file.Read(0, 10)), "0123456789");
  EXPECT_EQ(AsText(file.Read(10, 0)), "");
}

TEST(InputFile, RefusesRangesBeyondTheEnd) {
  const TemporaryDirectory directory;
  const InputFile file(directory.Write("f", "0123456789"));
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  for (const auto& [offset, bytes] :
       {std::pair<std::uint64_t, std::uint64_t>{0, 11},
        {10, 1},
        {11, 0},
        {kMax, 2},
        {2, kMax},
        {kMax, kMax},
        {5, kMax - 4}}) {
    const auto thrown =
        ErrorOf([&, o = offset, b = bytes] { (void)file.Read(o, b); });
    EXPECT_EQ(thrown.code, ErrorCode::kIo) << offset << " " << bytes;
    EXPECT_NE(thrown.message.find("byte " + std::to_string(offset)),
              std::string::npos);
  }
}

TEST(InputFile, SaysThatAFileIsMissing) {
  const TemporaryDirectory directory;
  const auto thrown = ErrorOf([&] { InputFile(directory.path() / "none"); });
  EXPECT_EQ(thrown.code, ErrorCode::kNotFound);
  EXPECT_NE(thrown.message.find("none: no such file"), std::string::npos);
}

TEST(InputFile, RefusesDirectories) {
  const TemporaryDirectory directory;
  const auto thrown = ErrorOf([&] { InputFile{directory.path()}; });
  EXPECT_EQ(thrown.code, ErrorCode::kIo);
  EXPECT_NE(thrown.message.find("is a directory"), std::string::npos);
}

// Opened the ordinary way it would wait for a writer for ever.
TEST(InputFile, RefusesNamedPipesWithoutWaiting) {
  const TemporaryDirectory directory;
  const auto pipe = directory.path() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(ErrorOf([&] { InputFile{pipe}; }).code, ErrorCode::kIo);
}

TEST(InputFile, NoticesAFileThatShrinks) {
  const TemporaryDirectory directory;
  const auto path = directory.Write("f", std::string(100, 'x'));
  const InputFile file(path);
  std::filesystem::resize_file(path, 50);
  const auto thrown = ErrorOf([&] { (void)file.Read(0, 100); });
  EXPECT_EQ(thrown.code, ErrorCode::kIo);
  EXPECT_NE(thrown.message.find("shrank"), std::string::npos);
}

TEST(IsThere, IsFalseOnlyForWhatIsAbsent) {
  const TemporaryDirectory directory;
  const auto path = directory.Write("f", "");
  EXPECT_TRUE(IsThere(path));
  EXPECT_TRUE(IsThere(path.parent_path()));
  EXPECT_FALSE(IsThere(path.parent_path() / "g"));
  EXPECT_FALSE(IsThere(path / "g"));
  const auto link = path.parent_path() / "link";
  std::filesystem::create_symlink("link", link);
  EXPECT_TRUE(IsThere(link));
}

TEST(ReadTextFile, StopsAtItsLimit) {
  const TemporaryDirectory directory;
  const auto path = directory.Write("f", "12345");
  EXPECT_EQ(ReadTextFile(path, 5), "12345");
  EXPECT_EQ(ErrorOf([&] { (void)ReadTextFile(path, 4); }).code,
            ErrorCode::kMalformed);
}

TEST(Quote, KeepsMessagesOnOneLine) {
  EXPECT_EQ(Quote("blk.0.attn_q"), "'blk.0.attn_q'");
  EXPECT_EQ(Quote("a\nb\x1b\xff"), "'a\\x0ab\\x1b\\xff'");
  EXPECT_EQ(Quote(std::string("\0", 1)), "'\\x00'");
  EXPECT_EQ(Quote(std::string(101, 'x')), "'" + std::string(100, 'x') + "...'");
}

}  // namespace
}  // namespace tern::files
