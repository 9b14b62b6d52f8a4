#include "runtime/threads.h"

#include <latch>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <tern/error.h>

namespace tern {

void RequireThreads(int num_threads) {
  std::vector<std::thread> threads;
  std::latch all_tried(1);
  bool enough = true;
  bool has_memory = true;
  try {
    threads.reserve(static_cast<std::size_t>(num_threads));
    for (int i = 1; i < num_threads; ++i) {
      threads.emplace_back([&all_tried] { all_tried.wait(); });
    }
  } catch (const std::system_error&) {
    enough = false;
  } catch (const std::bad_alloc&) {
    has_memory = false;
  }
  all_tried.count_down();
  for (std::thread& thread : threads) thread.join();
  if (!has_memory) throw std::bad_alloc();
  if (enough) return;
  throw Error(ErrorCode::kInvalidArgument,
              std::to_string(num_threads) +
                  " threads: the system gives no more than " +
                  std::to_string(threads.size() + 1) + "; use fewer");
}

}  // namespace tern
