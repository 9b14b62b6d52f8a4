#include "runtime/parallel.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace tern {
namespace {

// How often each index was visited by a ParallelFor.
std::vector<int> Visits(Team& team, std::size_t count, std::size_t grain) {
  std::vector<std::atomic<int>> visits(count);
  std::atomic<bool> all_good = true;
  ParallelFor(team, count, grain,
              [&](std::size_t begin, std::size_t end, std::size_t thread) {
                if (begin % grain != 0 || thread >= team.size()) {
                  all_good = false;
                }
                for (std::size_t i = begin; i < end; ++i) ++visits[i];
              });
  EXPECT_TRUE(all_good);
  return {visits.begin(), visits.end()};
}

// More members than cores, so that some have none while a loop runs.
constexpr int kTeams[] = {1, 2, 3, 8};

TEST(ParallelFor, VisitsEachIndexOnce) {
  for (const int threads : kTeams) {
    Team team(threads);
    for (const std::size_t count : {0, 1, 2, 63, 64, 65, 1000}) {
      for (const std::size_t grain : {1, 3, 64}) {
        EXPECT_EQ(Visits(team, count, grain), std::vector<int>(count, 1));
      }
    }
  }
}

TEST(ParallelForEach, VisitsEachItemOnce) {
  for (const int threads : kTeams) {
    Team team(threads);
    std::vector<std::atomic<int>> visits(1000);
    ParallelForEach(team, visits.size(),
                    [&](std::size_t i, std::size_t) { ++visits[i]; });
    for (const std::atomic<int>& count : visits) EXPECT_EQ(count, 1);
  }
}

TEST(Team, ALoopSeesWhatTheLoopBeforeWrote) {
  Team team(4);
  std::vector<std::size_t> a(997, 1);
  std::vector<std::size_t> b(a.size());
  for (std::size_t round = 0; round < 20000; ++round) {
    // Reads from the other end: mostly what another member wrote.
    ParallelFor(team, a.size(), 1,
                [&](std::size_t begin, std::size_t end, std::size_t) {
                  for (std::size_t i = begin; i < end; ++i) {
                    b[i] = a[a.size() - 1 - i] + 1;
                  }
                });
    std::swap(a, b);
  }
  EXPECT_EQ(a, std::vector<std::size_t>(a.size(), 20001));
}

TEST(Team, MembersThatSleepAreWoken) {
  Team team(3);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(Visits(team, 100, 1), std::vector<int>(100, 1));
  }
}

TEST(Team, MayServeOneThreadAfterAnother) {
  Team team(2);
  for (int round = 0; round < 10; ++round) {
    std::thread([&] {
      EXPECT_EQ(Visits(team, 100, 1), std::vector<int>(100, 1));
    }).join();
  }
}

}  // namespace
}  // namespace tern
