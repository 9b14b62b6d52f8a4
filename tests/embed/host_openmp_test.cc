// A host with OpenMP of its own, before, beside and around tern's: neither may
// notice the other.  CMakeLists.txt runs it under other settings of the
// environment, and with clang's OpenMP in the place of g++'s.
#include <algorithm>
#include <atomic>
#include <dlfcn.h>
#include <numeric>
#include <omp.h>
#include <thread>
#include <vector>

#include "tests/embed/host.h"

namespace tern {
namespace {

class HostOpenMp : public Host {
 protected:
  void SetUp() override { want_ = Work(SharedModel(), 1); }

  // A parallel loop of the host's: 0 + 1 + ... + 999.
  static int Sum(int num_threads) {
    int sum = 0;
#pragma omp parallel for num_threads(num_threads) reduction(+ : sum)
    for (int i = 0; i < 1000; ++i) sum += i;
    return sum;
  }

  std::vector<float> want_;
};

constexpr int kSum = 499500;

TEST_F(HostOpenMp, TheHostsSettingsStayWhatTheyWere) {
  omp_set_num_threads(5);
  omp_set_dynamic(0);
  omp_set_max_active_levels(2);
  omp_set_schedule(omp_sched_guided, 7);
  EXPECT_EQ(Work(SharedModel(), 3), want_);
  EXPECT_EQ(Work(Model::Load(ModelPath(), {.num_threads = 3}), 2), want_);
  EXPECT_EQ(omp_get_max_threads(), 5);
  EXPECT_EQ(omp_get_dynamic(), 0);
  EXPECT_EQ(omp_get_max_active_levels(), 2);
  omp_sched_t kind{};
  int chunk = 0;
  omp_get_schedule(&kind, &chunk);
  EXPECT_EQ(kind, omp_sched_guided);
  EXPECT_EQ(chunk, 7);
  EXPECT_EQ(omp_in_parallel(), 0);
}

TEST_F(HostOpenMp, TheHostsSettingsAreNotTerns) {
  for (const int threads : {1, 2, 64}) {
    omp_set_num_threads(threads);
    Session session(SharedModel(), {.num_threads = 3});
    EXPECT_EQ(session.num_threads(), 3);
    EXPECT_EQ(Work(SharedModel(), 3), want_) << threads;
    EXPECT_EQ(Sum(threads), kSum);
  }
}

TEST_F(HostOpenMp, LoopsOfTheHostRunBesideASession) {
  std::atomic<bool> ended = false;
  std::atomic<int> loops = 0;
  std::atomic<int> wrong = 0;
  std::thread host([&] {
    while (!ended) {
      if (Sum(3) != kSum) ++wrong;
      ++loops;
    }
  });
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Work(SharedModel(), 3), want_);
  while (loops == 0) std::this_thread::yield();
  ended = true;
  host.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(HostOpenMp, ThreadsOfTheHostsRegionHaveASessionEach) {
  std::atomic<int> right = 0;
  const auto work = [&] {
    if (Work(SharedModel(), 2) == want_) ++right;
  };
  int members = 0;
#pragma omp parallel num_threads(4)
  {
#pragma omp single
    members = omp_get_num_threads();
    work();
  }
  EXPECT_GE(members, 1);
  EXPECT_EQ(right, members);
}

TEST_F(HostOpenMp, ASessionIsSharedByARegionInTurn) {
  Session session(SharedModel(), {.context_length = 128, .num_threads = 2});
  const std::vector<Token> ids = Ids(24);
#pragma omp parallel for ordered num_threads(3) schedule(static, 1)
  for (std::size_t i = 0; i < ids.size(); ++i) {
#pragma omp ordered
    session.Append({&ids[i], 1});
  }
  EXPECT_TRUE(std::equal(ids.begin(), ids.end(), session.tokens().begin(),
                         session.tokens().end()));
}

// Another OpenMP in the same process, as in a Python program with several
// extensions.
TEST_F(HostOpenMp, AnotherOpenMpRunsBesideIt) {
  void* library = dlopen(TERN_LIBOMP, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  using Body = void (*)(void*);
  // What g++ compiles `#pragma omp parallel` to, which clang's OpenMP has too.
  const auto parallel =
      reinterpret_cast<void (*)(Body, void*, unsigned, unsigned)>(
          dlsym(library, "GOMP_parallel"));
  ASSERT_NE(parallel, nullptr);
  std::atomic<int> calls = 0;
  const auto body = [](void* data) { ++*static_cast<std::atomic<int>*>(data); };
  parallel(body, &calls, 3, 0);
  EXPECT_GE(calls, 1);
  EXPECT_EQ(Work(SharedModel(), 3), want_);
  const int before = calls;
  parallel(body, &calls, 3, 0);
  EXPECT_GT(calls, before);
  EXPECT_EQ(Sum(3), kSum);
}

}  // namespace
}  // namespace tern
