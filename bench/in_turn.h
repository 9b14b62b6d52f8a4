// Ours and what bounds or rivals it, in turn: a noisy machine is then noisy for
// both.  The counters are medians of all iterations.
#ifndef TERN_BENCH_IN_TURN_H_
#define TERN_BENCH_IN_TURN_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "runtime/parallel.h"
#include "runtime/read_memory.h"

namespace tern::bench {

inline double Median(std::vector<double> values) {
  const auto middle =
      values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Contender {
  std::string name;
  std::function<void()> run;
};

// Runs all in turn; one call of each does `work`, 10^9 of what `unit` counts.
// The time that is reported is the first one's.  Returns the medians of the
// seconds.
inline std::vector<double> RunInTurn(benchmark::State& state, double work,
                                     const std::string& unit,
                                     const std::vector<Contender>& contenders) {
  std::vector<std::vector<double>> seconds(contenders.size());
  for (const Contender& contender : contenders) contender.run();  // warm up
  while (state.KeepRunning()) {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      const auto start = std::chrono::steady_clock::now();
      contenders[i].run();
      const std::chrono::duration<double> taken =
          std::chrono::steady_clock::now() - start;
      seconds[i].push_back(taken.count());
    }
    state.SetIterationTime(seconds.front().back());
  }
  std::vector<double> medians;
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    medians.push_back(Median(seconds[i]));
    state.counters[contenders[i].name + "_" + unit] = work / medians.back();
  }
  return medians;
}

// Reads bytes [0, size) on all members; not the last ones that fill no chunk.
inline void ReadAll(const std::uint8_t* data, std::size_t size, Team& team) {
  benchmark::DoNotOptimize(SumWords<ReadMode::kPlain>(
      reinterpret_cast<const std::uint64_t*>(data),
      size / kReadChunk * kReadChunk / sizeof(std::uint64_t), team));
}

}  // namespace tern::bench

#endif  // TERN_BENCH_IN_TURN_H_
