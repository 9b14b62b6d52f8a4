// Which of the compiled instruction sets is in use.
#ifndef TERN_TERNARY_KERNELS_TARGETS_H_
#define TERN_TERNARY_KERNELS_TARGETS_H_

#include <string>
#include <vector>

namespace tern::kernels {

// Highway's names, best first.
std::vector<std::string> CompiledTargets();
std::vector<std::string> SupportedTargets();
std::string ActiveTarget();
// False if `name` is not among SupportedTargets().  Not to be called while
// another thread computes.
bool ForceTarget(const std::string& name);
// Computes a small product on the active target and compares it with the
// reference (virtual machines can misreport what the CPU has).
bool SelfTest();
std::string HighwayVersion();

}  // namespace tern::kernels

#endif  // TERN_TERNARY_KERNELS_TARGETS_H_
