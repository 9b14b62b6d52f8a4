#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <unistd.h>

#include <tern/bandwidth.h>

#include "runtime/aligned_buffer.h"
#include "runtime/memory.h"
#include "runtime/parallel.h"

namespace tern {
namespace {

// Of the third-level cache: what it still holds from the pass before is then at
// most an eighth of the buffer, and makes the figure, if anything, too high.
constexpr std::size_t kTimesCache = 8;
constexpr std::size_t kLeast = std::size_t{128} << 20U;
// What a thread reads at a time, from start to end.  The fastest of what was
// tried (Zen 4, 2 threads, each 15 times in turn): chunks of 8 MiB 50 GB/s, of
// 256 KiB 44, of 64 KiB 37, halves of the buffer 40 to 46.  Several streams a
// thread and software prefetching only made it slower (one stream 30 GB/s, two
// 23, four 17; prefetching 27), and 16-byte loads are as fast as 64-byte ones.
constexpr std::size_t kChunk = std::size_t{8} << 20U;
constexpr std::size_t kChunkWords = kChunk / sizeof(std::uint64_t);
constexpr int kPasses = 3;

// Bytes that a prefetch runs ahead, where there is one: on a Xeon, whose own
// prefetchers do less, one thread reads 8.5 GB/s without and decodes at 11.4.
constexpr std::size_t kAhead = 4096;

// Reads all of it.  Sixteen sums, so that no addition waits for another one.
template <bool kPrefetch>
std::uint64_t Sum(const std::uint64_t* data, std::size_t bytes) {
  std::array<std::uint64_t, 16> sums{};
  const std::size_t count = bytes / sizeof(std::uint64_t);
  for (std::size_t i = 0; i < count; i += sums.size()) {
    if constexpr (kPrefetch) {
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

std::size_t BufferSize() {
  const auto cache = sysconf(_SC_LEVEL3_CACHE_SIZE);  // 0 or -1: unknown
  const std::uint64_t wanted =
      cache > 0 ? kTimesCache * static_cast<std::uint64_t>(cache) : 0;
  const std::uint64_t size =
      std::max<std::uint64_t>(std::min(wanted, AvailableMemory() / 8), kLeast);
  return size / kChunk * kChunk;
}

}  // namespace

class BandwidthProbe::Buffer {
 public:
  Buffer(std::size_t size, int num_threads)
      : words_((RequireMemory(size, "the measurement of the memory's speed",
                              "free some memory"),
                size / sizeof(std::uint64_t)),
               Pages::kHuge) {
    // Not zeros: pages that were never written may all be one page.  By all
    // threads: a page lies where the thread runs that writes it first.
    Team team(num_threads);
    ParallelForEach(
        team, words_.bytes() / kChunk, [&](std::size_t chunk, std::size_t) {
          std::memset(words_.data() + chunk * kChunkWords, 1, kChunk);
        });
  }

  // Seconds of one pass.
  template <bool kPrefetch>
  double Read(Team& team) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = Clock::now();
    std::atomic<std::uint64_t> total = 0;
    ParallelForEach(
        team, words_.bytes() / kChunk, [&](std::size_t chunk, std::size_t) {
          const std::uint64_t* begin = words_.data() + chunk * kChunkWords;
          total.fetch_add(Sum<kPrefetch>(begin, kChunk),
                          std::memory_order_relaxed);
        });
    const double seconds =
        std::chrono::duration<double>(Clock::now() - start).count();
    total_ = total;
    return seconds;
  }

  [[nodiscard]] std::uint64_t bytes() const { return words_.bytes(); }

 private:
  AlignedBuffer<std::uint64_t> words_;
  // What was read is used, so that no compiler leaves the reading out.
  volatile std::uint64_t total_ = 0;
};

BandwidthProbe::BandwidthProbe(int num_threads)
    : buffer_(std::make_unique<Buffer>(BufferSize(), num_threads)) {}
BandwidthProbe::~BandwidthProbe() = default;

double BandwidthProbe::Measure(int num_threads) {
  Team team(num_threads);
  double best = buffer_->Read<false>(team);
  for (int pass = 0; pass < kPasses; ++pass) {
    best =
        std::min({best, buffer_->Read<true>(team), buffer_->Read<false>(team)});
  }
  return static_cast<double>(buffer_->bytes()) / 1e9 / best;
}

std::uint64_t BandwidthProbe::bytes() const { return buffer_->bytes(); }

}  // namespace tern
