#include "cli/interrupt.h"

#include <csignal>
#include <unistd.h>

#include "cli/errors.h"

namespace tern::cli {
namespace {

volatile std::sig_atomic_t interrupted = 0;

extern "C" void SetFlag(int /*signal*/) { interrupted = 1; }
extern "C" void End(int /*signal*/) { _exit(kInterrupted); }

void Handle(void (*handler)(int), int flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(SIGINT, &action, nullptr);
}

}  // namespace

void EndOnInterrupt() { Handle(End, 0); }

// Not SA_RESTART: reading from a terminal must end too.
void CatchInterrupts() { Handle(SetFlag, static_cast<int>(SA_RESETHAND)); }

void ForgetInterrupt() {
  interrupted = 0;
  CatchInterrupts();
}

bool WasInterrupted() { return interrupted != 0; }

void ThrowIfInterrupted() {
  if (WasInterrupted()) throw Interrupted();
}

}  // namespace tern::cli
