// Ctrl-C: the first SIGINT only sets a flag, which long work looks at; the
// second one ends the process at once.
#ifndef TERN_CLI_INTERRUPT_H_
#define TERN_CLI_INTERRUPT_H_

namespace tern::cli {

// Called once, by main.
void CatchInterrupts();
[[nodiscard]] bool WasInterrupted();
// Throws Interrupted (errors.h) if it was.
void ThrowIfInterrupted();

}  // namespace tern::cli

#endif  // TERN_CLI_INTERRUPT_H_
