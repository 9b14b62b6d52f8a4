#include "runtime/memory.h"

#include <limits>
#include <new>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <tern/error.h>

#include "runtime/out_of_memory.h"

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
