#include "tests/runtime/files/allocation_probe.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> largest = 0;

}  // namespace

// The array and nothrow forms of the standard library call this one.  A size
// beyond any machine fails at once instead of reaching malloc, which sanitizers
// make abort.
void* operator new(std::size_t size) {
  if (size > largest) largest = size;
  void* memory =
      size < (std::size_t{1} << 40) ? std::malloc(size + 1) : nullptr;
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}

namespace tern::test {

void ResetLargestAllocation() { largest = 0; }
std::size_t LargestAllocation() { return largest; }

}  // namespace tern::test
