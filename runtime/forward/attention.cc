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

// One run in one layer.
struct AttentionChunk {
  const KvCache* cache = nullptr;
  std::size_t layer = 0;
  const float* query = nullptr;  // [tokens][heads][head_dim]
  std::size_t tokens = 0;
  std::size_t position = 0;
  float* out = nullptr;  // [tokens][heads][head_dim]
};

// `first` tokens of the batch come before the run.
AttentionChunk Chunk(const AttentionBatch& batch, const TokenRun& run,
                     std::size_t first, const AttentionShape& shape) {
  const std::size_t offset = first * shape.heads * shape.head_dim;
  return {.cache = run.cache,
          .layer = batch.layer,
          .query = batch.query + offset,
          .tokens = run.tokens,
          .position = run.position,
          .out = batch.out + offset};
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

// Item `item` of a chunk's heads and its `tiles` tiles of tokens, over the
// whole of its context.
void AttendTile(const AttentionChunk& chunk, std::size_t tiles,
                std::size_t item, AttentionScratch& scratch,
                std::size_t thread) {
  // A head's tiles one after another, while its cache is in the CPU's; the long
  // ones first.
  const std::size_t head = item / tiles;
  const std::size_t t = tiles - 1 - item % tiles;
  kernels::Attend(chunk.cache->Head(chunk.layer, head),
                  Tile(chunk, scratch.shape, head, chunk.tokens * t / tiles,
                       chunk.tokens * (t + 1) / tiles),
                  scratch.thread.data() + thread * scratch.thread_size);
}

// A tile and a head at a time, of all runs.
void AttendInTiles(const AttentionBatch& batch, AttentionScratch& scratch,
                   Team& team) {
  const AttentionShape& shape = scratch.shape;
  // Smaller tiles only where there would be too few for the threads.
  const std::size_t wanted = std::max<std::size_t>(1, 4 * team.size());
  const std::size_t even = TokensOf(batch.runs) * shape.kv_heads / wanted;
  const std::size_t most = std::clamp<std::size_t>(even, 1, shape.TileTokens());
  const auto tiles_of = [most](const TokenRun& run) {
    return (run.tokens + most - 1) / most;
  };
  std::size_t items = 0;
  for (const TokenRun& run : batch.runs) {
    items += shape.kv_heads * tiles_of(run);
  }
  ParallelForEach(team, items, [&](std::size_t item, std::size_t thread) {
    std::size_t first = 0;
    for (const TokenRun& run : batch.runs) {
      const std::size_t tiles = tiles_of(run);
      if (item < shape.kv_heads * tiles) {
        AttendTile(Chunk(batch, run, first, shape), tiles, item, scratch,
                   thread);
        return;
      }
      item -= shape.kv_heads * tiles;
      first += run.tokens;
    }
  });
}

// A part of a head's context at a time.
void AttendInParts(const AttentionChunk& chunk, AttentionScratch& scratch,
                   Team& team) {
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
                          chunk.cache->Head(chunk.layer, head), tile(head),
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

bool CutsContext(const TokenRun& run, const AttentionShape& shape) {
  return run.tokens <= shape.TileTokens() &&
         run.position + run.tokens > kernels::kPartPositions;
}

// Whether some run's context must be cut, to give all threads work.
bool CutsContexts(const AttentionBatch& batch, const AttentionShape& shape,
                  const Team& team) {
  // With several runs there are mostly heads enough for all threads.
  const bool enough = batch.runs.size() > 1 &&
                      TokensOf(batch.runs) * shape.kv_heads >= 4 * team.size();
  return !enough && shape.CutsContexts() &&
         std::any_of(
             batch.runs.begin(), batch.runs.end(),
             [&](const TokenRun& run) { return CutsContext(run, shape); });
}

// Runs of one token: whoever stores a head's key attends to it, with its
// memory, and that of the query, in the caches.  The next head's is asked for
// meanwhile.
void StoreAndAttendHeads(const AttentionBatch& batch, const StoreKey& store,
                         AttentionScratch& scratch, Team& team) {
  const std::size_t heads = scratch.shape.kv_heads;
  const auto prefetch = [&](std::size_t item) {
    const TokenRun& run = batch.runs[item / heads];
    run.cache->Prefetch(batch.layer, item % heads, run.position);
  };
  ParallelFor(team, batch.runs.size() * heads, 1,
              [&](std::size_t begin, std::size_t end, std::size_t thread) {
                prefetch(begin);
                for (std::size_t i = begin; i < end; ++i) {
                  if (i + 1 < end) prefetch(i + 1);
                  const std::size_t token = i / heads;
                  store(token, i % heads);
                  AttendTile(
                      Chunk(batch, batch.runs[token], token, scratch.shape), 1,
                      i % heads, scratch, thread);
                }
              });
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

void StoreAndAttend(const AttentionBatch& batch, const StoreKey& store,
                    AttentionScratch& scratch, Team& team) {
  const std::size_t kv_heads = scratch.shape.kv_heads;
  const std::size_t tokens = TokensOf(batch.runs);
  if (tokens == batch.runs.size() &&
      !CutsContexts(batch, scratch.shape, team)) {
    StoreAndAttendHeads(batch, store, scratch, team);
    return;
  }
  ParallelFor(team, tokens * kv_heads, 1,
              [&](std::size_t begin, std::size_t end, std::size_t) {
                for (std::size_t i = begin; i < end; ++i) {
                  store(i / kv_heads, i % kv_heads);
                }
              });
  AttendTokens(batch, scratch, team);
}

void AttendTokens(const AttentionBatch& batch, AttentionScratch& scratch,
                  Team& team) {
  const AttentionShape& shape = scratch.shape;
  if (!CutsContexts(batch, shape, team)) {
    AttendInTiles(batch, scratch, team);
    return;
  }
  std::size_t first = 0;
  for (const TokenRun& run : batch.runs) {
    const AttentionChunk chunk = Chunk(batch, run, first, shape);
    first += run.tokens;
    if (CutsContext(run, shape)) {
      AttendInParts(chunk, scratch, team);
    } else {
      AttendInTiles({.layer = batch.layer,
                     .runs = {&run, 1},
                     .query = chunk.query,
                     .out = chunk.out},
                    scratch, team);
    }
  }
}

}  // namespace tern
