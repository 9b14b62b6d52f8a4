// Makes calls of the system fail, in this program alone:
//
//   const Injection injection({.call = Call::kRead, .first = 3, .error = EIO});
//   ... the fourth pread() of our libraries from here on fails with EIO ...
//
// open, pread, pwrite, fsync, link, rename, aligned_alloc and madvise are
// wrapped by the linker (CMakeLists.txt), so only calls from code that is
// linked statically are counted; operator new is replaced, and pthread_create
// takes the place of the C library's for the shared libraries, too.
#ifndef TERN_TESTS_FAULTS_FAULT_INJECTION_H_
#define TERN_TESTS_FAULTS_FAULT_INJECTION_H_

#include <cstddef>
#include <limits>

namespace tern::testing {

enum class Call {
  kOpen,
  kRead,  // pread
  kWrite,
  kSync,
  kLink,
  kRename,
  kNew,           // operator new: throws std::bad_alloc
  kAlignedAlloc,  // returns a null pointer
  kMadvise,
  kThread,  // pthread_create
};

inline constexpr std::size_t kForever = std::numeric_limits<std::size_t>::max();

struct Fault {
  Call call = Call::kRead;
  std::size_t first = 0;   // calls before it are left alone
  std::size_t count = 1;   // so many fail
  std::size_t period = 1;  // of those, only each period-th
  // errno, or what pthread_create returns; 0: the call goes on, but moves at
  // most `bytes`.
  int error = 0;
  std::size_t bytes = kForever;
  // Called before the call goes on, if there is no error.
  void (*before)() = nullptr;
};

// One at a time.
class Injection {
 public:
  explicit Injection(const Fault& fault);
  Injection(const Injection&) = delete;
  Injection& operator=(const Injection&) = delete;
  ~Injection();
  // Calls of this kind so far.
  [[nodiscard]] std::size_t calls() const;
  // Those that the fault was applied to.
  [[nodiscard]] std::size_t hits() const;
};

}  // namespace tern::testing

#endif  // TERN_TESTS_FAULTS_FAULT_INJECTION_H_
