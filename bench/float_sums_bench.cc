// Ternary products of float activations beside what they compete with: the int8
// kernels, which need quantised activations, and a dense f16 product, which
// multiplies.  One thread, on every instruction set of this machine.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/ternary_weights.h"
#include "packing/half.h"
#include "ternary_kernels/dense.h"
#include "ternary_kernels/float_sums.h"
#include "ternary_kernels/matmul.h"
#include "ternary_kernels/matvec.h"
#include "ternary_kernels/targets.h"

namespace tern::bench {
namespace {

struct Shape {
  explicit Shape(const benchmark::State& state)
      : rows(static_cast<std::size_t>(state.range(0))),
        cols(static_cast<std::size_t>(state.range(1))),
        tokens(static_cast<std::size_t>(state.range(2))) {}
  [[nodiscard]] double Macs() const {
    return static_cast<double>(rows) * static_cast<double>(cols) *
           static_cast<double>(tokens);
  }
  std::size_t rows;
  std::size_t cols;
  std::size_t tokens;
};

void FloatMatVec(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  const Shape shape(state);
  const TernaryWeights weights(shape.rows, shape.cols);
  const std::vector<float> x = RandomFloats(shape.cols * shape.tokens);
  std::vector<float> sums(shape.rows * shape.tokens);
  while (state.KeepRunning()) {
    for (std::size_t t = 0; t < shape.tokens; ++t) {
      kernels::FloatMatVec(weights.View(), &x[t * shape.cols], 0, shape.rows, 0,
                           shape.cols, &sums[t * shape.rows]);
    }
    benchmark::DoNotOptimize(sums.data());
  }
  CountMacs(state, shape.Macs());
}

void FloatMatMul(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  const Shape shape(state);
  const TernaryWeights weights(shape.rows, shape.cols);
  const std::vector<float> x = RandomFloats(shape.cols * shape.tokens);
  std::vector<Line> scratch =
      AlignedBytes(kernels::FloatMatMulScratchBytes(shape.rows) + 1);
  std::vector<float> sums(shape.rows * shape.tokens);
  const std::size_t tile = kernels::FloatTokenTile();
  while (state.KeepRunning()) {
    for (std::size_t t = 0; t < shape.tokens; t += tile) {
      kernels::FloatMatMul(weights.View(),
                           {.x = &x[t * shape.cols],
                            .x_stride = shape.cols,
                            .tokens = std::min(tile, shape.tokens - t),
                            .row_begin = 0,
                            .row_end = shape.rows,
                            .col_begin = 0,
                            .col_end = shape.cols,
                            .sums = &sums[t * shape.rows],
                            .sums_stride = shape.rows},
                           scratch.front().bytes);
    }
    benchmark::DoNotOptimize(sums.data());
  }
  CountMacs(state, shape.Macs());
}

void MatVec(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  const Shape shape(state);
  const TernaryWeights weights(shape.rows, shape.cols);
  const std::vector<std::int8_t> x = RandomActivations(shape.cols);
  std::vector<Line> tables =
      AlignedBytes(kernels::NibbleTableBytes(shape.cols));
  std::vector<std::int32_t> sums(shape.rows);
  while (state.KeepRunning()) {
    kernels::BuildNibbleTables(x.data(), shape.cols, tables.front().bytes);
    kernels::MatVec(weights.View(), tables.front().bytes, 0, shape.rows, 0,
                    shape.cols, sums.data());
    benchmark::DoNotOptimize(sums.data());
  }
  CountMacs(state, shape.Macs());
}

void MatMul(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  const Shape shape(state);
  const TernaryWeights weights(shape.rows, shape.cols);
  const std::vector<std::int8_t> x =
      RandomActivations(shape.tokens * shape.cols);
  std::vector<Line> scratch =
      AlignedBytes(kernels::MatMulScratchBytes(shape.rows) + 1);
  std::vector<std::int32_t> sums(shape.tokens * shape.rows);
  const std::size_t tile = kernels::TokenTile();
  std::vector<Line> packed =
      AlignedBytes(kernels::PackedTokensBytes(shape.cols, tile));
  auto* columns = reinterpret_cast<std::int8_t*>(packed.front().bytes);
  while (state.KeepRunning()) {
    for (std::size_t t = 0; t < shape.tokens; t += tile) {
      const std::size_t some = std::min(tile, shape.tokens - t);
      kernels::PackTokens({.x = &x[t * shape.cols],
                           .x_stride = shape.cols,
                           .tokens = some,
                           .cols = shape.cols,
                           .col_begin = 0,
                           .col_end = packing::PaddedCols(shape.cols)},
                          columns);
      kernels::MatMul(weights.View(),
                      {.packed = columns,
                       .tokens = some,
                       .row_begin = 0,
                       .row_end = shape.rows,
                       .col_begin = 0,
                       .col_end = shape.cols,
                       .sums = &sums[t * shape.rows],
                       .sums_stride = shape.rows},
                      scratch.front().bytes);
    }
    benchmark::DoNotOptimize(sums.data());
  }
  CountMacs(state, shape.Macs());
}

void DenseF16(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  const Shape shape(state);
  std::vector<std::uint16_t> weights(shape.rows * shape.cols);
  std::mt19937 random(1);
  for (std::uint16_t& weight : weights) {
    weight = packing::F32ToF16(static_cast<float>(random() % 3) - 1.0F);
  }
  const std::vector<float> x = RandomFloats(shape.cols * shape.tokens);
  std::vector<float> y(shape.rows * shape.tokens);
  std::vector<Line> scratch = AlignedBytes(kernels::kDenseScratchBytes);
  while (state.KeepRunning()) {
    kernels::DenseMatMul({kernels::DenseType::kF16,
                          reinterpret_cast<const std::uint8_t*>(weights.data()),
                          shape.rows, shape.cols},
                         {.x = x.data(),
                          .x_stride = shape.cols,
                          .tokens = shape.tokens,
                          .row_begin = 0,
                          .row_end = shape.rows,
                          .y = y.data(),
                          .y_stride = shape.rows},
                         scratch.front().bytes);
    benchmark::DoNotOptimize(y.data());
  }
  CountMacs(state, shape.Macs());
}

using Run = void (*)(benchmark::State&, const std::string&);

void Register(const char* name, const std::string& target, Run run,
              const std::vector<std::int64_t>& args) {
  benchmark::RegisterBenchmark((name + ("/" + target)).c_str(), run, target)
      ->Args(args)
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  using tern::bench::Register;
  benchmark::Initialize(&argc, argv);
  for (const std::string& target : tern::kernels::SupportedTargets()) {
    // In the caches, from memory; and several tokens.
    for (const std::int64_t rows : {6912, 69120}) {
      const std::vector<std::int64_t> args = {rows, 2560, 1};
      Register("FloatMatVec", target, tern::bench::FloatMatVec, args);
      Register("MatVec", target, tern::bench::MatVec, args);
      Register("DenseF16", target, tern::bench::DenseF16, args);
    }
    for (const std::int64_t tokens : {8, 64}) {
      const std::vector<std::int64_t> args = {6912, 2560, tokens};
      Register("FloatMatVec", target, tern::bench::FloatMatVec, args);
      Register("FloatMatMul", target, tern::bench::FloatMatMul, args);
      Register("MatMul", target, tern::bench::MatMul, args);
      Register("DenseF16", target, tern::bench::DenseF16, args);
    }
  }
  benchmark::RunSpecifiedBenchmarks();
}
