// Attention of one layer of BitNet b1.58 2B4T (20 heads, 5 key/value heads,
// head_dim 128), one thread, on every instruction set of this machine: prefill
// of a whole context in chunks, and one token after a context.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/ternary_weights.h"
#include "ternary_kernels/attention.h"
#include "ternary_kernels/targets.h"

namespace tern::bench {
namespace {

constexpr std::size_t kHeadDim = 128;
constexpr std::size_t kKvHeads = 5;
constexpr std::size_t kGroup = 4;
constexpr std::size_t kStride = kKvHeads * kGroup * kHeadDim;

// The cache of several layers, so that one token's keys and values come from
// memory as they do in a model; layout and pages are KvCache's.
class Cache {
 public:
  Cache(kernels::CacheType type, std::size_t layers, std::size_t positions)
      : type_(type),
        block_bytes_(kernels::CacheBlockBytes(type, kHeadDim)),
        stride_(layers * kKvHeads * block_bytes_) {
    const std::size_t blocks =
        (positions + kernels::kBlockPositions - 1) / kernels::kBlockPositions;
    const std::size_t bytes =
        (blocks * stride_ + kernels::kCachePadding + kHugePage - 1) /
        kHugePage * kHugePage;
    bytes_.reset(
        static_cast<std::uint8_t*>(std::aligned_alloc(kHugePage, bytes)));
    (void)madvise(bytes_.get(), bytes, MADV_HUGEPAGE);
    const std::vector<float> rows = RandomFloats(1024 + 2 * kHeadDim);
    for (std::size_t head = 0; head < layers * kKvHeads; ++head) {
      for (std::size_t p = 0; p < positions; ++p) {
        const float* row = rows.data() + (head + 7 * p) % 1024;
        kernels::StorePosition(
            type, kHeadDim, p % kernels::kBlockPositions, row, row + kHeadDim,
            Block(head) + p / kernels::kBlockPositions * stride_);
      }
    }
  }
  [[nodiscard]] kernels::HeadCache Head(std::size_t head) {
    return {type_, kHeadDim, Block(head), stride_};
  }

 private:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20U;
  struct Free {
    void operator()(std::uint8_t* p) const { std::free(p); }
  };
  std::uint8_t* Block(std::size_t head) {
    return bytes_.get() + head * block_bytes_;
  }

  kernels::CacheType type_;
  std::size_t block_bytes_;
  std::size_t stride_;
  std::unique_ptr<std::uint8_t[], Free> bytes_;
};

kernels::AttentionTile Tile(const float* query, float* out, std::size_t head,
                            std::size_t tokens, std::size_t position) {
  return {.query = query + head * kGroup * kHeadDim,
          .out = out + head * kGroup * kHeadDim,
          .stride = kStride,
          .tokens = tokens,
          .group = kGroup,
          .position = position,
          .scale = 0.088F};
}

struct Buffers {
  explicit Buffers(std::size_t tokens)
      : query(RandomFloats(tokens * kStride)),
        out(tokens * kStride),
        scratch(AlignedBytes(
            kernels::AttentionScratchSize(kernels::MostTileTokens(kGroup),
                                          kGroup, kHeadDim) *
            sizeof(float))) {}
  float* Scratch() { return reinterpret_cast<float*>(scratch.front().bytes); }
  std::vector<float> query;
  std::vector<float> out;
  std::vector<Line> scratch;
};

// Two operations for each element of a key and of a value that a query meets.
void CountFlop(benchmark::State& state, double meetings) {
  state.counters["GFLOP/s"] =
      benchmark::Counter(4e-9 * kHeadDim * kKvHeads * kGroup * meetings,
                         benchmark::Counter::kIsIterationInvariantRate);
}

void Prefill(benchmark::State& state, const std::string& target,
             kernels::CacheType type) {
  kernels::ForceTarget(target);
  const auto tokens = static_cast<std::size_t>(state.range(0));
  Cache cache(type, 1, tokens);
  Buffers b(tokens);
  const std::size_t most = kernels::MostTileTokens(kGroup);
  while (state.KeepRunning()) {
    for (std::size_t head = 0; head < kKvHeads; ++head) {
      for (std::size_t t = 0; t < tokens; t += most) {
        kernels::Attend(
            cache.Head(head),
            Tile(b.query.data() + t * kStride, b.out.data() + t * kStride, head,
                 std::min(most, tokens - t), t),
            b.Scratch());
      }
    }
    benchmark::DoNotOptimize(b.out.data());
  }
  const auto n = static_cast<double>(tokens);
  CountFlop(state, n * (n + 1) / 2);
}

void Decode(benchmark::State& state, const std::string& target,
            kernels::CacheType type) {
  kernels::ForceTarget(target);
  const auto positions = static_cast<std::size_t>(state.range(0));
  // 256 MiB, as much as no cache of a CPU holds.
  const std::size_t layer_bytes = kernels::CacheBlockBytes(type, kHeadDim) *
                                  kKvHeads * positions /
                                  kernels::kBlockPositions;
  const std::size_t layers = (std::size_t{256} << 20U) / layer_bytes;
  Cache cache(type, layers, positions);
  Buffers b(1);
  std::size_t layer = 0;
  while (state.KeepRunning()) {
    for (std::size_t head = 0; head < kKvHeads; ++head) {
      kernels::Attend(
          cache.Head(layer * kKvHeads + head),
          Tile(b.query.data(), b.out.data(), head, 1, positions - 1),
          b.Scratch());
    }
    layer = (layer + 1) % layers;
    benchmark::DoNotOptimize(b.out.data());
  }
  CountFlop(state, static_cast<double>(positions));
  state.counters["GB/s"] =
      benchmark::Counter(1e-9 * static_cast<double>(layer_bytes),
                         benchmark::Counter::kIsIterationInvariantRate);
}

using Run = void (*)(benchmark::State&, const std::string&, kernels::CacheType);

void Register(const std::string& name, const std::string& target, Run run,
              const std::vector<std::int64_t>& positions) {
  struct {
    const char* name;
    kernels::CacheType type;
  } constexpr kTypes[] = {{"f32", kernels::CacheType::kF32},
                          {"f16", kernels::CacheType::kF16},
                          {"q8", kernels::CacheType::kQ8}};
  for (const auto& type : kTypes) {
    std::string full = name;
    full.append("/").append(type.name).append("/").append(target);
    // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks): the library's
    auto* bench =
        benchmark::RegisterBenchmark(full.c_str(), run, target, type.type);
    bench->Unit(benchmark::kMicrosecond);
    for (const std::int64_t p : positions) bench->Arg(p);
  }
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  for (const std::string& target : tern::kernels::SupportedTargets()) {
    tern::bench::Register("Prefill", target, tern::bench::Prefill, {512, 4096});
    tern::bench::Register("Decode", target, tern::bench::Decode,
                          {128, 4096, 16384});
  }
  benchmark::RunSpecifiedBenchmarks();
}
