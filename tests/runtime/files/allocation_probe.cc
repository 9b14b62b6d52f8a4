#include "tests/runtime/files/allocation_probe.h"

#include <atomic>
#include <cstdlib>
#include <malloc.h>
#include <new>

namespace {

std::atomic<std::size_t> largest = 0;
std::atomic<std::size_t> live = 0;  // bytes
std::atomic<std::size_t> most_live = 0;

void RaiseTo(std::size_t value, std::atomic<std::size_t>& most) {
  std::size_t seen = most;
  while (value > seen && !most.compare_exchange_weak(seen, value)) {
  }
}

void Release(void* memory) {
  live -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

// The array and nothrow forms of the standard library call this one.  A size
// beyond any machine fails at once instead of reaching malloc, which sanitizers
// make abort.
void* operator new(std::size_t size) {
  RaiseTo(size, largest);
  void* memory =
      size < (std::size_t{1} << 40) ? std::malloc(size + 1) : nullptr;
  if (memory == nullptr) throw std::bad_alloc();
  RaiseTo(live += malloc_usable_size(memory), most_live);
  return memory;
}
void operator delete(void* memory) noexcept { Release(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  Release(memory);
}

namespace tern::test {

void ResetLargestAllocation() { largest = 0; }
std::size_t LargestAllocation() { return largest; }
std::size_t LiveBytes() { return live; }
void ResetMostLiveBytes() { most_live = live.load(); }
std::size_t MostLiveBytes() { return most_live; }

}  // namespace tern::test
