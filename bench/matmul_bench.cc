// Several tokens, one thread, on every instruction set of this machine: rows,
// columns, tokens.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/ternary_weights.h"
#include "ternary_kernels/matmul.h"
#include "ternary_kernels/targets.h"

namespace tern::bench {
namespace {

void MatMul(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  const auto rows = static_cast<std::size_t>(state.range(0));
  const auto cols = static_cast<std::size_t>(state.range(1));
  const auto tokens = static_cast<std::size_t>(state.range(2));
  const TernaryWeights weights(rows, cols);
  const std::vector<std::int8_t> x = RandomActivations(tokens * cols);
  std::vector<Line> scratch = AlignedBytes(kernels::MatMulScratchBytes(rows));
  std::vector<std::int32_t> sums(tokens * rows);
  const std::size_t tile = kernels::TokenTile();
  while (state.KeepRunning()) {
    for (std::size_t t = 0; t < tokens; t += tile) {
      kernels::MatMul(weights.View(),
                      {.x = &x[t * cols],
                       .x_stride = cols,
                       .tokens = std::min(tile, tokens - t),
                       .row_begin = 0,
                       .row_end = rows,
                       .col_begin = 0,
                       .col_end = cols,
                       .sums = &sums[t * rows],
                       .sums_stride = rows},
                      scratch.front().bytes);
    }
    benchmark::DoNotOptimize(sums.data());
  }
  CountMacs(state, static_cast<double>(rows) * static_cast<double>(cols) *
                       static_cast<double>(tokens));
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  for (const std::string& target : tern::kernels::SupportedTargets()) {
    benchmark::RegisterBenchmark(("MatMul/" + target).c_str(),
                                 tern::bench::MatMul, target)
        ->Args({6912, 2560, 128})
        ->Args({6912, 2560, 16})
        ->Args({2560, 6912, 128})
        ->Args({640, 2560, 128})
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::RunSpecifiedBenchmarks();
}
