// What the checks of memory.h cannot foresee: a count that a file makes large,
// a library's own tables.
#ifndef TERN_RUNTIME_OUT_OF_MEMORY_H_
#define TERN_RUNTIME_OUT_OF_MEMORY_H_

#include <filesystem>
#include <new>

#include <tern/error.h>

namespace tern {

// Calls `read`, which reads `path`; turns std::bad_alloc into an Error
// (kOutOfMemory).
template <class Read>
auto NamingOutOfMemory(const std::filesystem::path& path, const Read& read) {
  try {
    return read();
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kOutOfMemory,
                path.string() +
                    ": there is not enough memory to read it; free some "
                    "memory, or is the file damaged?");
  }
}

// The same for work on what a session has in memory.
template <class Work>
auto NamingSession(const Work& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kOutOfMemory,
                "session: there is not enough memory; use a shorter context, "
                "or free some memory");
  }
}

}  // namespace tern

#endif  // TERN_RUNTIME_OUT_OF_MEMORY_H_
