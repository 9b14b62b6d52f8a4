// How much memory the process may still use, and what a session will take:
// asked before the work, so that too little is an error and not a kill.
#ifndef TERN_RUNTIME_MEMORY_H_
#define TERN_RUNTIME_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include <tern/model.h>
#include <tern/session.h>

namespace tern {

// Bytes that can be taken without swapping: the least of the system's
// MemAvailable, what the control group leaves (v2 and v1), and the address
// space limit.  The largest number if none of them can be read.
std::uint64_t AvailableMemory();

// Throws Error (kOutOfMemory), "WHAT: needs ... but only ... are free; ADVICE".
void RequireMemory(std::uint64_t bytes, const std::string& what,
                   const std::string& advice);

// Tokens that prefill takes through the layers at once: enough to use a table
// of sums many times, few enough that the buffers stay small.
inline constexpr std::size_t kPrefillChunk = 256;

// The cache of a full context, and the working buffers of a session.
std::uint64_t CacheBytes(const ModelConfig& config, std::size_t context_length,
                         KvType type);
std::uint64_t SessionScratchBytes(const ModelConfig& config,
                                  std::size_t context_length, int num_threads);

}  // namespace tern

#endif  // TERN_RUNTIME_MEMORY_H_
