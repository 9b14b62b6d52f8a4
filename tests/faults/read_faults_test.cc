// Reads that fail, return less than asked, are interrupted, or meet the end of
// a file that shrank: a clear Error, or the same result as ever.
#include <cerrno>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/inspect.h>
#include <tern/pack.h>

#include "tests/faults/fault_injection.h"
#include "tests/faults/tiny_run.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_model.h"

namespace tern::testing {
namespace {

namespace fs = std::filesystem;

// Runs it with the fault; the Error's message, empty if it finished.
std::string MessageOf(const fs::path& path, const Fault& fault,
                      std::size_t* calls = nullptr) {
  const Injection injection(fault);
  std::string message;
  try {
    LoadAndRun(path);
  } catch (const Error& error) {
    message = error.what();
    EXPECT_EQ(error.code(), ErrorCode::kIo) << message;
  }
  if (calls != nullptr) *calls = injection.calls();
  return message;
}

// A GGUF file with a tokenizer, and a directory without one.
class ReadFaultsTest : public ::testing::Test {
 protected:
  ReadFaultsTest() {
    WriteTinyHuggingFace({}, directory_ / "model");
    paths_ = {kGolden / "zb-bitnet-256.i2_s.gguf", directory_ / "model"};
  }

  TemporaryDirectory directory_;
  std::vector<fs::path> paths_;
};

TEST_F(ReadFaultsTest, EveryReadThatFailsIsAnErrorThatNamesTheFile) {
  for (const fs::path& path : paths_) {
    std::size_t calls = 0;
    ASSERT_EQ(MessageOf(path, {.call = Call::kRead, .count = 0}, &calls), "");
    ASSERT_GT(calls, 20U);
    for (std::size_t i = 0; i < calls; ++i) {
      const std::string message =
          MessageOf(path, {.call = Call::kRead, .first = i, .error = EIO});
      EXPECT_EQ(message.find(path.string()), 0U) << i << ": " << message;
      EXPECT_NE(message.find("Input/output error"), std::string::npos)
          << i << ": " << message;
    }
  }
}

TEST_F(ReadFaultsTest, EveryFileThatCannotBeOpenedIsAnErrorThatNamesIt) {
  for (const fs::path& path : paths_) {
    std::size_t calls = 0;
    ASSERT_EQ(MessageOf(path, {.call = Call::kOpen, .count = 0}, &calls), "");
    ASSERT_GE(calls, 2U);
    for (std::size_t i = 0; i < calls; ++i) {
      const std::string message =
          MessageOf(path, {.call = Call::kOpen, .first = i, .error = EACCES});
      EXPECT_EQ(message.find(path.string()), 0U) << i << ": " << message;
      EXPECT_NE(message.find("check its permissions"), std::string::npos)
          << i << ": " << message;
    }
  }
}

// At most seven bytes a time for the table, and every other call interrupted.
TEST_F(ReadFaultsTest, ShortAndInterruptedReadsChangeNothing) {
  for (const fs::path& path : paths_) {
    const std::vector<float> expected = LoadAndRun(path);
    {
      const Injection injection(
          {.call = Call::kRead, .count = 3000, .bytes = 7});
      EXPECT_EQ(LoadAndRun(path), expected);
      EXPECT_GT(injection.hits(), 1000U);
    }
    const Injection injection(
        {.call = Call::kRead, .count = kForever, .period = 2, .error = EINTR});
    EXPECT_EQ(LoadAndRun(path), expected);
    EXPECT_GT(injection.hits(), 20U);
  }
}

fs::path shrinking;

TEST_F(ReadFaultsTest, AFileThatShrinksWhileItIsReadIsAnError) {
  const fs::path source = kGolden / "zb-bitnet-256.i2_s.gguf";
  shrinking = directory_ / "shrinking.gguf";
  fs::copy_file(source, shrinking);
  std::size_t calls = 0;
  MessageOf(shrinking, {.call = Call::kRead, .count = 0}, &calls);
  for (std::size_t i = 0; i < calls; ++i) {
    fs::copy_file(source, shrinking, fs::copy_options::overwrite_existing);
    const Injection injection({.call = Call::kRead, .first = i, .before = [] {
                                 fs::resize_file(shrinking, 100);
                               }});
    try {
      LoadAndRun(shrinking);
      ADD_FAILURE() << "read " << i << " of a file that had shrunk";
    } catch (const Error& error) {
      // Opened again, it is short; in between, it shrank.
      const std::string message = error.what();
      EXPECT_EQ(message.find(shrinking.string()), 0U) << i << ": " << message;
    }
  }
}

TEST_F(ReadFaultsTest, PackGivesTheErrorAndLeavesNothing) {
  const fs::path out = directory_ / "out.gguf";
  for (const fs::path& path : paths_) {
    std::size_t calls = 0;
    {
      const Injection injection({.call = Call::kRead, .count = 0});
      Pack(path, out);
      calls = injection.calls();
    }
    fs::remove(out);
    for (std::size_t i = 0; i < calls; ++i) {
      const Injection injection(
          {.call = Call::kRead, .first = i, .error = EIO});
      try {
        Pack(path, out);
        ADD_FAILURE() << "finished in spite of read " << i;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kIo) << error.what();
      }
      EXPECT_EQ(directory_.FileCount(), 1U);  // the model
    }
  }
}

// Whatever fails while it looks, there is a report, or the one Error that says
// why there cannot be one.
TEST_F(ReadFaultsTest, InspectReportsWhatItCouldNotRead) {
  for (const fs::path& path : paths_) {
    std::size_t calls = 0;
    {
      const Injection injection({.call = Call::kRead, .count = 0});
      (void)Inspect(path);
      calls = injection.calls();
    }
    for (std::size_t i = 0; i < calls; ++i) {
      const Injection injection(
          {.call = Call::kRead, .first = i, .error = EIO});
      try {
        const ModelReport report = Inspect(path);
        const bool is_told =
            !report.problems.empty() ||
            report.chat_template.find("Input/output") != std::string::npos;
        EXPECT_TRUE(is_told) << "read " << i << " of " << path;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kIo) << error.what();
      }
    }
  }
}

}  // namespace
}  // namespace tern::testing
