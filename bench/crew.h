// A few threads that do the same work again and again: the kernels' benchmarks
// know nothing of the runtime's Team.
#ifndef TERN_BENCH_CREW_H_
#define TERN_BENCH_CREW_H_

#include <barrier>
#include <cstddef>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

namespace tern::bench {

class Crew {
 public:
  // work(member), member < size, is what Run does on all of them.
  Crew(std::size_t size, std::function<void(std::size_t)> work)
      : work_(std::move(work)),
        start_(static_cast<std::ptrdiff_t>(size)),
        end_(static_cast<std::ptrdiff_t>(size)) {
    for (std::size_t i = 1; i < size; ++i) {
      threads_.emplace_back([this, i] {
        for (start_.arrive_and_wait(); !done_; start_.arrive_and_wait()) {
          work_(i);
          end_.arrive_and_wait();
        }
      });
    }
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew() {
    done_ = true;
    start_.arrive_and_wait();
    for (std::thread& thread : threads_) thread.join();
  }

  void Run() {
    start_.arrive_and_wait();
    work_(0);
    end_.arrive_and_wait();
  }

 private:
  std::function<void(std::size_t)> work_;
  std::barrier<> start_;
  std::barrier<> end_;
  bool done_ = false;  // read behind start_
  std::vector<std::thread> threads_;
};

}  // namespace tern::bench

#endif  // TERN_BENCH_CREW_H_
