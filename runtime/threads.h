// Can the system give as many threads as asked for?
#ifndef TERN_RUNTIME_THREADS_H_
#define TERN_RUNTIME_THREADS_H_

namespace tern {

// Throws Error (kInvalidArgument) unless `num_threads` threads can run at once:
// OpenMP ends the process if it cannot start one.  Starts and ends them.
// std::bad_alloc if there is no memory for that.
void RequireThreads(int num_threads);

}  // namespace tern

#endif  // TERN_RUNTIME_THREADS_H_
