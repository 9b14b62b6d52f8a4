// Reading memory for the sake of reading it: what a product that takes its
// weights from memory is measured against.
#ifndef TERN_RUNTIME_READ_MEMORY_H_
#define TERN_RUNTIME_READ_MEMORY_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "runtime/aligned_buffer.h"
#include "runtime/parallel.h"

namespace tern {

// What a thread reads at a time, from start to end.  The fastest of what was
// tried (Zen 4, 2 threads, each 15 times in turn): chunks of 8 MiB 50 GB/s, of
// 256 KiB 44, of 64 KiB 37, halves of the buffer 40 to 46.  Several streams a
// thread only made it slower (one stream 30 GB/s, two 23, four 17), and 16-byte
// loads are as fast as 64-byte ones.
inline constexpr std::size_t kReadChunk = std::size_t{8} << 20U;

// kFetch prefetches a fixed distance ahead.  On Zen 4 it is slower (27 for 30
// GB/s) as a rule; on a Xeon, whose own prefetchers do less, one thread reads
// 12.2 GB/s with it and 8.5 without.
enum class ReadMode { kPlain, kFetch };

// The sum of `count` words, a multiple of 16.  Sixteen sums, so that no
// addition waits for another one.
template <ReadMode kMode>
std::uint64_t SumWords(const std::uint64_t* data, std::size_t count) {
  constexpr std::size_t kAhead = 4096;  // bytes
  std::array<std::uint64_t, 16> sums{};
  for (std::size_t i = 0; i < count; i += sums.size()) {
    if constexpr (kMode == ReadMode::kFetch) {
      const auto* ahead = reinterpret_cast<const std::uint8_t*>(data + i);
      __builtin_prefetch(ahead + kAhead);
      __builtin_prefetch(ahead + kAhead + kCacheLine);
    }
    for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += data[i + j];
  }
  std::uint64_t total = 0;
  for (const std::uint64_t sum : sums) total += sum;
  return total;
}

// The sum of `count` words, a multiple of kReadChunk, on all members.
template <ReadMode kMode>
std::uint64_t SumWords(const std::uint64_t* data, std::size_t count,
                       Team& team) {
  constexpr std::size_t kWords = kReadChunk / sizeof(std::uint64_t);
  std::atomic<std::uint64_t> total = 0;
  ParallelForEach(team, count / kWords, [&](std::size_t chunk, std::size_t) {
    total.fetch_add(SumWords<kMode>(data + chunk * kWords, kWords),
                    std::memory_order_relaxed);
  });
  return total;
}

}  // namespace tern

#endif  // TERN_RUNTIME_READ_MEMORY_H_
