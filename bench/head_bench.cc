// The output head of BitNet b1.58 2B4T, 128256 x 2560 of normal random numbers
// (the hardest case for the screen), from memory.  For one token: as stored in
// f16, as int8 rows, and screened for the largest logit and for the 40 largest;
// `bytes` is what a product reads.  For several (F16Texts, RoundedTexts,
// ScreenedTexts; the second argument is how many): as stored, rounded while it
// is read, and screened in one reading; `refined` is how many rows of the head
// were computed for a token.
// Run with --benchmark_repetitions=5
// --benchmark_enable_random_interleaving so that a change of the machine's
// speed meets all alike.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "packing/half.h"
#include "runtime/aligned_buffer.h"
#include "runtime/head/int8_rows.h"
#include "runtime/head/rounded_rows.h"
#include "runtime/head/screened.h"
#include "runtime/head/screened_texts.h"
#include "runtime/parallel.h"
#include "ternary_kernels/dense.h"
#include "ternary_kernels/targets.h"

namespace tern::bench {
namespace {

constexpr std::size_t kRows = 128256;
constexpr std::size_t kCols = 2560;
constexpr std::size_t kMostTexts = 64;

// Drawn from 65536 normal numbers, which is quick enough for 328 million.
void FillNormal(std::uint16_t* out, std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0.0F, 0.02F);
  std::vector<std::uint16_t> numbers(65536);
  for (std::uint16_t& n : numbers) n = packing::F32ToF16(normal(random));
  for (std::size_t i = 0; i < size; i += 4) {
    const std::uint64_t bits = random();
    for (std::size_t j = 0; j < 4; ++j) {
      out[i + j] = numbers[bits >> (16 * j) & 0xFFFFU];
    }
  }
}

struct Heads {
  Heads() : stored(kRows * kCols, Pages::kHuge) {
    Team team(2);
    ParallelFor(team, kRows, 64,
                [&](std::size_t begin, std::size_t end, std::size_t) {
                  FillNormal(stored.data() + begin * kCols,
                             (end - begin) * kCols, begin);
                });
    int8 = MakeInt8Rows(View(), team);
    screen = MakeScreen(View(), team);
    rounded = MakeRoundedRows(View(), team);
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (float& v : x) v = normal(random);
  }
  [[nodiscard]] kernels::DenseView View() const {
    return {kernels::DenseType::kF16,
            reinterpret_cast<const std::uint8_t*>(stored.data()), kRows, kCols};
  }

  AlignedBuffer<std::uint16_t> stored;
  Int8Rows int8;
  ScreenRows screen;
  RoundedRows rounded;
  std::vector<float> x = std::vector<float>(kMostTexts * kCols);
  std::vector<float> logits = std::vector<float>(kMostTexts * kRows);
};
Heads& TheHeads() {
  static Heads heads;
  return heads;
}

void Count(benchmark::State& state, double bytes) {
  state.counters["bytes"] = bytes;
  state.counters["read"] =
      benchmark::Counter(bytes, benchmark::Counter::kIsIterationInvariantRate);
}

void Stored(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  Heads& heads = TheHeads();
  Team team(static_cast<int>(state.range(0)));
  while (state.KeepRunning()) {
    ParallelFor(team, kRows, 32,
                [&](std::size_t begin, std::size_t end, std::size_t) {
                  kernels::DenseMatMul(heads.View(),
                                       {heads.x.data(), kCols, 1, begin, end,
                                        heads.logits.data(), kRows},
                                       nullptr);
                });
  }
  Count(state, static_cast<double>(heads.stored.bytes()));
}

void Q8(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  Heads& heads = TheHeads();
  Team team(static_cast<int>(state.range(0)));
  Int8RowsScratch scratch(1, kCols);
  while (state.KeepRunning()) {
    Int8RowsProduct(heads.int8, heads.x.data(), 1, scratch, heads.logits.data(),
                    team);
  }
  Count(state, static_cast<double>(heads.int8.bytes()));
}

void Screened(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  Heads& heads = TheHeads();
  Team team(static_cast<int>(state.range(0)));
  ScreenScratch scratch(kRows, kCols);
  const HeadDemand demand{.rows = kRows,
                          .best = static_cast<std::size_t>(state.range(1)),
                          .always = {}};
  ScreenedRows read;
  while (state.KeepRunning()) {
    read = ScreenedLogits({heads.screen, heads.View()}, heads.x.data(), demand,
                          scratch, heads.logits.data(), team)
               .value_or(ScreenedRows{kRows, kRows});
  }
  state.counters["fine"] = static_cast<double>(read.fine);
  state.counters["refined"] = static_cast<double>(read.refined);
  Count(state,
        static_cast<double>(ScreenRows::FirstBytes(kRows, kCols) +
                            read.fine * ScreenRows::FineRowBytes(kCols) +
                            read.refined * kCols * sizeof(std::uint16_t)));
}

void F16Texts(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  Heads& heads = TheHeads();
  Team team(static_cast<int>(state.range(0)));
  const auto texts = static_cast<std::size_t>(state.range(1));
  std::vector<AlignedBuffer<std::uint8_t>> scratch;
  for (std::size_t i = 0; i < team.size(); ++i) {
    scratch.emplace_back(kernels::kDenseScratchBytes);
  }
  while (state.KeepRunning()) {
    ParallelFor(team, kRows, kernels::kDensePanelRows,
                [&](std::size_t begin, std::size_t end, std::size_t thread) {
                  kernels::DenseMatMul(heads.View(),
                                       {heads.x.data(), kCols, texts, begin,
                                        end, heads.logits.data(), kRows},
                                       scratch[thread].data());
                });
  }
}

void TextsOf(benchmark::State& state, const std::string& target,
             const ByteHead& head) {
  kernels::ForceTarget(target);
  Heads& heads = TheHeads();
  Team team(static_cast<int>(state.range(0)));
  const auto texts = static_cast<std::size_t>(state.range(1));
  ScreenTextsScratch scratch(kRows, kCols, texts, team.size());
  const std::vector<HeadDemand> demands(
      texts, {.rows = kRows,
              .best = static_cast<std::size_t>(state.range(2)),
              .always = {}});
  std::size_t refined = 0;
  while (state.KeepRunning()) {
    refined = ScreenedTexts(
        head, {heads.x.data(), demands, heads.logits.data(), kRows}, scratch,
        team);
  }
  state.counters["refined"] =
      static_cast<double>(refined) / static_cast<double>(texts);
}

void ScreenedTextsOf(benchmark::State& state, const std::string& target) {
  const Heads& heads = TheHeads();
  TextsOf(state, target, MakeByteHead(heads.screen, heads.View()));
}

void RoundedTexts(benchmark::State& state, const std::string& target) {
  const Heads& heads = TheHeads();
  TextsOf(state, target, MakeByteHead(heads.rounded, heads.View()));
}

void Register(const std::string& target) {
  const auto add = [&](const std::string& name, auto function,
                       const std::vector<std::vector<std::int64_t>>& args) {
    auto* bench = benchmark::RegisterBenchmark(
        (name + "/" + target).c_str(),
        [function, target](auto& state) { function(state, target); });
    for (const std::vector<std::int64_t>& a : args) bench->Args(a);
    bench->Unit(benchmark::kMillisecond)->UseRealTime();
  };
  add("F16", Stored, {{1}, {2}});
  add("Q8", Q8, {{1}, {2}});
  add("Screened", Screened, {{1, 1}, {2, 1}, {1, 40}, {2, 40}});
  add("F16Texts", F16Texts, {{2, 2}, {2, 4}, {2, 6}, {2, 8}, {2, 16}, {2, 64}});
  add("RoundedTexts", RoundedTexts,
      {{2, 2, 40},
       {2, 4, 40},
       {2, 6, 40},
       {2, 8, 40},
       {2, 16, 1},
       {2, 16, 40},
       {2, 64, 40}});
  add("ScreenedTexts", ScreenedTextsOf,
      {{2, 1, 40},
       {2, 2, 40},
       {2, 4, 40},
       {2, 16, 1},
       {2, 16, 40},
       {2, 64, 40}});
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  for (const std::string& target : tern::kernels::SupportedTargets()) {
    tern::bench::Register(target);
  }
  benchmark::RunSpecifiedBenchmarks();
}
