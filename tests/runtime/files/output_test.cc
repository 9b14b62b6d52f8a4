// Files and directories that appear when they are complete, and what is left
// when they never are.
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include <tern/error.h>

#include "runtime/files/output_directory.h"
#include "runtime/files/output_file.h"
#include "runtime/files/safetensors.h"
#include "runtime/files/safetensors_writer.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace tern::files {
namespace {

namespace fs = std::filesystem;

std::span<const std::uint8_t> BytesOf(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Runs it in a process of its own, which dies by SIGKILL at its end.
void RunAndKill(const std::function<void()>& run) {
  const ::pid_t child = ::fork();
  if (child == 0) {
    run();
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(OutputFile, AppearsWhenCommitted) {
  const TemporaryDirectory directory;
  {
    OutputFile file(directory / "a", false);
    file.Write(BytesOf("xello"));
    file.WriteAt(0, BytesOf("h"));
    file.Write(BytesOf(" you"));
    EXPECT_FALSE(fs::exists(directory / "a"));
    file.Commit();
  }
  EXPECT_EQ(ReadFile(directory / "a"), "hello you");
  EXPECT_EQ(directory.FileCount(), 1U);
}

TEST(OutputFile, AKilledProcessLeavesTheOldFileAndTheNextOneCleansUp) {
  const TemporaryDirectory directory;
  WriteFile(directory / "a", "old");
  RunAndKill([&] {
    auto* file = new OutputFile(directory / "a", true);
    file->Write(BytesOf("half of the ne"));
  });
  EXPECT_EQ(ReadFile(directory / "a"), "old");
  EXPECT_EQ(directory.FileCount(), 2U);  // and the temporary file
  OutputFile(directory / "b", false).Commit();
  EXPECT_EQ(directory.FileCount(), 2U);  // a and b
}

// Whoever holds the lock is alive, whatever the number in the name.
TEST(OutputFile, LeavesTheTemporaryFilesOfTheLivingAlone) {
  const TemporaryDirectory directory;
  OutputFile first(directory / "a", false);
  OutputFile second(directory / "b", false);
  EXPECT_EQ(directory.FileCount(), 2U);
  first.Write(BytesOf("1"));
  first.Commit();
  second.Commit();
  EXPECT_EQ(ReadFile(directory / "a"), "1");
}

TEST(OutputFile, RemovesNothingButItsOwnKind) {
  const TemporaryDirectory directory;
  for (const char* name : {".tern-1-x.tmp", ".tern-1.tmp", ".tern-1-1.tmpx",
                           "tern-1-1.tmp", ".tern--1.tmp"}) {
    WriteFile(directory / name, "");
  }
  WriteFile(directory / "kept", "kept");
  fs::create_symlink(directory / "kept", directory / ".tern-1-1.tmp");
  OutputFile(directory / "a", false).Commit();
  EXPECT_EQ(directory.FileCount(), 8U);
  EXPECT_EQ(ReadFile(directory / "kept"), "kept");
}

// A limit of the process stands for the disk's.
TEST(OutputFile, NoRoomIsAnErrorAtOnce) {
  const TemporaryDirectory directory;
  const ::pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    OutputFile file(directory / "a", false);
    try {
      file.Reserve(1 << 20);
      ::_exit(1);
    } catch (const Error& error) {
      const std::string message = error.what();
      const bool is_clear = error.code() == ErrorCode::kIo &&
                            message.find("1048576 bytes") != std::string::npos;
      ::_exit(is_clear ? 0 : 2);
    }
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(OutputFile, AFullDiskIsNamed) {
  try {
    ThrowIo("model.gguf", "writing", ENOSPC);
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "model.gguf: writing failed (No space left on device); the "
                 "disk is full, or your share of it: make room or choose "
                 "another place");
  }
}

TEST(OutputFile, ANameThatIsTooLongIsRefusedAtOnce) {
  const TemporaryDirectory directory;
  const fs::path path = directory / std::string(300, 'x');
  ExpectError(ErrorCode::kIo, {"File name too long"},
              [&] { OutputFile(path, false); });
  ExpectError(ErrorCode::kIo, {"File name too long"},
              [&] { OutputDirectory(path, false); });
}

// --- directories ---

void WriteInto(const OutputDirectory& directory, const std::string& name,
               const std::string& text) {
  OutputFile file(directory.PathOf(name), false);
  file.Write(BytesOf(text));
  file.Commit();
}

TEST(OutputDirectory, AppearsWhenCommitted) {
  const TemporaryDirectory directory;
  {
    OutputDirectory model(directory / "model/", false);
    WriteInto(model, "config.json", "{}");
    EXPECT_FALSE(fs::exists(directory / "model"));
    model.Commit();
  }
  EXPECT_EQ(ReadFile(directory / "model/config.json"), "{}");
  EXPECT_EQ(directory.FileCount(), 1U);
}

TEST(OutputDirectory, ReplacesAModelByExchange) {
  const TemporaryDirectory directory;
  fs::create_directory(directory / "model");
  WriteFile(directory / "model/config.json", "old");
  WriteFile(directory / "model/model.safetensors", "old");
  ExpectError(ErrorCode::kInvalidArgument, {"model", "exists already"},
              [&] { OutputDirectory(directory / "model", false); });
  {
    OutputDirectory model(directory / "model", true);
    WriteInto(model, "config.json", "new");
    EXPECT_EQ(ReadFile(directory / "model/config.json"), "old");
    model.Commit();
  }
  EXPECT_EQ(ReadFile(directory / "model/config.json"), "new");
  EXPECT_FALSE(fs::exists(directory / "model/model.safetensors"));
  EXPECT_EQ(directory.FileCount(), 1U);
}

TEST(OutputDirectory, ReplacesNoDirectoryThatHoldsMore) {
  const TemporaryDirectory directory;
  fs::create_directories(directory / "thesis");
  WriteFile(directory / "thesis/config.json", "");
  WriteFile(directory / "thesis/chapter1.doc", "");
  ExpectError(ErrorCode::kInvalidArgument, {"thesis", "chapter1.doc", "lost"},
              [&] { OutputDirectory(directory / "thesis", true); });
  fs::create_directories(directory / "nested/json");
  ExpectError(ErrorCode::kInvalidArgument, {"nested", "json"},
              [&] { OutputDirectory(directory / "nested", true); });
  WriteFile(directory / "file", "");
  ExpectError(ErrorCode::kInvalidArgument, {"file", "not a directory"},
              [&] { OutputDirectory(directory / "file", true); });
  EXPECT_EQ(directory.FileCount(), 3U);
}

// Whatever looks like a model's file by its ending alone is somebody's own.
TEST(OutputDirectory, ReplacesNoFilesOfAUser) {
  const TemporaryDirectory directory;
  const auto expect_kept = [&](const std::vector<std::string>& names,
                               std::initializer_list<std::string> told) {
    SCOPED_TRACE(names.back());
    fs::remove_all(directory / "mine");
    fs::create_directory(directory / "mine");
    for (const auto& name : names) WriteFile(directory / "mine" / name, "old");
    ExpectError(ErrorCode::kInvalidArgument, told,
                [&] { OutputDirectory(directory / "mine", true); });
  };
  for (const char* name :
       {"notes.txt", "README.md", "train.py", "results.json", "LICENSE",
        "adapter.safetensors", "vocab.model", "modeling.py"}) {
    expect_kept({"config.json", "model.safetensors", name}, {name, "lost"});
  }
  expect_kept({"config.json"}, {"no model's directory", "model.safetensors"});
  expect_kept({"tokenizer.json"}, {"no model's directory", "config.json"});
  fs::create_directory(directory / "empty");
  OutputDirectory(directory / "empty", true).Commit();
}

// In a process of its own, for root may do everything.
void ExpectErrorForNobody(const fs::path& destination,
                          const std::string& expected) {
  constexpr ::uid_t kNobody = 65534;
  const ::pid_t child = ::fork();
  if (child == 0) {
    // access() asks for the real user, open() for the effective one.
    if (::geteuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) {
      ::_exit(1);
    }
    try {
      OutputDirectory(destination, true);
    } catch (const Error& error) {
      const std::string what = error.what();
      ::_exit(error.code() == ErrorCode::kIo &&
                      what.find(expected) != std::string::npos
                  ? 0
                  : 2);
    } catch (...) {
    }
    ::_exit(3);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << expected;
}

TEST(OutputDirectory, OneOfSomebodyElseIsNotReplaced) {
  const TemporaryDirectory directory;
  const fs::path closed = directory / "closed";
  fs::create_directory(closed);
  fs::permissions(directory.path(), fs::perms::all);
  fs::permissions(closed, fs::perms::none);
  ExpectErrorForNobody(
      closed, "closed: listing what it holds failed (Permission denied)");
  fs::permissions(closed, static_cast<fs::perms>(0555));
  ExpectErrorForNobody(closed,
                       "closed: writing in it failed (Permission denied)");
  fs::permissions(closed, fs::perms::all);
}

TEST(OutputDirectory, AKilledProcessLeavesTheOldOneAndTheNextOneCleansUp) {
  const TemporaryDirectory directory;
  fs::create_directory(directory / "model");
  WriteFile(directory / "model/config.json", "old");
  WriteFile(directory / "model/model.safetensors", "old");
  RunAndKill([&] {
    auto* model = new OutputDirectory(directory / "model", true);
    WriteInto(*model, "config.json", "new");
  });
  EXPECT_EQ(ReadFile(directory / "model/config.json"), "old");
  EXPECT_EQ(directory.FileCount(), 2U);
  OutputDirectory(directory / "other", false).Commit();
  EXPECT_EQ(directory.FileCount(), 2U);  // model and other
}

// --- safetensors ---

TEST(SafetensorsWriter, TensorsMayComeLate) {
  const TemporaryDirectory directory;
  SafetensorsWriter writer(directory / "a.safetensors",
                           {"codes", "a \"name\"\n", "never"}, 1000);
  writer.Begin("codes", StoredType::kU8, {2, 3});
  writer.Write(std::vector<std::uint8_t>{1, 2, 3, 4});
  writer.Write(std::vector<std::uint8_t>{5, 6});
  writer.Begin("a \"name\"\n", StoredType::kBf16, {1});
  writer.Write(std::vector<std::uint8_t>{0x80, 0x3f});
  const std::uint64_t size = writer.Finish();
  EXPECT_EQ(fs::file_size(directory / "a.safetensors"), size);
  const TensorMap tensors = ReadSafetensors(directory / "a.safetensors");
  ASSERT_EQ(tensors.size(), 2U);
  EXPECT_EQ(tensors.at("codes").ReadAll(),
            (std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(tensors.at("codes").shape, (std::vector<std::uint64_t>{2, 3}));
  float one = 0;
  ReadFloats(tensors.at("a \"name\"\n"), 0, 1, &one);
  EXPECT_EQ(one, 1);
}

TEST(SafetensorsWriter, RefusesTooMuchAndTooLittle) {
  const TemporaryDirectory directory;
  SafetensorsWriter writer(directory / "a.safetensors", {"x", "y"}, 0);
  writer.Begin("x", StoredType::kU8, {2});
  ExpectError(ErrorCode::kInvalidArgument, {"'x'", "too much"}, [&] {
    writer.Write(std::vector<std::uint8_t>{1, 2, 3});
  });
  ExpectError(ErrorCode::kInvalidArgument, {"'x'", "too little"},
              [&] { writer.Begin("y", StoredType::kU8, {2}); });
  ExpectError(ErrorCode::kInvalidArgument, {"'x'", "too little"},
              [&] { writer.Finish(); });
}

}  // namespace
}  // namespace tern::files
