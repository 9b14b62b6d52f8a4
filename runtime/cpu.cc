#include <algorithm>
#include <cmath>
#include <fstream>
#include <sched.h>
#include <set>
#include <string>

#include <tern/cpu.h>
#include <tern/error.h>

#include "ternary_kernels/targets.h"

namespace tern {
namespace {

std::string JoinNames(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

// Cores in the affinity mask; two hardware threads of one core count once,
// because they share the vector units and the cache that the kernels saturate.
int AffinityCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &set)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings_list");
    std::string siblings;
    if (!(file >> siblings)) siblings = "cpu" + std::to_string(cpu);
    cores.insert(siblings);
  }
  return std::max(1, static_cast<int>(cores.size()));
}

// Whole cores that the control group's quota pays for ("max 100000" or
// "150000 100000" in cpu.max).
int QuotaCores(int most) {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  double quota = 0;
  double period = 0;
  if (!(file >> quota >> period) || period <= 0) return most;
  return std::clamp(static_cast<int>(std::floor(quota / period)), 1, most);
}

}  // namespace

std::vector<std::string> CompiledTargets() {
  return kernels::CompiledTargets();
}
std::vector<std::string> SupportedTargets() {
  return kernels::SupportedTargets();
}
std::string ActiveTarget() { return kernels::ActiveTarget(); }

void ForceTarget(const std::string& name) {
  if (kernels::ForceTarget(name)) return;
  throw Error(ErrorCode::kInvalidArgument,
              "target '" + name + "': not available on this CPU; use one of " +
                  JoinNames(kernels::SupportedTargets()));
}

int UsableCores() { return QuotaCores(AffinityCores()); }

std::string Version() { return TERN_VERSION; }

std::string CompilerVersion() {
#ifdef __clang__
  return "Clang " __clang_version__;
#else
  return "GCC " __VERSION__;
#endif
}

std::string HighwayVersion() { return kernels::HighwayVersion(); }

}  // namespace tern
