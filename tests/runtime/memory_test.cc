#include "runtime/memory.h"

#include <fstream>
#include <limits>
#include <new>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <tern/error.h>
#include <tern/model.h>
#include <tern/session.h>

#include "runtime/out_of_memory.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tiny_model.h"

namespace tern {
namespace {

TEST(Memory, WhatIsFreeIsNeitherNothingNorEverything) {
  EXPECT_GT(AvailableMemory(), 1U << 20U);
  EXPECT_LT(AvailableMemory(), std::numeric_limits<std::uint64_t>::max());
}

TEST(Memory, TooLittleIsAnErrorThatSaysHowMuch) {
  EXPECT_NO_THROW(RequireMemory(1, "x", "y"));
  try {
    RequireMemory(std::uint64_t{1} << 60U, "context of 9 positions", "mend it");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory);
    const std::string what = error.what();
    EXPECT_TRUE(
        what.starts_with("context of 9 positions: needs "
                         "1099511627776 MiB of memory, but only "))
        << what;
    EXPECT_TRUE(what.ends_with("; mend it")) << what;
  }
}

// AddressSanitizer cannot live under a limit of addresses.
#ifndef __SANITIZE_ADDRESS__
TEST(Memory, TheAddressSpaceLimitCounts) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit{std::uint64_t{2} << 30U, std::uint64_t{2} << 30U};
    setrlimit(RLIMIT_AS, &limit);
    _exit(AvailableMemory() <= std::uint64_t{2} << 30U ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif

TEST(Memory, CacheBytesCountKeysValuesAndScales) {
  ModelConfig config;
  config.num_layers = 30;
  config.num_kv_heads = 5;
  config.head_dim = 128;
  EXPECT_EQ(CacheBytes(config, 4096, KvType::kF32), 629145600U);
  EXPECT_EQ(CacheBytes(config, 4096, KvType::kF16), 314572800U);
  EXPECT_EQ(CacheBytes(config, 4096, KvType::kQ8), 30U * 5 * 2 * 4096 * 132);
}

// The sanitizers' shadow memory would be counted, too.
#ifndef __SANITIZE_ADDRESS__
std::int64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t size = 0;
  std::int64_t resident = 0;
  file >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// A full cache would be 512 MiB; 1 KiB a token is what it may take.
TEST(Memory, TheCacheTakesMemoryAsItFills) {
  constexpr std::size_t kContext = std::size_t{1} << 19U;
  constexpr std::int64_t kMiB = std::int64_t{1} << 20U;
  const TemporaryDirectory directory;
  WriteTinyGguf({.context = kContext}, directory / "a.gguf");
  const auto model = Model::Load(directory / "a.gguf");
  // What threads and working buffers take is taken here.
  const std::vector<Token> tokens(4096, 3);
  const SessionOptions options = {.kv_type = KvType::kF16, .num_threads = 2};
  Session(model, options).Append({tokens.data(), 300});

  const std::int64_t before = ResidentBytes();
  Session session(model, options);
  EXPECT_EQ(session.cache_bytes(), 512U * kMiB);
  EXPECT_LE(ResidentBytes() - before, 4 * kMiB);
  session.Append({tokens.data(), 300});
  EXPECT_LE(ResidentBytes() - before, 8 * kMiB);
  session.Append(tokens);
  EXPECT_LE(ResidentBytes() - before, 12 * kMiB);
}
#endif

TEST(NamingOutOfMemory, MakesBadAllocAnErrorThatNamesTheFile) {
  EXPECT_EQ(NamingOutOfMemory("a", [] { return 3; }), 3);
  try {
    NamingOutOfMemory("a.gguf", []() -> int { throw std::bad_alloc(); });
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory);
    EXPECT_EQ(std::string(error.what()).find("a.gguf: "), 0U);
  }
}

}  // namespace
}  // namespace tern
