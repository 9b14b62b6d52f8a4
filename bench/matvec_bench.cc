// One token, one thread, on every instruction set of this machine.  The first
// shape stays in the caches, the last (88 MB) streams from memory.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/ternary_weights.h"
#include "ternary_kernels/matvec.h"
#include "ternary_kernels/targets.h"

namespace tern::bench {
namespace {

void MatVec(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  const auto rows = static_cast<std::size_t>(state.range(0));
  const auto cols = static_cast<std::size_t>(state.range(1));
  const TernaryWeights weights(rows, cols);
  const std::vector<std::int8_t> x = RandomActivations(cols);
  std::vector<Line> tables = AlignedBytes(kernels::NibbleTableBytes(cols));
  std::vector<std::int32_t> sums(rows);
  while (state.KeepRunning()) {
    kernels::BuildNibbleTables(x.data(), cols, tables.front().bytes);
    kernels::MatVec(weights.View(), tables.front().bytes, 0, rows, 0, cols,
                    sums.data());
    benchmark::DoNotOptimize(sums.data());
  }
  CountMacs(state, static_cast<double>(rows) * static_cast<double>(cols));
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  for (const std::string& target : tern::kernels::SupportedTargets()) {
    benchmark::RegisterBenchmark(("MatVec/" + target).c_str(),
                                 tern::bench::MatVec, target)
        ->Args({6912, 2560})
        ->Args({2560, 6912})
        ->Args({640, 2560})
        ->Args({138240, 2560})
        ->Unit(benchmark::kMicrosecond);
  }
  benchmark::RunSpecifiedBenchmarks();
}
