#include "ternary_kernels/targets.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/ternary_kernels/products.h"

namespace tern::kernels {
namespace {

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

TEST(TargetsTest, TheInstructionSetsOfTheArchitectureAreCompiled) {
#if defined(__x86_64__)
  for (const char* name : {"AVX3_DL", "AVX3", "AVX2", "SSE4", "SSSE3"}) {
    EXPECT_TRUE(Contains(CompiledTargets(), name)) << name;
  }
#elif defined(__aarch64__)
  EXPECT_EQ(CompiledTargets(), std::vector<std::string>{"NEON"});
#endif
  EXPECT_FALSE(CompiledTargets().empty());
}

TEST(TargetsTest, SupportedTargetsAreCompiledAndTheFirstIsActive) {
  const auto supported = SupportedTargets();
  ASSERT_FALSE(supported.empty());
  for (const std::string& name : supported) {
    EXPECT_TRUE(Contains(CompiledTargets(), name)) << name;
  }
  EXPECT_EQ(ActiveTarget(), supported.front());
}

TEST(TargetsTest, ForcingChangesTheTargetAndHidesNone) {
  const auto supported = SupportedTargets();
  for (const std::string& name : supported) {
    ASSERT_TRUE(ForceTarget(name));
    EXPECT_EQ(ActiveTarget(), name);
    EXPECT_EQ(SupportedTargets(), supported);
  }
  EXPECT_FALSE(ForceTarget("AVX9"));
  EXPECT_EQ(ActiveTarget(), supported.back());
  EXPECT_TRUE(ForceTarget(supported.front()));
}

class SelfTestTest : public EveryTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, SelfTestTest,
                         testing::ValuesIn(SupportedTargets()), TargetName);
TEST_P(SelfTestTest, Passes) { EXPECT_TRUE(SelfTest()); }

TEST(TargetsTest, HighwayVersionIsThreeNumbers) {
  const std::string version = HighwayVersion();
  EXPECT_EQ(std::count(version.begin(), version.end(), '.'), 2);
}

}  // namespace
}  // namespace tern::kernels
