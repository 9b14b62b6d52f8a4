#include "runtime/forward/transformer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "runtime/parallel.h"
#include "runtime/rope.h"
#include "ternary_kernels/elementwise.h"

namespace tern {
namespace {

std::size_t QuerySize(const ModelConfig& c) { return c.num_heads * c.head_dim; }
std::size_t KvSize(const ModelConfig& c) { return c.num_kv_heads * c.head_dim; }

LinearShape LargestLinear(const ModelConfig& c, std::size_t max_tokens,
                          int num_threads) {
  LinearShape shape;
  shape.tokens = max_tokens;
  shape.cols = std::max({c.hidden_size, QuerySize(c), c.ffn_size});
  shape.rows = shape.cols;
  shape.threads = static_cast<std::size_t>(num_threads);
  return shape;
}

// A ternary head, or a dense one.
LinearShape HeadShape(const ModelConfig& c, std::size_t max_tokens,
                      int num_threads) {
  LinearShape shape;
  shape.threads = static_cast<std::size_t>(num_threads);
  if (c.ternary_head) {
    shape.tokens = max_tokens;
    shape.cols = c.hidden_size;
    shape.rows = c.vocab_size;
  }
  return shape;
}

// Floats of inputs with norms of their own.
std::size_t NormedSize(const ModelConfig& c, std::size_t tokens) {
  if (!c.projection_norms) return 0;
  return tokens * std::max({c.hidden_size, QuerySize(c), c.ffn_size});
}

AttentionShape LargestAttention(const ModelConfig& c, std::size_t max_tokens,
                                int num_threads) {
  return {.tokens = max_tokens,
          .heads = c.num_heads,
          .kv_heads = c.num_kv_heads,
          .head_dim = c.head_dim,
          .threads = static_cast<std::size_t>(num_threads)};
}

// An RMSNorm of its own for each row of x [tokens][weight.size()].
void NormRows(const ForwardPass& pass, const float* x,
              const std::vector<float>& weight, float eps, std::size_t tokens,
              float* out) {
  const std::size_t size = weight.size();
  ParallelFor(pass.team, tokens, 1,
              [&](std::size_t begin, std::size_t end, std::size_t) {
                for (std::size_t t = begin; t < end; ++t) {
                  kernels::RmsNorm(x + t * size, weight.data(), size, eps,
                                   out + t * size);
                }
              });
}

// The same with the model's epsilon.
void NormRows(const ForwardPass& pass, const float* x,
              const std::vector<float>& weight, std::size_t tokens,
              float* out) {
  NormRows(pass, x, weight, pass.config.norm_eps, tokens, out);
}

// Project, each layer on its input's own norm if it has one.  `next` come after
// these.
void ProjectRows(const ForwardPass& pass, std::span<const Projection> layers,
                 const float* x, std::size_t tokens,
                 std::span<const Projection> next) {
  LinearScratch& scratch = pass.work.linear;
  if (!pass.config.projection_norms) {
    if (tokens == 1) ExpectProject(next, pass.team);
    Project(layers, x, tokens, scratch, pass.team);
    return;
  }
  for (const Projection& layer : layers) {
    float* normed = pass.work.normed.data();
    NormRows(pass, x, layer.w->input_norm, pass.config.projection_norm_eps,
             tokens, normed);
    Project({&layer, 1}, normed, tokens, scratch, pass.team);
  }
}

std::array<Projection, 3> QueryKeyValue(const LayerWeights& w,
                                        Workspace& work) {
  return {Projection{&w.q, work.q.data()}, Projection{&w.k, work.k.data()},
          Projection{&w.v, work.v.data()}};
}

// RMSNorm of one head (Qwen3), if the model has it, and its rotation.
void NormAndRotate(const ForwardPass& pass, const std::vector<float>& norm,
                   std::size_t t, float* head) {
  const ModelConfig& c = pass.config;
  if (c.head_norms) {
    kernels::RmsNorm(head, norm.data(), c.head_dim, c.norm_eps, head);
  }
  const std::size_t first = t * (c.head_dim / 2);
  kernels::RotateHead(pass.work.cosine.data() + first,
                      pass.work.sine.data() + first, c.head_dim, head);
}

// One key/value head of one token: norms and rotates k and the heads of q that
// meet it, and puts k and v into the cache.
void StoreHead(const ForwardPass& pass, std::size_t layer, std::size_t t,
               std::size_t kv_head) {
  const ModelConfig& c = pass.config;
  const LayerWeights& w = pass.weights.layers[layer];
  Workspace& work = pass.work;
  const std::size_t group = work.attention.shape.Group();
  float* q = work.q.data() + t * QuerySize(c) + kv_head * group * c.head_dim;
  for (std::size_t h = 0; h < group; ++h) {
    NormAndRotate(pass, w.q_norm, t, q + h * c.head_dim);
  }
  const std::size_t at = t * KvSize(c) + kv_head * c.head_dim;
  float* k = work.k.data() + at;
  NormAndRotate(pass, w.k_norm, t, k);
  const TokenPlace& place = work.places[t];
  place.cache->Store(layer, kv_head, place.position, k, work.v.data() + at);
}

// Puts k and v into the caches; work.att = attention of work.q over them.
void StoreAndAttend(const ForwardPass& pass, std::size_t layer) {
  Workspace& work = pass.work;
  StoreAndAttend(
      {.layer = layer,
       .runs = pass.runs,
       .query = work.q.data(),
       .out = work.att.data()},
      [&](std::size_t token, std::size_t kv_head) {
        StoreHead(pass, layer, token, kv_head);
      },
      work.attention, pass.team);
}

void GateRows(const ForwardPass& pass, std::size_t tokens) {
  const std::size_t size = pass.config.ffn_size;
  Workspace& work = pass.work;
  const auto apply = pass.config.activation == Activation::kSquaredRelu
                         ? kernels::SquaredReluGate
                         : kernels::SiluGate;
  ParallelFor(pass.team, tokens, 1,
              [&](std::size_t begin, std::size_t end, std::size_t) {
                for (std::size_t t = begin; t < end; ++t) {
                  float* gate = work.hb.data() + t * size;
                  apply(gate, work.hb2.data() + t * size, size, gate);
                }
              });
}

void AddRows(const ForwardPass& pass, std::size_t tokens) {
  const std::size_t size = pass.config.hidden_size;
  ParallelFor(pass.team, tokens, 1,
              [&](std::size_t begin, std::size_t end, std::size_t) {
                kernels::AddTo(pass.work.out.data() + begin * size,
                               (end - begin) * size,
                               pass.work.x.data() + begin * size);
              });
}

}  // namespace

Workspace::Workspace(const ModelConfig& c, std::size_t tokens, int num_threads)
    : max_tokens(tokens),
      x(tokens * c.hidden_size),
      xb(tokens * c.hidden_size),
      normed(NormedSize(c, tokens)),
      q(tokens * QuerySize(c)),
      k(tokens * KvSize(c)),
      v(tokens * KvSize(c)),
      att(tokens * QuerySize(c)),
      hb(tokens * c.ffn_size),
      hb2(tokens * c.ffn_size),
      out(tokens * c.hidden_size),
      cosine(tokens * c.head_dim / 2),
      sine(tokens * c.head_dim / 2),
      places(tokens),
      attention(LargestAttention(c, tokens, num_threads)),
      frequencies(c.rope_frequencies.empty()
                      ? RopeFrequencies(c.rope_theta, c.head_dim)
                      : c.rope_frequencies),
      linear(LargestLinear(c, tokens, num_threads), c.input_type),
      head(HeadShape(c, tokens, num_threads), InputType::kFloat) {}

std::uint64_t Workspace::Bytes(const ModelConfig& c, std::size_t tokens,
                               int num_threads) {
  const std::uint64_t floats_a_token = 3 * c.hidden_size + 2 * QuerySize(c) +
                                       2 * KvSize(c) + 2 * c.ffn_size +
                                       c.head_dim;
  return (tokens * floats_a_token + NormedSize(c, tokens)) * sizeof(float) +
         tokens * sizeof(TokenPlace) +
         AttentionScratch::Bytes(LargestAttention(c, tokens, num_threads)) +
         LinearScratch::Bytes(LargestLinear(c, tokens, num_threads),
                              c.input_type) +
         LinearScratch::Bytes(HeadShape(c, tokens, num_threads),
                              InputType::kFloat);
}

void Embed(const ForwardPass& pass, std::span<const Token> tokens) noexcept {
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    LookUpRow(pass.weights.embedding, static_cast<std::size_t>(tokens[t]),
              pass.work.x.data() + t * pass.config.hidden_size);
  }
}

void PreparePositions(const ForwardPass& pass) noexcept {
  Workspace& work = pass.work;
  const std::size_t half = work.frequencies.size();
  const float magnitude = pass.config.rope_magnitude;
  std::size_t t = 0;
  for (const TokenRun& run : pass.runs) {
    for (std::size_t i = 0; i < run.tokens; ++i, ++t) {
      const std::size_t position = run.position + i;
      work.places[t] = {run.cache, position};
      for (std::size_t f = 0; f < half; ++f) {
        const float angle = static_cast<float>(position) * work.frequencies[f];
        work.cosine.data()[t * half + f] = std::cos(angle) * magnitude;
        work.sine.data()[t * half + f] = std::sin(angle) * magnitude;
      }
    }
  }
}

void RunLayer(const ForwardPass& pass, std::size_t layer) noexcept {
  const std::size_t tokens = TokensOf(pass.runs);
  const LayerWeights& w = pass.weights.layers[layer];
  Workspace& work = pass.work;
  const auto project = [&](std::span<const Projection> layers, const float* x,
                           std::span<const Projection> next) {
    ProjectRows(pass, layers, x, tokens, next);
  };
  const std::array qkv = QueryKeyValue(w, work);
  const std::array o = {Projection{&w.o, work.out.data()}};
  const std::array gate_up = {Projection{&w.gate, work.hb.data()},
                              Projection{&w.up, work.hb2.data()}};
  const std::array down = {Projection{&w.down, work.out.data()}};
  std::array<Projection, 3> next;
  std::span<const Projection> after;  // nothing after the last layer
  if (layer + 1 < pass.weights.layers.size()) {
    next = QueryKeyValue(pass.weights.layers[layer + 1], work);
    after = next;
  }

  // x += o_proj(sub_norm(attention(norm(x)))), with or without the sub-norm
  NormRows(pass, work.x.data(), w.attn_norm, tokens, work.xb.data());
  project(qkv, work.xb.data(), o);
  StoreAndAttend(pass, layer);
  if (pass.config.sub_norms) {
    NormRows(pass, work.att.data(), w.attn_sub_norm, tokens, work.att.data());
  }
  project(o, work.att.data(), gate_up);
  AddRows(pass, tokens);

  // x += down_proj(sub_norm(act(gate_proj(h)) * up_proj(h))), h = norm(x)
  NormRows(pass, work.x.data(), w.ffn_norm, tokens, work.xb.data());
  project(gate_up, work.xb.data(), down);
  GateRows(pass, tokens);
  if (pass.config.sub_norms) {
    NormRows(pass, work.hb.data(), w.ffn_sub_norm, tokens, work.hb.data());
  }
  project(down, work.hb.data(), after);
  AddRows(pass, tokens);
}

bool RunTokens(const ForwardPass& pass,
               std::span<const Token> tokens) noexcept {
  Embed(pass, tokens);
  PreparePositions(pass);
  for (std::size_t layer = 0; layer < pass.config.num_layers; ++layer) {
    if (pass.cancel != nullptr &&
        pass.cancel->load(std::memory_order_relaxed)) {
      return false;
    }
    RunLayer(pass, layer);
  }
  NormRows(pass, pass.work.x.data(), pass.weights.output_norm, tokens.size(),
           pass.work.x.data());
  return true;
}

void RunHead(const ForwardPass& pass, const float* x, std::size_t tokens,
             float* logits) noexcept {
  const Projection head{&pass.weights.Head(), logits};
  // The head is never quantised in training, so neither is its input.
  Project({&head, 1}, x, tokens, pass.work.head, pass.team);
}

}  // namespace tern
