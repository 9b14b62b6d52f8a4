// Ctrl-C.  It ends the process with status 130 at once, except in a command
// that called CatchInterrupts(): there the first SIGINT only sets a flag, at
// which long work looks, and the second one ends the process.
#ifndef TERN_CLI_INTERRUPT_H_
#define TERN_CLI_INTERRUPT_H_

namespace tern::cli {

// Called once, by main.
void EndOnInterrupt();
// Called by commands that have something to finish or to clean up.
void CatchInterrupts();
[[nodiscard]] bool WasInterrupted();
// Makes the next SIGINT the first one again, for a command that goes on.
void ForgetInterrupt();
// Throws Interrupted (errors.h) if it was.
void ThrowIfInterrupted();

}  // namespace tern::cli

#endif  // TERN_CLI_INTERRUPT_H_
