// What the kernels' block sizes depend on.
#ifndef TERN_RUNTIME_CACHES_H_
#define TERN_RUNTIME_CACHES_H_

#include <cstddef>

namespace tern {

// Bytes of a core's second-level cache; 512 KiB if the system does not tell.
std::size_t L2CacheBytes();

}  // namespace tern

#endif  // TERN_RUNTIME_CACHES_H_
