// The dense side of the comparison beside what bounds it: f16 decode beside
// reading the same bytes, f16 prefill beside OpenBLAS's sgemm, which reads
// twice the bytes.  Every iteration runs both in turn on as many threads, so
// that a noisy machine is noisy for both; the counters are medians of all
// iterations, `ratio` ours to theirs.  Arguments: rows, columns, tokens,
// threads.
#include <algorithm>
#include <array>
#include <cblas.h>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/in_turn.h"
#include "packing/half.h"
#include "runtime/aligned_buffer.h"
#include "runtime/forward/linear.h"
#include "runtime/parallel.h"
#include "runtime/weights.h"
#include "ternary_kernels/targets.h"

namespace tern::bench {
namespace {

struct Shape {
  explicit Shape(const benchmark::State& state)
      : rows(static_cast<std::size_t>(state.range(0))),
        cols(static_cast<std::size_t>(state.range(1))),
        tokens(static_cast<std::size_t>(state.range(2))),
        threads(static_cast<int>(state.range(3))) {}
  std::size_t rows;
  std::size_t cols;
  std::size_t tokens;
  int threads;
};

// A layer of random f16 weights, its input and its output.
class Layer {
 public:
  explicit Layer(const Shape& shape)
      : shape_(shape),
        team_(shape.threads),
        x_(shape.tokens * shape.cols, Pages::kHuge),
        y_(shape.tokens * shape.rows, Pages::kHuge),
        scratch_({.threads = team_.size()}, InputType::kFloat) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    layer_.rows = layer_.dense.rows = shape.rows;
    layer_.cols = layer_.dense.cols = shape.cols;
    layer_.dense.type = kernels::DenseType::kF16;
    layer_.dense.data =
        WeightBytes(shape.rows * shape.cols * sizeof(std::uint16_t));
    // A prime number of different weights: drawing all takes seconds.
    std::array<std::uint16_t, 4099> values{};
    for (std::uint16_t& value : values) {
      value = packing::F32ToF16(normal(random));
    }
    for (std::size_t i = 0; i < shape.rows * shape.cols; ++i) {
      std::memcpy(layer_.dense.data.data() + i * sizeof(std::uint16_t),
                  &values.at(i % values.size()), sizeof(std::uint16_t));
    }
    for (std::size_t i = 0; i < x_.size(); ++i) x_.data()[i] = normal(random);
  }

  void Run() {
    const Projection projection{&layer_, y_.data()};
    Project({&projection, 1}, x_.data(), shape_.tokens, scratch_, team_);
  }

  Team& GetTeam() { return team_; }
  [[nodiscard]] const WeightBytes& Bytes() const { return layer_.dense.data; }
  [[nodiscard]] const float* X() const { return x_.data(); }
  [[nodiscard]] const float* Y() const { return y_.data(); }
  [[nodiscard]] float Weight(std::size_t i) const {
    std::uint16_t half = 0;
    std::memcpy(&half, Bytes().data() + i * sizeof(half), sizeof(half));
    return packing::F16ToF32(half);
  }

 private:
  Shape shape_;
  Team team_;
  Linear layer_;
  AlignedBuffer<float> x_;
  AlignedBuffer<float> y_;
  LinearScratch scratch_;
};

void CountRatio(benchmark::State& state, const std::vector<double>& seconds) {
  state.counters["ratio"] = seconds[1] / seconds[0];
}

void Decode(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  Layer layer{Shape(state)};
  const WeightBytes& bytes = layer.Bytes();
  CountRatio(state,
             RunInTurn(state, static_cast<double>(bytes.size()) / 1e9, "GB/s",
                       {{"tern", [&] { layer.Run(); }},
                        {"read", [&] {
                           ReadAll(bytes.data(), bytes.size(), layer.GetTeam());
                         }}}));
}

void Prefill(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  const Shape shape(state);
  Layer layer(shape);
  AlignedBuffer<float> weights(shape.rows * shape.cols, Pages::kHuge);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights.data()[i] = layer.Weight(i);
  }
  AlignedBuffer<float> y(shape.tokens * shape.rows, Pages::kHuge);
  openblas_set_num_threads(shape.threads);
  state.SetLabel(openblas_get_corename());
  const auto rows = static_cast<int>(shape.rows);
  const auto cols = static_cast<int>(shape.cols);
  const auto tokens = static_cast<int>(shape.tokens);
  const double macs = static_cast<double>(shape.rows) *
                      static_cast<double>(shape.cols) *
                      static_cast<double>(shape.tokens);
  CountRatio(state, RunInTurn(state, macs / 1e9, "GMAC/s",
                              {{"tern", [&] { layer.Run(); }},
                               {"openblas", [&] {
                                  cblas_sgemm(CblasRowMajor, CblasNoTrans,
                                              CblasTrans, tokens, rows, cols,
                                              1.0F, layer.X(), cols,
                                              weights.data(), cols, 0.0F,
                                              y.data(), rows);
                                }}}));
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (!(std::abs(y.data()[i] - layer.Y()[i]) < 0.01F)) {
      state.SkipWithError("not OpenBLAS's product");
      return;
    }
  }
}

// This machine's best instruction set, and what most machines have.
std::vector<std::string> Targets() {
  const std::vector<std::string> supported = kernels::SupportedTargets();
  std::vector<std::string> targets = {supported.front()};
  if (supported.front() != "AVX2" &&
      std::find(supported.begin(), supported.end(), "AVX2") !=
          supported.end()) {
    targets.emplace_back("AVX2");
  }
  return targets;
}

void Register(int threads) {
  for (const std::string& target : Targets()) {
    auto* decode = benchmark::RegisterBenchmark(("Decode/" + target).c_str(),
                                                Decode, target)
                       ->UseManualTime()
                       ->Unit(benchmark::kMillisecond);
    for (const int tokens : {1, 2, 4}) {
      decode->Args({69120, 3200, tokens, threads});
    }
    decode->Args({25600, 8640, 1, threads});
    auto* prefill = benchmark::RegisterBenchmark(("Prefill/" + target).c_str(),
                                                 Prefill, target)
                        ->UseManualTime()
                        ->Unit(benchmark::kMillisecond);
    for (const int tokens : {128, 256, 512}) {
      prefill->Args({8640, 3200, tokens, threads});
      prefill->Args({3200, 8640, tokens, threads});
      prefill->Args({3200, 3200, tokens, threads});
    }
  }
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  for (const int threads : {1, 2}) tern::bench::Register(threads);
  benchmark::RunSpecifiedBenchmarks();
}
