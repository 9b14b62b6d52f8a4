#include "tests/faults/fault_injection.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <new>
#include <pthread.h>
#include <sys/types.h>

namespace tern::testing {
namespace {

Fault active;
std::atomic<bool> is_active = false;
std::atomic<std::size_t> num_calls = 0;
std::atomic<std::size_t> num_hits = 0;

// Counts a call; true if the fault applies to it.
bool Hit(Call call) {
  if (!is_active || active.call != call) return false;
  const std::size_t index = num_calls++;
  if (index < active.first || index - active.first >= active.count ||
      (index - active.first) % active.period != 0) {
    return false;
  }
  ++num_hits;
  if (active.error == 0 && active.before != nullptr) active.before();
  return true;
}

// True if the call is to fail, with errno set.
bool Fails(Call call) {
  if (!Hit(call) || active.error == 0) return false;
  errno = active.error;
  return true;
}

// True if it is to fail; otherwise how many bytes it may move.
bool FailsMoving(Call call, std::size_t* bytes) {
  if (!Hit(call)) return false;
  if (active.error == 0) {
    *bytes = std::min(*bytes, active.bytes);
    return false;
  }
  errno = active.error;
  return true;
}

}  // namespace

Injection::Injection(const Fault& fault) {
  active = fault;
  num_calls = 0;
  num_hits = 0;
  is_active = true;
}
Injection::~Injection() { is_active = false; }
std::size_t Injection::calls() const { return num_calls; }
std::size_t Injection::hits() const { return num_hits; }

}  // namespace tern::testing

using tern::testing::Call;

// The linker's names, and the function of varying arguments that open() is.
// The analyzer does not see that va_start() begins the list.
// NOLINTBEGIN(*-reserved-identifier,*-dcl37-c,*-dcl51-cpp,*-dcl50-cpp)
// NOLINTBEGIN(readability-identifier-naming,clang-analyzer-valist*)
extern "C" {
int __real_open(const char* path, int flags, mode_t mode);
ssize_t __real_pread(int file, void* data, std::size_t size, off_t offset);
ssize_t __real_pwrite(int file, const void* data, std::size_t size,
                      off_t offset);
int __real_fsync(int file);
int __real_link(const char* from, const char* to);
int __real_rename(const char* from, const char* to);
void* __real_aligned_alloc(std::size_t alignment, std::size_t size);
int __real_madvise(void* begin, std::size_t size, int advice);

int __wrap_open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
  }
  if (tern::testing::Fails(Call::kOpen)) return -1;
  return __real_open(path, flags, mode);
}

ssize_t __wrap_pread(int file, void* data, std::size_t size, off_t offset) {
  if (tern::testing::FailsMoving(Call::kRead, &size)) return -1;
  return __real_pread(file, data, size, offset);
}

ssize_t __wrap_pwrite(int file, const void* data, std::size_t size,
                      off_t offset) {
  if (tern::testing::FailsMoving(Call::kWrite, &size)) return -1;
  return __real_pwrite(file, data, size, offset);
}

int __wrap_fsync(int file) {
  return tern::testing::Fails(Call::kSync) ? -1 : __real_fsync(file);
}
int __wrap_link(const char* from, const char* to) {
  return tern::testing::Fails(Call::kLink) ? -1 : __real_link(from, to);
}
int __wrap_rename(const char* from, const char* to) {
  return tern::testing::Fails(Call::kRename) ? -1 : __real_rename(from, to);
}
void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size) {
  return tern::testing::Fails(Call::kAlignedAlloc)
             ? nullptr
             : __real_aligned_alloc(alignment, size);
}
int __wrap_madvise(void* begin, std::size_t size, int advice) {
  return tern::testing::Fails(Call::kMadvise)
             ? -1
             : __real_madvise(begin, size, advice);
}

using Body = void* (*)(void*);
// AddressSanitizer's own, which must know of every thread.
__attribute__((weak)) int __interceptor_pthread_create(
    pthread_t* thread, const pthread_attr_t* attributes, Body body, void* data);

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                   Body body, void* data) noexcept {
  using Create = decltype(&__interceptor_pthread_create);
  static const auto next =
      &__interceptor_pthread_create != nullptr
          ? &__interceptor_pthread_create
          : reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  if (tern::testing::Fails(Call::kThread)) return errno;
  return next(thread, attributes, body, data);
}
}
// NOLINTEND(readability-identifier-naming,clang-analyzer-valist*)
// NOLINTEND(*-reserved-identifier,*-dcl37-c,*-dcl51-cpp,*-dcl50-cpp)

// The array forms of the standard library call these.
void* operator new(std::size_t size) {
  if (tern::testing::Hit(Call::kNew)) throw std::bad_alloc();
  void* memory = std::malloc(std::max<std::size_t>(size, 1));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t size, const std::nothrow_t& /*none*/) noexcept {
  if (tern::testing::Hit(Call::kNew)) return nullptr;
  return std::malloc(std::max<std::size_t>(size, 1));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
