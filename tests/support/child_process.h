// What a child of fork() may do, for tests of it.
#ifndef TERN_TESTS_SUPPORT_CHILD_PROCESS_H_
#define TERN_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <functional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include <tern/error.h>

namespace tern {

// True if `work` returned true in a child; a hang ends by SIGALRM.
inline bool InChild(unsigned seconds, const std::function<bool()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(seconds);
    _exit(work() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// True if the call is refused because its object is the parent's.
inline bool IsRefusedAfterFork(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code() == ErrorCode::kInvalidArgument &&
           std::string(error.what()).find("before fork()") != std::string::npos;
  }
  return false;
}

}  // namespace tern

#endif  // TERN_TESTS_SUPPORT_CHILD_PROCESS_H_
