#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <unistd.h>

#include <tern/bandwidth.h>

#include "runtime/aligned_buffer.h"
#include "runtime/memory.h"
#include "runtime/parallel.h"
#include "runtime/read_memory.h"

namespace tern {
namespace {

// Of the third-level cache: what it still holds from the pass before is then at
// most an eighth of the buffer, and makes the figure, if anything, too high.
constexpr std::size_t kTimesCache = 8;
constexpr std::size_t kLeast = std::size_t{128} << 20U;
constexpr int kPasses = 1;

// Bytes of third-level cache that the first core reaches; 0: unknown.
std::uint64_t CacheOfACore() {
  std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index3/size");
  std::uint64_t kibibytes = 0;
  return file >> kibibytes && file.get() == 'K' ? kibibytes << 10U : 0;
}

// And that so many threads reach together.  sysconf counts all caches of a
// processor: 320 MiB where two cores have 32 each, and a buffer of 2.5 GB takes
// longer than what is measured beside it.
std::uint64_t CacheOfThreads(int num_threads) {
  const auto all = sysconf(_SC_LEVEL3_CACHE_SIZE);  // 0 or -1: unknown
  const std::uint64_t most = all > 0 ? static_cast<std::uint64_t>(all) : 0;
  const std::uint64_t one = CacheOfACore();
  if (one == 0) return most;
  const std::uint64_t theirs = one * static_cast<std::uint64_t>(num_threads);
  return most > 0 ? std::min(most, theirs) : theirs;
}

std::size_t BufferSize(int num_threads) {
  const std::uint64_t wanted = kTimesCache * CacheOfThreads(num_threads);
  const std::uint64_t size =
      std::max<std::uint64_t>(std::min(wanted, AvailableMemory() / 8), kLeast);
  return size / kReadChunk * kReadChunk;
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
    constexpr std::size_t kWords = kReadChunk / sizeof(std::uint64_t);
    ParallelForEach(
        team, words_.size() / kWords, [&](std::size_t chunk, std::size_t) {
          std::memset(words_.data() + chunk * kWords, 1, kReadChunk);
        });
  }

  // Seconds of one pass.
  template <ReadMode kMode>
  double Read(Team& team) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = Clock::now();
    total_ = SumWords<kMode>(words_.data(), words_.size(), team);
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  [[nodiscard]] std::uint64_t bytes() const { return words_.bytes(); }

 private:
  AlignedBuffer<std::uint64_t> words_;
  // What was read is used, so that no compiler leaves the reading out.
  volatile std::uint64_t total_ = 0;
};

BandwidthProbe::BandwidthProbe(int num_threads)
    : buffer_(std::make_unique<Buffer>(BufferSize(std::max(num_threads, 1)),
                                       num_threads)) {}
BandwidthProbe::~BandwidthProbe() = default;

double BandwidthProbe::Measure(int num_threads) {
  Team team(num_threads);
  double best = buffer_->Read<ReadMode::kPlain>(team);
  for (int pass = 0; pass < kPasses; ++pass) {
    best = std::min({best, buffer_->Read<ReadMode::kFetch>(team),
                     buffer_->Read<ReadMode::kPlain>(team)});
  }
  return static_cast<double>(buffer_->bytes()) / 1e9 / best;
}

std::uint64_t BandwidthProbe::bytes() const { return buffer_->bytes(); }

}  // namespace tern
