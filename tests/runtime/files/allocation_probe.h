// Records the largest single allocation of this program, and the most that it
// held at once, through its own operator new.  Link allocation_probe.cc into
// the test that asks.
#ifndef TERN_TESTS_RUNTIME_FILES_ALLOCATION_PROBE_H_
#define TERN_TESTS_RUNTIME_FILES_ALLOCATION_PROBE_H_

#include <cstddef>

namespace tern::test {

void ResetLargestAllocation();
std::size_t LargestAllocation();

std::size_t LiveBytes();
void ResetMostLiveBytes();  // to LiveBytes
std::size_t MostLiveBytes();

}  // namespace tern::test

#endif  // TERN_TESTS_RUNTIME_FILES_ALLOCATION_PROBE_H_
