// Which instruction set the kernels use.  The best one that the CPU has is
// chosen by itself; these functions are for looking at the choice and for
// testing.
#ifndef TERN_CPU_H_
#define TERN_CPU_H_

#include <string>
#include <vector>

#include <tern/api.h>

namespace tern {

// Names as Highway spells them ("AVX2", "NEON"); best first.
TERN_API std::vector<std::string> CompiledTargets();
// Those of them that this CPU can run; best first.
TERN_API std::vector<std::string> SupportedTargets();
TERN_API std::string ActiveTarget();
// Uses that target from now on, in the whole process.  Throws Error
// (kInvalidArgument) for a name that is not among SupportedTargets().  To be
// called before any Session is made.
TERN_API void ForceTarget(const std::string& name);

// Threads that the process may run at once: physical cores within its CPU
// affinity mask.
TERN_API int UsableCores();

TERN_API std::string Version();          // "0.1.0"
TERN_API std::string CompilerVersion();  // "GCC 12.2.0"
TERN_API std::string HighwayVersion();   // "1.0.3"

}  // namespace tern

#endif  // TERN_CPU_H_
