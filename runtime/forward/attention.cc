#include "runtime/forward/attention.h"

#include <algorithm>
#include <cmath>

#include "ternary_kernels/attention.h"

namespace tern {
namespace {

std::size_t ThreadSize(const AttentionShape& s) {
  constexpr std::size_t kLine = kCacheLine / sizeof(float);
  const std::size_t size =
      kernels::AttentionScratchSize(s.TileTokens(), s.Group(), s.head_dim);
  return (size + kLine - 1) / kLine * kLine;
}

// Floats of the state of a part of the largest tile.
std::size_t StateSize(const AttentionShape& s) {
  return kernels::PartStateSize(s.TileTokens(), s.Group(), s.head_dim);
}

std::size_t StatesSize(const AttentionShape& s) {
  return s.CutsContexts() ? 4 * s.threads * StateSize(s) : 0;
}

std::size_t TotalsSize(const AttentionShape& s) {
  return s.CutsContexts() ? s.kv_heads * StateSize(s) : 0;
}

// Tokens [begin, end) of the chunk and one key/value head.
kernels::AttentionTile Tile(const AttentionChunk& chunk,
                            const AttentionShape& shape, std::size_t head,
                            std::size_t begin, std::size_t end) {
  kernels::AttentionTile tile;
  tile.stride = shape.heads * shape.head_dim;
  const std::size_t first =
      begin * tile.stride + head * shape.Group() * shape.head_dim;
  tile.query = chunk.query + first;
  tile.out = chunk.out + first;
  tile.tokens = end - begin;
  tile.group = shape.Group();
  tile.position = chunk.position + begin;
  tile.scale = 1.0F / std::sqrt(static_cast<float>(shape.head_dim));
  return tile;
}

// A tile and a head at a time, each over the whole of its context.
void AttendInTiles(const KvCache& cache, const AttentionChunk& chunk,
                   AttentionScratch& scratch, Team& team) {
  const AttentionShape& shape = scratch.shape;
  // Smaller tiles only where there would be too few for the threads.
  const std::size_t even = chunk.tokens * shape.kv_heads / (4 * team.size());
  const std::size_t most = std::clamp<std::size_t>(even, 1, shape.TileTokens());
  const std::size_t tiles = (chunk.tokens + most - 1) / most;
  ParallelForEach(
      team, shape.kv_heads * tiles, [&](std::size_t item, std::size_t thread) {
        // A head's tiles one after another, while its cache is in the CPU's;
        // the long ones first.
        const std::size_t head = item / tiles;
        const std::size_t t = tiles - 1 - item % tiles;
        kernels::Attend(cache.Head(chunk.layer, head),
                        Tile(chunk, shape, head, chunk.tokens * t / tiles,
                             chunk.tokens * (t + 1) / tiles),
                        scratch.thread.data() + thread * scratch.thread_size);
      });
}

// A part of a head's context at a time.
void AttendInParts(const KvCache& cache, const AttentionChunk& chunk,
                   AttentionScratch& scratch, Team& team) {
  const AttentionShape& shape = scratch.shape;
  const auto tile = [&](std::size_t head) {
    return Tile(chunk, shape, head, 0, chunk.tokens);
  };
  const std::size_t size =
      kernels::PartStateSize(chunk.tokens, shape.Group(), shape.head_dim);
  const std::size_t wave = scratch.states.size() / (shape.kv_heads * size);
  const std::size_t parts = kernels::PartsSeen(tile(0));
  for (std::size_t first = 0; first < parts; first += wave) {
    const std::size_t count = std::min(wave, parts - first);
    ParallelForEach(team, shape.kv_heads * count,
                    [&](std::size_t item, std::size_t thread) {
                      const std::size_t head = item / count;
                      kernels::AttendPart(
                          cache.Head(chunk.layer, head), tile(head),
                          first + item % count,
                          scratch.thread.data() + thread * scratch.thread_size,
                          scratch.states.data() + item * size);
                    });
    ParallelForEach(team, shape.kv_heads, [&](std::size_t head, std::size_t) {
      kernels::CombineParts(shape.head_dim, tile(head),
                            scratch.states.data() + head * count * size, first,
                            count, scratch.totals.data() + head * size);
    });
  }
}

}  // namespace

std::size_t AttentionShape::TileTokens() const {
  return std::min(tokens, kernels::MostTileTokens(Group()));
}

AttentionScratch::AttentionScratch(const AttentionShape& largest)
    : shape(largest),
      thread_size(ThreadSize(largest)),
      thread(largest.threads * thread_size),
      states(StatesSize(largest)),
      totals(TotalsSize(largest)) {}

std::uint64_t AttentionScratch::Bytes(const AttentionShape& shape) {
  const std::uint64_t floats =
      shape.threads * ThreadSize(shape) + StatesSize(shape) + TotalsSize(shape);
  return floats * sizeof(float);
}

void AttendTokens(const KvCache& cache, const AttentionChunk& chunk,
                  AttentionScratch& scratch, Team& team) {
  const bool few = chunk.tokens <= scratch.shape.TileTokens();
  const bool long_context =
      chunk.position + chunk.tokens > kernels::kPartPositions;
  if (few && long_context && scratch.shape.CutsContexts()) {
    AttendInParts(cache, chunk, scratch, team);
  } else {
    AttendInTiles(cache, chunk, scratch, team);
  }
}

}  // namespace tern
