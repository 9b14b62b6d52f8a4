// What a Session takes besides the cache, for whoever must say so before there
// is one.
#ifndef TERN_RUNTIME_SESSION_MEMORY_H_
#define TERN_RUNTIME_SESSION_MEMORY_H_

#include <cstddef>
#include <cstdint>

#include <tern/model.h>

namespace tern {

// Bytes of a session's working buffers.
std::uint64_t SessionScratchBytes(const ModelConfig& config,
                                  std::size_t context);

}  // namespace tern

#endif  // TERN_RUNTIME_SESSION_MEMORY_H_
