// A disk that is full, broken or read-only while a model is packed: an Error
// that names the file to be written; the old file or none is there, and no
// temporary one.
#include <cerrno>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/pack.h>

#include "tests/faults/fault_injection.h"
#include "tests/faults/tiny_run.h"
#include "tests/support/temporary_directory.h"

namespace tern::testing {
namespace {

namespace fs = std::filesystem;

class WriteFaultsTest : public ::testing::Test {
 protected:
  std::string PackWith(const Fault& fault, bool overwrite) {
    const Injection injection(fault);
    try {
      Pack(source_, out_, {.overwrite = overwrite});
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kIo) << error.what();
      return error.what();
    }
    return "";
  }
  // With no old file, and with one to be replaced.
  void ExpectError(const Fault& fault, const std::string& words) {
    for (const bool has_old : {false, true}) {
      fs::remove(out_);
      if (has_old) WriteFile(out_, "old");
      const std::string message = PackWith(fault, has_old);
      EXPECT_EQ(message.find(out_.string()), 0U) << message;
      EXPECT_NE(message.find(words), std::string::npos) << message;
      EXPECT_EQ(directory_.FileCount(), has_old ? 1U : 0U) << message;
      EXPECT_EQ(ReadFile(out_), has_old ? "old" : "") << message;
    }
  }

  const fs::path source_ = kGolden / "zb-bitnet-256.i2_s.gguf";
  TemporaryDirectory directory_;
  const fs::path out_ = directory_ / "out.gguf";
};

TEST_F(WriteFaultsTest, AFullDiskAtAnyWrite) {
  std::size_t calls = 0;
  {
    const Injection injection({.call = Call::kWrite, .count = 0});
    Pack(source_, out_);
    calls = injection.calls();
  }
  ASSERT_GT(calls, 2U);
  for (std::size_t i = 0; i < calls; ++i) {
    ExpectError(
        {.call = Call::kWrite, .first = i, .count = kForever, .error = ENOSPC},
        "No space left on device");
  }
}

TEST_F(WriteFaultsTest, AFileLargerThanAllowed) {
  ExpectError({.call = Call::kWrite, .first = 1, .error = EFBIG},
              "File too large");
}

// A write that takes nothing, without a reason, must not go on for ever.
TEST_F(WriteFaultsTest, AWriteThatTakesNothing) {
  ExpectError({.call = Call::kWrite, .first = 1, .count = kForever, .bytes = 0},
              "No space left on device");
}

TEST_F(WriteFaultsTest, ShortAndInterruptedWritesChangeNothing) {
  Pack(source_, out_);
  const std::string expected = ReadFile(out_);
  for (const Fault& fault :
       {Fault{.call = Call::kWrite, .count = 2000, .bytes = 11},
        Fault{.call = Call::kWrite,
        .count = kForever,
        .period = 2,
        .error = EINTR}}) {
    EXPECT_EQ(PackWith(fault, true), "");
    EXPECT_EQ(ReadFile(out_), expected);
  }
}

TEST_F(WriteFaultsTest, WhatReachesTheDiskTooLate) {
  ExpectError({.call = Call::kSync, .error = EIO}, "Input/output error");
  ExpectError({.call = Call::kSync, .error = EDQUOT}, "quota");
}

// All opens fail that would write: the last one that Pack does.
TEST_F(WriteFaultsTest, AReadOnlyFileSystem) {
  std::size_t calls = 0;
  {
    const Injection injection({.call = Call::kOpen, .count = 0});
    Pack(source_, out_);
    calls = injection.calls();
  }
  bool is_told = false;
  for (std::size_t i = 0; i < calls; ++i) {
    fs::remove(out_);
    const std::string message =
        PackWith({.call = Call::kOpen, .first = i, .error = EROFS}, false);
    if (message.empty()) continue;  // the directory, to put its entry on disk
    EXPECT_EQ(directory_.FileCount(), 0U) << message;
    is_told = is_told || message.find(out_.string()) == 0;
    EXPECT_NE(message.find("Read-only file system"), std::string::npos)
        << message;
  }
  EXPECT_TRUE(is_told);
}

TEST_F(WriteFaultsTest, ANameThatCannotBeTaken) {
  WriteFile(out_, "old");
  const std::string message =
      PackWith({.call = Call::kRename, .error = EACCES}, true);
  EXPECT_EQ(message.find(out_.string()), 0U) << message;
  EXPECT_EQ(ReadFile(out_), "old");
  EXPECT_EQ(directory_.FileCount(), 1U);
}

// A file system without hard links: rename does as well.
TEST_F(WriteFaultsTest, NoLinksAreNoReasonToFail) {
  EXPECT_EQ(PackWith({.call = Call::kLink, .error = EPERM}, false), "");
  EXPECT_FALSE(LoadAndRun(out_).empty());
  EXPECT_EQ(directory_.FileCount(), 1U);
}

TEST_F(WriteFaultsTest, ADirectoryThatIsNotThere) {
  try {
    Pack(source_, directory_ / "no" / "out.gguf");
    ADD_FAILURE() << "packed into a directory that is not there";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("no/out.gguf"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace tern::testing
