// Several tokens, on every instruction set of this machine, beside the
// yardstick (yardstick.h): rows, columns, tokens, threads.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/crew.h"
#include "bench/ternary_weights.h"
#include "bench/yardstick.h"
#include "packing/tiles.h"
#include "ternary_kernels/matmul.h"
#include "ternary_kernels/matvec.h"
#include "ternary_kernels/reference.h"
#include "ternary_kernels/targets.h"

namespace tern::bench {
namespace {

// What all of them compute: y [tokens][rows] = W x.
struct Problem {
  explicit Problem(const benchmark::State& state)
      : rows(static_cast<std::size_t>(state.range(0))),
        cols(static_cast<std::size_t>(state.range(1))),
        tokens(static_cast<std::size_t>(state.range(2))),
        threads(static_cast<std::size_t>(state.range(3))),
        weights(rows, cols),
        x(RandomActivations(tokens * cols)),
        y(tokens * rows) {}

  // 64 rows are those of the plain loops.
  [[nodiscard]] bool IsRight() const {
    std::vector<std::int32_t> expected(rows);
    for (std::size_t t = 0; t < tokens; ++t) {
      for (std::size_t i = 0; i < 64; ++i) {
        const std::size_t r = i * (rows - 1) / 63;
        kernels::reference::MatVec(weights.View(), &x[t * cols], r, r + 1, 0,
                                   cols, expected.data());
        if (y[t * rows + r] != expected[r]) return false;
      }
    }
    return true;
  }

  std::size_t rows;
  std::size_t cols;
  std::size_t tokens;
  std::size_t threads;
  TernaryWeights weights;
  std::vector<std::int8_t> x;  // [tokens][cols]
  std::vector<std::int32_t> y;
};

// Times work(member) on all threads of the problem.
template <class Work>
void Time(benchmark::State& state, const Problem& problem, const Work& work) {
  Crew crew(problem.threads, work);
  while (state.KeepRunning()) {
    crew.Run();
    benchmark::DoNotOptimize(problem.y.data());
    benchmark::ClobberMemory();
  }
  if (!problem.IsRight()) state.SkipWithError("differs from the plain loops");
  CountMacs(state, static_cast<double>(problem.rows) *
                       static_cast<double>(problem.cols) *
                       static_cast<double>(problem.tokens));
}

// The rows of one member, whole tiles of them.
std::pair<std::size_t, std::size_t> Share(const Problem& p,
                                          std::size_t member) {
  const std::size_t tiles = packing::PaddedRows(p.rows) / packing::kTileRows;
  const auto row = [&](std::size_t i) {
    return std::min(tiles * i / p.threads * packing::kTileRows, p.rows);
  };
  return {row(member), row(member + 1)};
}

// One member's working memory.
struct Scratch {
  explicit Scratch(const Problem& p)
      : matmul(AlignedBytes(kernels::MatMulScratchBytes(p.rows))),
        packed(AlignedBytes(
            kernels::PackedTokensBytes(p.cols, kernels::TokenTile()))) {}
  std::vector<Line> matmul;
  std::vector<Line> packed;
};

// One tile of tokens from token t on, and some rows.
void MatMulTile(Problem& p, std::size_t t,
                const std::pair<std::size_t, std::size_t>& rows,
                Scratch& scratch) {
  const std::size_t some = std::min(kernels::TokenTile(), p.tokens - t);
  auto* packed = reinterpret_cast<std::int8_t*>(scratch.packed.front().bytes);
  kernels::PackTokens({.x = &p.x[t * p.cols],
                       .x_stride = p.cols,
                       .tokens = some,
                       .cols = p.cols,
                       .col_begin = 0,
                       .col_end = packing::PaddedCols(p.cols)},
                      packed);
  kernels::MatMul(p.weights.View(),
                  {.packed = packed,
                   .tokens = some,
                   .row_begin = rows.first,
                   .row_end = rows.second,
                   .col_begin = 0,
                   .col_end = p.cols,
                   .sums = &p.y[t * p.rows],
                   .sums_stride = p.rows},
                  scratch.matmul.front().bytes);
}

// Threads take tiles of tokens in turn if all have the same number of them, and
// shares of the rows if not.
void MatMul(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  Problem p(state);
  const std::size_t tile = kernels::TokenTile();
  const bool by_tokens = (p.tokens + tile - 1) / tile % p.threads == 0;
  std::vector<Scratch> scratch(p.threads, Scratch(p));
  Time(state, p, [&](std::size_t member) {
    const std::size_t first = by_tokens ? member * tile : 0;
    const std::size_t step = by_tokens ? p.threads * tile : tile;
    const auto rows =
        by_tokens ? std::pair(std::size_t{0}, p.rows) : Share(p, member);
    for (std::size_t t = first; t < p.tokens; t += step) {
      MatMulTile(p, t, rows, scratch[member]);
    }
  });
}

// What the forward pass does with one token.
void MatVec(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  Problem p(state);
  std::vector<Line> tables = AlignedBytes(kernels::NibbleTableBytes(p.cols));
  kernels::BuildNibbleTables(p.x.data(), p.cols, tables.front().bytes);
  Time(state, p, [&](std::size_t member) {
    const auto [begin, end] = Share(p, member);
    kernels::MatVec(p.weights.View(), tables.front().bytes, begin, end, 0,
                    p.cols, p.y.data());
  });
}

void MultiplyAdd(benchmark::State& state) {
  Problem p(state);
  const Yardstick yardstick(p.weights.View());
  Time(state, p, [&](std::size_t member) {
    const auto [begin, end] = Share(p, member);
    yardstick.MatMul(p.x.data(), p.tokens, begin, end, p.y.data());
  });
}

std::vector<std::vector<std::int64_t>> Problems() {
  std::vector<std::vector<std::int64_t>> problems;
  for (const std::int64_t threads : {1, 2}) {
    for (const std::int64_t tokens : {1, 4, 8, 10, 16, 32, 64, 128, 256, 512}) {
      problems.push_back({6912, 2560, tokens, threads});
    }
    // Weights that no cache holds: what a pass for 16 texts meets.
    problems.push_back({55296, 2560, 16, threads});
    for (const std::int64_t tokens : {32, 256}) {
      problems.push_back({2560, 6912, tokens, threads});
      problems.push_back({2560, 2560, tokens, threads});
    }
  }
  return problems;
}

using Arguments = std::vector<std::int64_t>;

template <class... Extra>
void Register(const std::string& name, const Arguments& args, Extra... run) {
  benchmark::RegisterBenchmark(name.c_str(), run...)
      ->Args(args)
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

// Side by side what computes the same.
void RegisterAll() {
  for (const Arguments& args : Problems()) {
    if (HasYardstick()) Register("MultiplyAdd", args, MultiplyAdd);
    for (const std::string& target : kernels::SupportedTargets()) {
      if (args[2] == 1) Register("MatVec/" + target, args, MatVec, target);
      Register("MatMul/" + target, args, MatMul, target);
    }
  }
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  tern::bench::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
}
