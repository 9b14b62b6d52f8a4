#include "runtime/parallel.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <omp.h>
#include <string>
#include <system_error>
#include <unistd.h>

#include <tern/error.h>

#include "runtime/signals_blocked.h"
#include "runtime/threads.h"

namespace tern {
namespace {

// state = generation << kIndexBits | next index; the largest index: closed.
constexpr unsigned kIndexBits = 24;
constexpr std::uint64_t kClosed = (std::uint64_t{1} << kIndexBits) - 1;

// A part of a loop takes 1 to 50 us, the serial work between two loops of a
// token up to 20 us, and waking a sleeping thread 5 to 50 us.
constexpr std::chrono::microseconds kSpin{60};

// The first index of a share of [0, count), or the end of the one before.
std::uint64_t ShareBegin(std::uint64_t count, std::uint64_t share,
                         std::uint64_t shares) {
  return count * share / shares;
}

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Asks for the first lines of what is left: as many at a time as memory gives
// while a thread pauses.  Zen 4 drops prefetches while too many are under way.
void FetchSome(Team::Memory& left) {
  constexpr std::size_t kBytes = 512;
  constexpr std::size_t kLine = 64;
  const std::size_t bytes = std::min(left.bytes, kBytes);
  for (std::size_t at = 0; at < bytes; at += kLine) {
    __builtin_prefetch(left.data + at, /*for writing*/ 0, /*locality*/ 2);
  }
  left.data += bytes;
  left.bytes -= bytes;
}

}  // namespace

// Waits until `value` is no longer `old`: spins, then sleeps.
void Team::WaitForChange(const std::atomic<std::uint32_t>& value,
                         std::uint32_t old, Memory& fetch) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + kSpin;
  do {
    for (int i = 0; i < 16; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      FetchSome(fetch);
      Pause();
    }
  } while (Clock::now() < end);
  value.wait(old, std::memory_order_acquire);
}

Team::Team(int num_threads)
    : num_queues_(std::min(static_cast<std::size_t>(num_threads), kMostQueues)),
      size_(static_cast<std::size_t>(num_threads)),
      process_(getpid()) {
  for (Queue& queue : queues_) queue.state = kClosed;
  const SignalsBlocked blocked;
  RequireThreads(num_threads);
  if (size_ == 1) return;
  const auto serve = [this, num_threads] {
  // If OpenMP gives fewer threads, the others do their parts.
#pragma omp parallel num_threads(num_threads - 1)
    Serve(static_cast<std::size_t>(omp_get_thread_num()) + 1);
  };
  try {
    host_ = std::thread(serve);
  } catch (const std::system_error&) {  // somebody took it in between
    throw Error(ErrorCode::kInvalidArgument,
                std::to_string(num_threads) +
                    " threads: the system gives no more; use fewer");
  }
}

Team::~Team() {
  if (!host_.joinable()) return;
  if (getpid() != process_) {
    // To join would wait for ever, to detach would touch a stack that may be
    // another thread's by now: a new object takes the place of the old one.
    std::construct_at(&host_);
    return;
  }
  ended_.store(true, std::memory_order_relaxed);
  posted_.fetch_add(1, std::memory_order_release);
  posted_.notify_all();
  host_.join();
}

void Team::Run(std::size_t count, Cut cut, Part part,
               const void* closure) noexcept {
  const std::uint64_t generation = ++generation_ << kIndexBits;
  // Closed while the loop's fields change.  ClaimFrom reads limit_ and then
  // changes a state from what it was before: reading the new limit_ makes these
  // stores visible too, so that the change fails.
  for (std::size_t q = 0; q < num_queues_; ++q) {
    queues_[q].state.store(generation | kClosed, std::memory_order_relaxed);
  }
  limit_.store(2 * count + (cut == Cut::kShrinking ? 1 : 0),
               std::memory_order_release);
  part_ = part;
  closure_ = closure;
  unfinished_.store(static_cast<std::uint32_t>(count),
                    std::memory_order_relaxed);
  const std::size_t shares = cut == Cut::kShrinking ? num_queues_ : 1;
  for (std::size_t q = 0; q < shares; ++q) {
    queues_[q].state.store(generation | ShareBegin(count, q, shares),
                           std::memory_order_release);
  }
  posted_.fetch_add(1, std::memory_order_release);
  posted_.notify_all();
  Work(0, fetch_);
  for (;;) {
    const std::uint32_t left = unfinished_.load(std::memory_order_acquire);
    if (left == 0) return;
    WaitForChange(unfinished_, left, fetch_.left);
  }
}

void Team::Serve(std::size_t thread) {
  Fetch fetch;
  for (;;) {
    const std::uint32_t seen = posted_.load(std::memory_order_acquire);
    if (ended_.load(std::memory_order_relaxed)) return;
    Work(thread, fetch);
    WaitForChange(posted_, seen, fetch.left);
  }
}

void Team::Work(std::size_t thread, Fetch& fetch) noexcept {
  Range range;
  // Told at the end: the count is in a line that another core has written last.
  std::uint32_t done = 0;
  // Whoever holds a part, or did one without telling, keeps the loop, and so
  // these fields, alive.
  while (Claim(thread, &range)) {
    part_(closure_, range.begin, range.end, thread);
    done += static_cast<std::uint32_t>(range.end - range.begin);
  }
  if (done == 0) return;
  if (thread < num_queues_ && will_read_.at(thread).data != fetch.begin) {
    fetch = {will_read_.at(thread).data, will_read_.at(thread)};
  }
  if (unfinished_.fetch_sub(done, std::memory_order_acq_rel) == done) {
    unfinished_.notify_all();
  }
}

bool Team::Claim(std::size_t thread, Range* range) {
  for (std::size_t i = 0; i < num_queues_; ++i) {
    if (ClaimFrom((thread + i) % num_queues_, i == 0, range)) return true;
  }
  return false;
}

bool Team::ClaimFrom(std::size_t queue, bool is_own, Range* range) {
  std::atomic<std::uint64_t>& shared = queues_[queue].state;
  std::uint64_t state = shared.load(std::memory_order_acquire);
  for (;;) {
    const std::uint64_t next = state & kClosed;
    const std::uint64_t limit = limit_.load(std::memory_order_acquire);
    const std::uint64_t count = limit / 2;
    const bool is_shrinking = limit % 2 != 0;
    const std::uint64_t end =
        is_shrinking ? ShareBegin(count, queue + 1, num_queues_) : count;
    if (next == kClosed || next >= end) return false;
    // Long parts cost few claims; the last ones are single, so that the members
    // end within one part's time of each other.
    const std::uint64_t sharing =
        is_own ? (size_ + num_queues_ - 1) / num_queues_ : size_;
    const std::uint64_t part =
        is_shrinking ? std::max<std::uint64_t>(1, (end - next) / (4 * sharing))
                     : 1;
    if (shared.compare_exchange_weak(state, state + part,
                                     std::memory_order_acq_rel,
                                     std::memory_order_acquire)) {
      *range = {next, next + part};
      return true;
    }
  }
}

}  // namespace tern
