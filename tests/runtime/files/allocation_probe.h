// Records the largest single allocation of this program, through its own
// operator new.  Link allocation_probe.cc into the test that asks.
#ifndef TERN_TESTS_RUNTIME_FILES_ALLOCATION_PROBE_H_
#define TERN_TESTS_RUNTIME_FILES_ALLOCATION_PROBE_H_

#include <cstddef>

namespace tern::test {

void ResetLargestAllocation();
std::size_t LargestAllocation();

}  // namespace tern::test

#endif  // TERN_TESTS_RUNTIME_FILES_ALLOCATION_PROBE_H_
