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
  std::vector<Line> packed =
      AlignedBytes(kernels::PackedTokensBytes(cols, tile));
  auto* columns = reinterpret_cast<std::int8_t*>(packed.front().bytes);
  while (state.KeepRunning()) {
    for (std::size_t t = 0; t < tokens; t += tile) {
      const std::size_t some = std::min(tile, tokens - t);
      kernels::PackTokens({.x = &x[t * cols],
                           .x_stride = cols,
                           .tokens = some,
                           .cols = cols,
                           .col_begin = 0,
                           .col_end = packing::PaddedCols(cols)},
                          columns);
      kernels::MatMul(weights.View(),
                      {.packed = columns,
                       .tokens = some,
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
        ->Args({6912, 2560, 256})
        ->Args({2560, 6912, 256})
        ->Args({2560, 2560, 256})
        ->Args({6912, 2560, 32})
        ->Args({2560, 6912, 32})
        ->Args({6912, 2560, 16})
        ->Args({6912, 2560, 10})
        ->Args({6912, 2560, 8})
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::RunSpecifiedBenchmarks();
}
