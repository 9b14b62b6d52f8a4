// Random tiles, activations and floats, and what else the kernels' benchmarks
// share.
#ifndef TERN_BENCH_TERNARY_WEIGHTS_H_
#define TERN_BENCH_TERNARY_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "packing/tiles.h"
#include "ternary_kernels/ternary_view.h"

namespace tern::bench {

struct alignas(64) Line {
  std::uint8_t bytes[64];
};

inline std::vector<Line> AlignedBytes(std::size_t size) {
  return std::vector<Line>((size + sizeof(Line) - 1) / sizeof(Line));
}

class TernaryWeights {
 public:
  TernaryWeights(std::size_t rows, std::size_t cols)
      : tiles_(AlignedBytes(packing::TilesBytes(rows, cols))),
        rows_(rows),
        cols_(cols) {
    std::mt19937 random(1);
    for (Line& tile : tiles_) {
      for (std::uint8_t& byte : tile.bytes) {
        for (unsigned shift = 0; shift < 8; shift += 2) {
          byte = static_cast<std::uint8_t>(byte | random() % 3 << shift);
        }
      }
    }
  }
  [[nodiscard]] kernels::TernaryView View() const {
    return {tiles_.front().bytes, rows_, cols_};
  }

 private:
  std::vector<Line> tiles_;
  std::size_t rows_;
  std::size_t cols_;
};

inline std::vector<std::int8_t> RandomActivations(std::size_t size) {
  std::mt19937 random(2);
  std::vector<std::int8_t> x(size);
  for (std::int8_t& value : x) {
    value = static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
  }
  return x;
}

inline std::vector<float> RandomFloats(std::size_t size, unsigned seed = 3) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(size);
  for (float& value : x) value = normal(random);
  return x;
}

// For what is done to one token: the widths of a layer of 2B4T.
inline void RegisterWidths(const char* name, const std::string& target,
                           void (*run)(benchmark::State&, const std::string&)) {
  benchmark::RegisterBenchmark((name + ("/" + target)).c_str(), run, target)
      ->Arg(2560)
      ->Arg(6912);
}

// A MAC is one weight meeting one activation.
inline void CountMacs(benchmark::State& state, double macs_an_iteration) {
  state.counters["GMAC/s"] = benchmark::Counter(
      macs_an_iteration / 1e9, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace tern::bench

#endif  // TERN_BENCH_TERNARY_WEIGHTS_H_
