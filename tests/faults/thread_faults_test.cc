// A system that gives no more threads.
#include <cerrno>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include <tern/error.h>

#include "runtime/parallel.h"
#include "tests/faults/fault_injection.h"
#include "tests/faults/tiny_run.h"

namespace tern::testing {
namespace {

// A team of four is tried out with three threads, and then has one that starts
// the other two.  (libgomp and libomp end the process if theirs fail: that is
// what trying out is for.)
TEST(ThreadFaults, ATeamThatCannotStartIsAnError) {
  constexpr std::size_t kTriedAndHost = 4;
  for (std::size_t i = 0; i < kTriedAndHost; ++i) {
    const Injection injection(
        {.call = Call::kThread, .first = i, .error = EAGAIN});
    try {
      const Team team(4);
      ADD_FAILURE() << "thread " << i << " did not start, and nobody noticed";
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(message.find("4 threads"), std::string::npos) << message;
      EXPECT_NE(message.find("use fewer"), std::string::npos) << message;
    }
    EXPECT_EQ(injection.hits(), 1U);
  }
}

TEST(ThreadFaults, LoadingAndRunningSayItToo) {
  const auto path = kGolden / "zb-bitnet-256.i2_s.gguf";
  const Injection injection(
      {.call = Call::kThread, .count = kForever, .error = EAGAIN});
  EXPECT_THROW((void)LoadWith(path, 2), Error);
  const auto model = LoadWith(path, 1);
  EXPECT_THROW(Session(model, {.context_length = 8, .num_threads = 3}), Error);
  EXPECT_FALSE(LoadAndRun(path).empty());  // one thread needs no other
}

TEST(ThreadFaults, TheNextTeamStartsAgain) {
  const auto path = kGolden / "zb-bitnet-256.i2_s.gguf";
  const std::vector<float> expected = LoadAndRun(path);
  {
    const Injection injection({.call = Call::kThread, .error = EAGAIN});
    EXPECT_THROW(LoadAndRun(path, 3), Error);
  }
  EXPECT_EQ(LoadAndRun(path, 3), expected);
}

}  // namespace
}  // namespace tern::testing
