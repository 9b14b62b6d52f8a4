#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <tern/cpu.h>
#include <tern/error.h>
#include <tern/random_model.h>

#include "packing/half.h"
#include "packing/tiles.h"
#include "runtime/checkpoint/config_limits.h"
#include "runtime/head/head.h"
#include "runtime/memory.h"
#include "runtime/parallel.h"
#include "runtime/weights.h"

namespace tern {
namespace {

using packing::kTileBytes;
using packing::kTileCols;
using packing::kTileRows;

// Rows that a thread fills at a time, with a generator of their own; a multiple
// of a tile's.
constexpr std::size_t kFillRows = 512;

// SplitMix64 (Steele, Lea and Flood 2014): 64 random bits in a nanosecond.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t operator()() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }

 private:
  std::uint64_t state_;
};

constexpr std::uint8_t kZeroCodes = 0x55;  // code 1, four times

// The 81 bytes of four codes 0, 1 or 2.
constexpr std::array<std::uint8_t, 81> TileBytes() {
  std::array<std::uint8_t, 81> bytes{};
  for (unsigned i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(i % 3 | i / 3 % 3 << 2U |
                                         i / 9 % 3 << 4U | i / 27 << 6U);
  }
  return bytes;
}

// One row of tiles, without regard to padding.  Each byte comes from 16 random
// bits, which leaves no code more than 0.1 % from a third.
void FillTileRow(Random& random, std::size_t groups, std::uint8_t* tiles) {
  static constexpr std::array<std::uint8_t, 81> kBytes = TileBytes();
  for (std::size_t i = 0; i < groups * kTileBytes; i += 4) {
    const std::uint64_t bits = random();
    for (unsigned j = 0; j < 4; ++j) {
      const std::uint64_t part = bits >> (16 * j) & 0xffffU;
      tiles[i + j] = kBytes[part * kBytes.size() >> 16U];
    }
  }
}

// Gives the padding of one row of tiles, of which `rows` are real, code 1.
void FillPadding(std::size_t rows, std::size_t cols, std::uint8_t* tiles) {
  const std::size_t groups = packing::PaddedCols(cols) / kTileCols;
  for (std::size_t g = 0; g < groups; ++g) {
    std::uint8_t* tile = tiles + g * kTileBytes;
    const std::size_t real =
        std::min(kTileCols, cols - std::min(cols, g * kTileCols));
    const unsigned mask = (1U << (2 * real)) - 1;
    if (real < kTileCols) {
      for (std::size_t r = 0; r < kTileRows; ++r) {
        tile[r] =
            static_cast<std::uint8_t>((tile[r] & mask) | (kZeroCodes & ~mask));
      }
    }
    if (rows < kTileRows) {
      std::memset(tile + rows, kZeroCodes, kTileRows - rows);
    }
  }
}

void FillTernary(Random& random, std::size_t row_begin, std::size_t row_end,
                 Linear& w) {
  const std::size_t groups = packing::PaddedCols(w.cols) / kTileCols;
  for (std::size_t r = row_begin; r < row_end; r += kTileRows) {
    std::uint8_t* tiles = w.ternary.tiles.data() + r * groups;
    FillTileRow(random, groups, tiles);
    FillPadding(std::min(kTileRows, row_end - r), w.cols, tiles);
  }
}

// Quantiles of the normal distribution at the middles of equal shares: drawing
// one of them at random is drawing from the distribution, out to 3.7 sigma.
constexpr std::size_t kQuantiles = 4096;

std::vector<float> NormalQuantiles() {
  std::vector<float> quantiles(kQuantiles);
  for (std::size_t i = 0; i < kQuantiles; ++i) {
    const double share = (static_cast<double>(i) + 0.5) / kQuantiles;
    double low = -5;
    double high = 5;
    for (int step = 0; step < 40; ++step) {
      const double z = (low + high) / 2;
      (std::erfc(-z / std::sqrt(2.0)) / 2 < share ? low : high) = z;
    }
    quantiles[i] = static_cast<float>(low);
  }
  return quantiles;
}

// An initialisation's usual deviation for embedding and head; 1 / sqrt(cols)
// elsewhere, which keeps variance.
void FillDense(Random& random, float deviation, std::size_t row_begin,
               std::size_t row_end, Linear& w) {
  static const std::vector<float> quantiles = NormalQuantiles();
  std::array<std::uint16_t, kQuantiles> values{};
  for (std::size_t i = 0; i < kQuantiles; ++i) {
    values[i] = packing::F32ToF16(quantiles[i] * deviation);
  }
  std::uint8_t* out = w.dense.data.data() + row_begin * w.cols * 2;
  const std::size_t count = (row_end - row_begin) * w.cols;
  for (std::size_t i = 0; i < count; i += 4) {
    const std::uint64_t bits = random();
    std::array<std::uint16_t, 4> four{};
    for (unsigned j = 0; j < 4; ++j) {
      four[j] = values[bits >> (16 * j) & (kQuantiles - 1)];
    }
    std::memcpy(out + 2 * i, four.data(),
                2 * std::min<std::size_t>(4, count - i));
  }
}

std::uint64_t LinearBytes(std::size_t rows, std::size_t cols,
                          WeightFormat format) {
  return format == WeightFormat::kTernary
             ? packing::TilesBytes(rows, cols)
             : kernels::DenseRowBytes(kernels::DenseType::kF16, cols) * rows;
}

// A matrix, not filled yet, in `data` of LinearBytes.
Linear Shaped(std::size_t rows, std::size_t cols, WeightFormat format,
              WeightBytes data) {
  Linear w;
  w.rows = rows;
  w.cols = cols;
  w.is_ternary = format == WeightFormat::kTernary;
  if (w.is_ternary) {
    // Two thirds of the weights are not zero.
    w.ternary.scales = {1.0F / std::sqrt(static_cast<float>(cols) * 2 / 3)};
    w.ternary.tiles = std::move(data);
  } else {
    w.dense.type = kernels::DenseType::kF16;
    w.dense.rows = rows;
    w.dense.cols = cols;
    w.dense.data = std::move(data);
  }
  return w;
}

// With memory of its own.
Linear Reserve(std::size_t rows, std::size_t cols, WeightFormat format) {
  return Shaped(rows, cols, format,
                WeightBytes(LinearBytes(rows, cols, format)));
}

WeightFormat HeadFormat(const ModelConfig& c) {
  return c.ternary_head ? WeightFormat::kTernary : WeightFormat::kF16;
}

LayerWeights ReserveLayer(const ModelConfig& c, WeightFormat format,
                          WeightArena& arena) {
  const std::size_t q = c.num_heads * c.head_dim;
  const std::size_t kv = c.num_kv_heads * c.head_dim;
  const auto ones = [](bool wanted, std::size_t size) {
    return std::vector<float>(wanted ? size : 0, 1.0F);
  };
  LayerWeights w;
  w.attn_norm = ones(true, c.hidden_size);
  w.ffn_norm = w.attn_norm;
  w.q_norm = ones(c.head_norms, c.head_dim);
  w.k_norm = w.q_norm;
  w.attn_sub_norm = ones(c.sub_norms, q);
  w.ffn_sub_norm = ones(c.sub_norms, c.ffn_size);
  const auto take = [&](std::size_t rows, std::size_t cols) {
    return Shaped(rows, cols, format,
                  arena.Take(LinearBytes(rows, cols, format)));
  };
  w.q = take(q, c.hidden_size);
  w.k = take(kv, c.hidden_size);
  w.v = take(kv, c.hidden_size);
  w.o = take(c.hidden_size, q);
  w.gate = take(c.ffn_size, c.hidden_size);
  w.up = take(c.ffn_size, c.hidden_size);
  w.down = take(c.hidden_size, c.ffn_size);
  for (Linear* linear : {&w.q, &w.k, &w.v, &w.o, &w.gate, &w.up, &w.down}) {
    linear->input_norm = ones(c.projection_norms, linear->cols);
  }
  return w;
}

// Some rows of one matrix.
struct FillJob {
  Linear* w;
  float deviation;  // of dense weights
  std::size_t row_begin;
};

std::vector<FillJob> FillJobs(Weights& weights) {
  std::vector<FillJob> jobs;
  const auto add = [&](Linear& w, float deviation) {
    for (std::size_t r = 0; r < w.rows; r += kFillRows) {
      jobs.push_back({&w, deviation, r});
    }
  };
  constexpr float kEmbeddingDeviation = 0.02F;
  add(weights.embedding, kEmbeddingDeviation);
  add(weights.head, kEmbeddingDeviation);
  for (LayerWeights& w : weights.layers) {
    for (Linear* linear : {&w.q, &w.k, &w.v, &w.o, &w.gate, &w.up, &w.down}) {
      add(*linear, 1.0F / std::sqrt(static_cast<float>(linear->cols)));
    }
  }
  return jobs;
}

void Fill(const std::vector<FillJob>& jobs, const RandomModelOptions& options,
          Team& team) {
  std::atomic<std::size_t> done = 0;
  ParallelForEach(team, jobs.size(), [&](std::size_t i, std::size_t t) {
    const FillJob& job = jobs[i];
    const std::size_t end = std::min(job.row_begin + kFillRows, job.w->rows);
    Random seeds(options.seed + i);
    Random random(seeds());
    if (job.w->is_ternary) {
      FillTernary(random, job.row_begin, end, *job.w);
    } else {
      FillDense(random, job.deviation, job.row_begin, end, *job.w);
    }
    ++done;
    if (t == 0 && options.progress) {
      options.progress(static_cast<double>(done) /
                       static_cast<double>(jobs.size()));
    }
  });
}

// Bytes of all layers' matrices.
std::uint64_t LayersBytes(const ModelConfig& c, WeightFormat format) {
  const std::size_t q = c.num_heads * c.head_dim;
  const std::size_t kv = c.num_kv_heads * c.head_dim;
  const auto piece = [&](std::size_t rows, std::size_t cols) {
    return WeightArena::PieceBytes(LinearBytes(rows, cols, format));
  };
  return c.num_layers *
         (piece(q, c.hidden_size) + 2 * piece(kv, c.hidden_size) +
          piece(c.hidden_size, q) + 2 * piece(c.ffn_size, c.hidden_size) +
          piece(c.hidden_size, c.ffn_size));
}

}  // namespace

std::uint64_t RandomModelBytes(const ModelConfig& c, WeightFormat format) {
  const std::uint64_t head =
      LinearBytes(c.vocab_size, c.hidden_size, HeadFormat(c));
  return LayersBytes(c, format) + (c.tied_head ? 1 : 2) * head;
}

std::shared_ptr<const Model> MakeRandomModel(
    const ModelConfig& config, const RandomModelOptions& options) {
  const bool ternary = options.format == WeightFormat::kTernary;
  const std::string origin = "random weights of shape " +
                             (config.name.empty() ? "unnamed" : config.name) +
                             (ternary ? ", ternary" : ", f16");
  checkpoint::CheckConfig(config, origin);
  const int num_threads =
      options.num_threads > 0 ? options.num_threads : UsableCores();
  const HeadForm head = ResolveHead(options.head, config.ternary_head,
                                    kernels::DenseType::kF16, origin);
  RequireMemory(RandomModelBytes(config, options.format) +
                    HeadFormBytes(head, config.vocab_size, config.hidden_size),
                origin, "use a smaller shape or a machine with more memory");
  auto weights = std::make_unique<Weights>();
  weights->output_norm.assign(config.hidden_size, 1.0F);
  weights->embedding =
      Reserve(config.vocab_size, config.hidden_size, HeadFormat(config));
  if (!config.tied_head) {
    weights->head =
        Reserve(config.vocab_size, config.hidden_size, HeadFormat(config));
  }
  weights->arena = WeightArena(LayersBytes(config, options.format));
  for (std::size_t i = 0; i < config.num_layers; ++i) {
    weights->layers.push_back(
        ReserveLayer(config, options.format, weights->arena));
  }
  Team team(num_threads);
  Fill(FillJobs(*weights), options, team);
  MakeHead(head, *weights, team);
  return Model::FromWeights(config, std::move(weights), origin);
}

}  // namespace tern
