// How the arithmetic is spread over threads: a loop over ranges and a loop over
// items, served by a Team.
//
// A Team's threads but the caller are OpenMP's (OMP_PLACES, OMP_PROC_BIND and
// OMP_THREAD_LIMIT place and limit those), but they stay in one parallel region
// as long as the Team lives, and loops are handed to them here and not by
// OpenMP: the barrier at the end of an OpenMP loop spins for milliseconds
// (libgomp: 300,000 rounds) while the thread that it waits for may not even
// have a core.  With one of two cores taken by another process that was seen to
// cost 95 % of the speed.  Here
//   - whoever is free takes the next part of a loop, of its own share or of
//     another's, so the loop does not need a thread that has no core: the
//     caller alone can finish it.  A share is of neighbours, so that what is
//     read from memory for it is one stream;
//   - waiting spins for some microseconds and then sleeps, which gives the core
//     to the thread that is waited for.  While it spins it fetches what its
//     member will read next, if that was told (WillRead): between the products
//     of a token one thread works, and the memory would be idle.
//
// A program that tern is a part of may use OpenMP too.  The region belongs to a
// thread of the Team's own, so that neither sees the other's settings, nesting
// or pool of threads; and signals that are for the process go to the program's
// threads, never to these.
#ifndef TERN_RUNTIME_PARALLEL_H_
#define TERN_RUNTIME_PARALLEL_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <sys/types.h>
#include <thread>

namespace tern {

// Threads that wait for loops, and the one that starts them.  One loop at a
// time, none within another; any thread may start it, but not two at once.
class Team {
 public:
  // Throws Error (kInvalidArgument) if the system does not give `num_threads`
  // threads.
  explicit Team(int num_threads);
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  // In a child of fork(), where the threads are not, leaves them alone.
  ~Team();

  // Members, the thread that starts the loops included.
  [[nodiscard]] std::size_t size() const { return size_; }
  // Shares that a loop is cut into: a member's each, or that of a few.
  [[nodiscard]] std::size_t shares() const { return num_queues_; }

  // A part of a loop: the function, its closure, [begin, end) and the member.
  using Part = void (*)(const void* closure, std::size_t begin, std::size_t end,
                        std::size_t thread);
  enum class Cut {
    kShrinking,  // a share for each member: long parts first, short ones at the
                 // end, and then what others have left
    kSingle,     // one index at a time, in order
  };
  // Bytes that are asked for and not touched: they need not exist.
  struct Memory {
    const std::uint8_t* data = nullptr;
    std::size_t bytes = 0;
  };
  // What the member with this share, of shares(), will read first in a loop
  // after the next one.  Holds until told otherwise; to be told between loops.
  void WillRead(std::size_t share, const Memory& memory) {
    will_read_.at(share) = memory;
  }

  // Calls part for all of [0, count), count < 2^24, and returns when all is
  // done.
  void Run(std::size_t count, Cut cut, Part part, const void* closure) noexcept;

 private:
  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  // What a member has still to ask for.
  struct Fetch {
    const std::uint8_t* begin = nullptr;  // of the whole of it
    Memory left;
  };
  static void WaitForChange(const std::atomic<std::uint32_t>& value,
                            std::uint32_t old, Memory& fetch);
  void Serve(std::size_t thread);
  void Work(std::size_t thread, Fetch& fetch) noexcept;
  [[nodiscard]] bool Claim(std::size_t thread, Range* range);
  [[nodiscard]] bool ClaimFrom(std::size_t queue, bool is_own, Range* range);

  // A share of the open loop: generation and next index in one word, so that a
  // claim can only succeed in the loop that it was computed for.
  struct alignas(64) Queue {
    std::atomic<std::uint64_t> state;
  };
  // So many members have a share of their own; with more, some have one
  // together, so that starting a loop does not take longer and longer.
  static constexpr std::size_t kMostQueues = 8;
  std::array<Queue, kMostQueues> queues_;
  // 2 * count + (cut is kShrinking)
  alignas(64) std::atomic<std::uint64_t> limit_ = 0;
  Part part_ = nullptr;
  const void* closure_ = nullptr;
  std::array<Memory, kMostQueues> will_read_;
  Fetch fetch_;  // of the caller
  std::uint64_t generation_ = 0;
  std::size_t num_queues_;
  std::size_t size_;
  alignas(64) std::atomic<std::uint32_t> unfinished_ = 0;  // indices
  alignas(64) std::atomic<std::uint32_t> posted_ = 0;      // loops so far
  std::atomic<bool> ended_ = false;
  pid_t process_;     // that has the threads
  std::thread host_;  // opens the parallel region of the other members
};

// Calls fn(begin, end, thread) for ranges that cover [0, count), each starting
// at a multiple of `grain`, on all members.  fn must not throw.  Which ranges
// there are and who gets them depends on chance: results must not.
template <class Fn>
void ParallelFor(Team& team, std::size_t count, std::size_t grain,
                 const Fn& fn) {
  const std::size_t chunks = (count + grain - 1) / grain;
  if (team.size() == 1 || chunks <= 1) {
    if (count != 0) fn(std::size_t{0}, count, std::size_t{0});
    return;
  }
  const auto part = [&](std::size_t begin, std::size_t end,
                        std::size_t thread) {
    fn(begin * grain, std::min(count, end * grain), thread);
  };
  team.Run(
      chunks, Team::Cut::kShrinking,
      [](const void* closure, std::size_t begin, std::size_t end,
         std::size_t thread) {
        (*static_cast<const decltype(part)*>(closure))(begin, end, thread);
      },
      &part);
}

// Calls fn(item, thread) once for each item of [0, count), in any order, each
// on whichever member is free: for items of unequal cost.  fn must not throw.
template <class Fn>
void ParallelForEach(Team& team, std::size_t count, const Fn& fn) {
  if (team.size() == 1 || count <= 1) {
    for (std::size_t i = 0; i < count; ++i) fn(i, std::size_t{0});
    return;
  }
  team.Run(
      count, Team::Cut::kSingle,
      [](const void* closure, std::size_t begin, std::size_t end,
         std::size_t thread) {
        for (std::size_t i = begin; i < end; ++i) {
          (*static_cast<const Fn*>(closure))(i, thread);
        }
      },
      &fn);
}

}  // namespace tern

#endif  // TERN_RUNTIME_PARALLEL_H_
