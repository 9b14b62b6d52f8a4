#include <algorithm>
#include <cmath>
#include <fstream>
#include <sched.h>
#include <set>
#include <string>

#include <tern/cpu.h>
#include <tern/error.h>

#include "runtime/control_group.h"
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

// Two numbers, each from its own file or both from one; false if there are none
// ("max 100000", -1, no such file).
bool ReadQuota(const std::string& quota_file, const std::string& period_file,
               double* quota, double* period) {
  std::ifstream file(quota_file);
  if (!(file >> *quota) || *quota <= 0) return false;
  std::ifstream second(period_file);
  std::istream& rest = period_file == quota_file ? file : second;
  return static_cast<bool>(rest >> *period) && *period > 0;
}

// Whole cores that the quotas of the control groups pay for.
int QuotaCores(int most) {
  const ControlGroups groups = GroupsOf("cpu");
  double cores = most;
  double quota = 0;
  double period = 0;
  for (const std::string& folder : groups.v2) {
    const std::string file = folder + "/cpu.max";
    if (ReadQuota(file, file, &quota, &period)) {
      cores = std::min(cores, quota / period);
    }
  }
  for (const std::string& folder : groups.v1) {
    if (ReadQuota(folder + "/cpu.cfs_quota_us", folder + "/cpu.cfs_period_us",
                  &quota, &period)) {
      cores = std::min(cores, quota / period);
    }
  }
  return std::max(1, static_cast<int>(std::floor(cores)));
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
