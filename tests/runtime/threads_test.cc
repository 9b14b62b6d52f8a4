#include "runtime/threads.h"

#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <tern/error.h>

namespace tern {
namespace {

TEST(Threads, AFewCanAlwaysBeHad) { EXPECT_NO_THROW(RequireThreads(8)); }

// AddressSanitizer cannot live under a limit of addresses.
#ifndef __SANITIZE_ADDRESS__
// In a child, because the limit stays: stacks of 8 MiB for 4000 threads do not
// fit into 4 GiB of addresses.
TEST(Threads, MoreThanTheSystemGivesIsAnErrorThatSaysHowMany) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit{std::uint64_t{4} << 30U, std::uint64_t{4} << 30U};
    setrlimit(RLIMIT_AS, &limit);
    try {
      RequireThreads(4000);
    } catch (const Error& error) {
      const std::string what = error.what();
      const bool said =
          what.starts_with("4000 threads: the system gives no more than ");
      _exit(error.code() == ErrorCode::kInvalidArgument && said ? 0 : 2);
    }
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}
#endif

}  // namespace
}  // namespace tern
