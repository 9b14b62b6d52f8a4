// Both ends of a ternary product, on every instruction set of this machine: the
// activations of a token to int8, integer sums back to floats, and the tables
// between them.  Elements a second; sizes are widths of layers.
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/ternary_weights.h"
#include "ternary_kernels/activations.h"
#include "ternary_kernels/matvec.h"
#include "ternary_kernels/targets.h"

namespace tern::bench {
namespace {

std::size_t Size(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(0));
}

std::vector<std::int32_t> RandomSums(std::size_t size) {
  std::mt19937 random(4);
  std::vector<std::int32_t> sums(size);
  for (std::int32_t& sum : sums) {
    sum = static_cast<std::int32_t>(random() % 200000) - 100000;
  }
  return sums;
}

void CountElements(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void Quantize(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  const std::vector<float> x = RandomFloats(Size(state));
  std::vector<std::int8_t> q(x.size());
  while (state.KeepRunning()) {
    benchmark::DoNotOptimize(
        kernels::QuantizeActivations(x.data(), x.size(), q.data()));
    benchmark::ClobberMemory();
  }
  CountElements(state);
}

void BuildTables(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  const std::vector<std::int8_t> x = RandomActivations(Size(state));
  std::vector<Line> tables = AlignedBytes(kernels::NibbleTableBytes(x.size()));
  while (state.KeepRunning()) {
    kernels::BuildNibbleTables(x.data(), x.size(), tables.front().bytes);
    benchmark::ClobberMemory();
  }
  CountElements(state);
}

void Scale(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  const std::vector<std::int32_t> sums = RandomSums(Size(state));
  std::vector<float> y(sums.size());
  while (state.KeepRunning()) {
    kernels::ScaleSums(sums.data(), sums.size(), 0.01F, y.data());
    benchmark::ClobberMemory();
  }
  CountElements(state);
}

void ScaleByRow(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  const std::vector<std::int32_t> sums = RandomSums(Size(state));
  const std::vector<float> scales = RandomFloats(sums.size());
  std::vector<float> y(sums.size());
  while (state.KeepRunning()) {
    kernels::ScaleSumsByRow(sums.data(), scales.data(), sums.size(), 0.01F,
                            y.data());
    benchmark::ClobberMemory();
  }
  CountElements(state);
}

// One block of columns of 20: scales of a row lie side by side.
void AddScaled(benchmark::State& state, const std::string& target) {
  constexpr std::size_t kBlocks = 20;
  kernels::ForceTarget(target);
  const std::vector<std::int32_t> sums = RandomSums(Size(state));
  const std::vector<float> scales = RandomFloats(sums.size() * kBlocks);
  std::vector<float> y(sums.size());
  while (state.KeepRunning()) {
    kernels::AddScaledSums(sums.data(), scales.data(), kBlocks, sums.size(),
                           0.01F, y.data());
    benchmark::ClobberMemory();
  }
  CountElements(state);
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  using tern::bench::RegisterWidths;
  benchmark::Initialize(&argc, argv);
  for (const std::string& target : tern::kernels::SupportedTargets()) {
    RegisterWidths("Quantize", target, tern::bench::Quantize);
    RegisterWidths("BuildTables", target, tern::bench::BuildTables);
    RegisterWidths("Scale", target, tern::bench::Scale);
    RegisterWidths("ScaleByRow", target, tern::bench::ScaleByRow);
    RegisterWidths("AddScaled", target, tern::bench::AddScaled);
  }
  benchmark::RunSpecifiedBenchmarks();
}
