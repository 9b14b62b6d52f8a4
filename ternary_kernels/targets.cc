#include "ternary_kernels/targets.h"

#include <cstdint>
#include <string>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ternary_kernels/targets.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tern::kernels {
namespace HWY_NAMESPACE {

inline std::int64_t ThisTarget() { return HWY_TARGET; }

}  // namespace HWY_NAMESPACE
}  // namespace tern::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::kernels {
namespace {

HWY_EXPORT(ThisTarget);

constexpr std::int64_t kFallbacks = HWY_SCALAR | HWY_EMU128;

std::vector<std::int64_t> TargetsOf(std::int64_t mask) {
  std::vector<std::int64_t> targets;
  for (; mask != 0; mask &= mask - 1) {
    targets.push_back(mask & -mask);
  }
  return targets;
}

// Asked of Highway once: hwy::SupportedTargets() forgets the chosen target.
// The dispatch table always ends in the fallback, whether Highway's library,
// built apart, reports that one or not.
std::int64_t SupportedMask() {
  static const std::int64_t mask =
      HWY_TARGETS & (hwy::SupportedTargets() | kFallbacks);
  return mask != 0 ? mask : HWY_STATIC_TARGET;  // what dispatch would call
}

std::vector<std::string> NamesOf(std::int64_t mask) {
  std::vector<std::string> names;
  for (const std::int64_t target : TargetsOf(mask)) {
    names.emplace_back(hwy::TargetName(target));
  }
  return names;
}

}  // namespace

std::vector<std::string> CompiledTargets() { return NamesOf(HWY_TARGETS); }

std::vector<std::string> SupportedTargets() { return NamesOf(SupportedMask()); }

std::string ActiveTarget() {
  return hwy::TargetName(HWY_DYNAMIC_DISPATCH(ThisTarget)());
}

bool ForceTarget(const std::string& name) {
  for (const std::int64_t target : TargetsOf(SupportedMask())) {
    if (name == hwy::TargetName(target)) {
      hwy::SetSupportedTargetsForTest(target);
      hwy::GetChosenTarget().Update(target);
      return true;
    }
  }
  return false;
}

std::string HighwayVersion() {
  return std::to_string(HWY_MAJOR) + "." + std::to_string(HWY_MINOR) + "." +
         std::to_string(HWY_PATCH);
}

}  // namespace tern::kernels
#endif  // HWY_ONCE
