// The float steps between the matrix products, one token, on every instruction
// set of this machine.  Elements a second; sizes are widths of layers, for
// RotateHead of all heads together.
#include <cstddef>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/ternary_weights.h"
#include "ternary_kernels/elementwise.h"
#include "ternary_kernels/targets.h"

namespace tern::bench {
namespace {

// Two inputs and an output of the size that the benchmark is given.
struct Vectors {
  Vectors(const benchmark::State& state, const std::string& target)
      : size(static_cast<std::size_t>(state.range(0))),
        a(RandomFloats(size, 1)),
        b(RandomFloats(size, 2)),
        out(size) {
    kernels::ForceTarget(target);
  }
  std::size_t size;
  std::vector<float> a;
  std::vector<float> b;
  std::vector<float> out;
};

template <class Work>
void Time(benchmark::State& state, const Work& work) {
  while (state.KeepRunning()) {
    work();
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void RmsNorm(benchmark::State& state, const std::string& target) {
  Vectors v(state, target);
  Time(state, [&] {
    kernels::RmsNorm(v.a.data(), v.b.data(), v.size, 1e-5F, v.out.data());
  });
}

void SquaredReluGate(benchmark::State& state, const std::string& target) {
  Vectors v(state, target);
  Time(state, [&] {
    kernels::SquaredReluGate(v.a.data(), v.b.data(), v.size, v.out.data());
  });
}

void SiluGate(benchmark::State& state, const std::string& target) {
  Vectors v(state, target);
  Time(state, [&] {
    kernels::SiluGate(v.a.data(), v.b.data(), v.size, v.out.data());
  });
}

void AddTo(benchmark::State& state, const std::string& target) {
  Vectors v(state, target);
  // Zeros: the sum does not grow.
  Time(state, [&] { kernels::AddTo(v.out.data(), v.size, v.a.data()); });
}

void RotateHead(benchmark::State& state, const std::string& target) {
  constexpr std::size_t kHeadDim = 128;
  Vectors v(state, target);
  const std::vector<float> cosine(kHeadDim / 2, 0.8F);
  const std::vector<float> sine(kHeadDim / 2, 0.6F);
  Time(state, [&] {
    for (std::size_t i = 0; i < v.size; i += kHeadDim) {
      kernels::RotateHead(cosine.data(), sine.data(), kHeadDim, &v.a[i]);
    }
  });
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  using tern::bench::RegisterWidths;
  benchmark::Initialize(&argc, argv);
  for (const std::string& target : tern::kernels::SupportedTargets()) {
    RegisterWidths("RmsNorm", target, tern::bench::RmsNorm);
    RegisterWidths("SquaredReluGate", target, tern::bench::SquaredReluGate);
    RegisterWidths("SiluGate", target, tern::bench::SiluGate);
    RegisterWidths("AddTo", target, tern::bench::AddTo);
    RegisterWidths("RotateHead", target, tern::bench::RotateHead);
  }
  benchmark::RunSpecifiedBenchmarks();
}
