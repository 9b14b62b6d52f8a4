// Threads of the library's own leave the program's signals to the program.
#ifndef TERN_RUNTIME_SIGNALS_BLOCKED_H_
#define TERN_RUNTIME_SIGNALS_BLOCKED_H_

#include <csignal>

namespace tern {

// Threads that are started while one of these lives do not get the signals that
// may go to any thread of the process.  Those that a thread raises by a mistake
// of its own stay open, for a program's crash handler.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) {
      sigdelset(&all, own);
    }
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace tern

#endif  // TERN_RUNTIME_SIGNALS_BLOCKED_H_
