// The only OpenMP of the project: a loop over ranges and a loop over items.
#ifndef TERN_RUNTIME_PARALLEL_H_
#define TERN_RUNTIME_PARALLEL_H_

#include <algorithm>
#include <cstddef>
#include <omp.h>

namespace tern {

// Calls fn(begin, end, thread) so that the ranges cover [0, count), each a
// contiguous share that starts at a multiple of `grain`; one call for each
// thread that has work.  fn must not throw.  Which thread gets which range
// depends on num_threads: results must not.  The team always has num_threads
// members, with or without work: libgomp ends and restarts threads when the
// size of a team changes (460 us a region instead of 100 with 8 threads).
template <class Fn>
void ParallelFor(int num_threads, std::size_t count, std::size_t grain,
                 const Fn& fn) {
  const std::size_t chunks = (count + grain - 1) / grain;
  const std::size_t threads =
      std::min<std::size_t>(static_cast<std::size_t>(num_threads), chunks);
  if (threads <= 1) {
    if (count != 0) fn(std::size_t{0}, count, std::size_t{0});
    return;
  }
#pragma omp parallel for num_threads(num_threads) schedule(static)
  for (std::size_t t = 0; t < threads; ++t) {
    const std::size_t begin = chunks * t / threads * grain;
    const std::size_t end = std::min(count, chunks * (t + 1) / threads * grain);
    fn(begin, end, t);
  }
}

// Calls fn(item, thread) once for each item of [0, count), in any order, each
// on whichever thread is free: for items of unequal cost.  fn must not throw.
template <class Fn>
void ParallelForEach(int num_threads, std::size_t count, const Fn& fn) {
  const std::size_t threads =
      std::min<std::size_t>(static_cast<std::size_t>(num_threads), count);
  if (threads <= 1) {
    for (std::size_t i = 0; i < count; ++i) fn(i, std::size_t{0});
    return;
  }
#pragma omp parallel for num_threads(num_threads) schedule(dynamic, 1)
  for (std::size_t i = 0; i < count; ++i) {
    fn(i, static_cast<std::size_t>(omp_get_thread_num()));
  }
}

}  // namespace tern

#endif  // TERN_RUNTIME_PARALLEL_H_
