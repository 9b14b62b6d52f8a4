// One token through a ternary layer whose weights come from memory, beside the
// two things that bound it: reading the same bytes, and the kernel on weights
// that lie in the caches.  All three run in turn in every iteration, on the
// same threads and the same pages; `of_bound` is the rate over the lesser of
// the two bounds. Arguments: columns, threads.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/in_turn.h"
#include "bench/ternary_weights.h"
#include "packing/tiles.h"
#include "runtime/forward/linear.h"
#include "runtime/parallel.h"
#include "runtime/weights.h"
#include "ternary_kernels/matvec.h"
#include "ternary_kernels/targets.h"

namespace tern::bench {
namespace {

// Eight times the last-level cache of a machine with 32 MiB of it.
constexpr std::size_t kMemoryBytes = std::size_t{256} << 20U;
// Rows that stay in a second-level cache of 1 MiB: 160 KiB of 2560 columns, 432
// of 6912.
constexpr std::size_t kCacheRows = 4 * packing::kTileRows;

// A layer of about kMemoryBytes of random codes.
Linear RandomLayer(std::size_t cols) {
  Linear layer;
  layer.cols = cols;
  layer.rows =
      kMemoryBytes / packing::TilesBytes(kCacheRows, cols) * kCacheRows;
  layer.is_ternary = true;
  layer.ternary.scales = {1.0F};
  layer.ternary.tiles =
      WeightBytes(packing::TilesBytes(layer.rows, layer.cols));
  std::minstd_rand random(1);
  std::uint8_t* tiles = layer.ternary.tiles.data();
  for (std::size_t i = 0; i < layer.ternary.tiles.size(); ++i) {
    const auto r = static_cast<unsigned>(random());
    tiles[i] = static_cast<std::uint8_t>(r % 3 | r / 3 % 3 << 2 |
                                         r / 9 % 3 << 4 | r / 27 % 3 << 6);
  }
  return layer;
}

class Product {
 public:
  Product(std::size_t cols, std::size_t threads)
      : layer_(RandomLayer(cols)),
        x_(RandomFloats(cols)),
        y_(layer_.rows),
        scratch_({.tokens = 1,
                  .cols = cols,
                  .rows = layer_.rows,
                  .threads = threads},
                 InputType::kInt8) {}

  void Run(Team& team) {
    const Projection projection{&layer_, y_.data()};
    Project({&projection, 1}, x_.data(), 1, scratch_, team);
  }
  // The kernel alone, on the first rows again and again: as many as there are.
  void RunFromCache(Team& team) {
    std::vector<std::int8_t> q = RandomActivations(layer_.cols);
    std::vector<Line> tables =
        AlignedBytes(kernels::NibbleTableBytes(layer_.cols));
    kernels::BuildNibbleTables(q.data(), layer_.cols, tables.front().bytes);
    ParallelFor(team, layer_.rows / kCacheRows, 1,
                [&](std::size_t begin, std::size_t end, std::size_t thread) {
                  std::vector<std::int32_t> sums((thread + 1) * kCacheRows);
                  for (; begin < end; ++begin) {
                    kernels::MatVec(layer_.View(), tables.front().bytes,
                                    thread * kCacheRows,
                                    (thread + 1) * kCacheRows, 0, layer_.cols,
                                    sums.data());
                    benchmark::DoNotOptimize(sums.data());
                  }
                });
  }
  [[nodiscard]] const WeightBytes& Bytes() const {
    return layer_.ternary.tiles;
  }

 private:
  Linear layer_;
  std::vector<float> x_;
  std::vector<float> y_;
  LinearScratch scratch_;
};

void Decode(benchmark::State& state, const std::string& target) {
  kernels::ForceTarget(target);
  const auto cols = static_cast<std::size_t>(state.range(0));
  Team team(static_cast<int>(state.range(1)));
  Product product(cols, team.size());
  const WeightBytes& bytes = product.Bytes();
  const double work = static_cast<double>(bytes.size()) / 1e9;
  const std::vector<double> seconds =
      RunInTurn(state, work, "GB/s",
                {{"memory", [&] { product.Run(team); }},
                 {"read", [&] { ReadAll(bytes.data(), bytes.size(), team); }},
                 {"cache", [&] { product.RunFromCache(team); }}});
  state.counters["of_bound"] = std::max(seconds[1], seconds[2]) / seconds[0];
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  for (const std::string& target : tern::kernels::SupportedTargets()) {
    auto* decode = benchmark::RegisterBenchmark(("Decode/" + target).c_str(),
                                                tern::bench::Decode, target)
                       ->UseManualTime()
                       ->Unit(benchmark::kMillisecond);
    for (const int threads : {1, 2}) {
      for (const int cols : {2560, 6912}) decode->Args({cols, threads});
    }
  }
  benchmark::RunSpecifiedBenchmarks();
}
