#include <algorithm>
#include <chrono>
#include <cstring>
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

std::size_t BufferSize() {
  const auto cache = sysconf(_SC_LEVEL3_CACHE_SIZE);  // 0 or -1: unknown
  const std::uint64_t wanted =
      cache > 0 ? kTimesCache * static_cast<std::uint64_t>(cache) : 0;
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
    : buffer_(std::make_unique<Buffer>(BufferSize(), num_threads)) {}
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
