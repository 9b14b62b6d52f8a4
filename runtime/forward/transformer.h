// The forward pass: embedding, layers, final norm, head.  Read RunLayer for
// what the architecture computes.
//
// All architectures are a Llama layer with differences that ModelConfig names:
//
// bitnet-b1.58, bitnet (Ma et al. 2024, arXiv 2402.17764; 2B4T, arXiv
// 2504.12285): an RMSNorm before o_proj and before down_proj (sub-norms), the
// first with squared ReLU in the feed-forward block, no biases.
// llama (Touvron et al. 2023, arXiv 2302.13971); Falcon-E's has an RMSNorm of
// its own before each projection.
// qwen3 (arXiv 2505.09388): an RMSNorm of each head of q and k.
//
// Linear layers are ternary, with int8 or float inputs, or dense.
//
// A pass takes the tokens of one sequence or of many, at different positions:
// only keys, values and attention know which token is whose, everything else is
// done for each token by itself.
#ifndef TERN_RUNTIME_FORWARD_TRANSFORMER_H_
#define TERN_RUNTIME_FORWARD_TRANSFORMER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tern/model.h>

#include "runtime/aligned_buffer.h"
#include "runtime/forward/attention.h"
#include "runtime/forward/linear.h"
#include "runtime/forward/token_run.h"
#include "runtime/kv_cache.h"
#include "runtime/parallel.h"
#include "runtime/weights.h"

namespace tern {

// Where the key and value of a token go.
struct TokenPlace {
  KvCache* cache = nullptr;
  std::size_t position = 0;
};

// The buffers that a pass of at most max_tokens tokens goes through, named as
// in llama2.c.  `T` is the number of tokens in the pass.
class Workspace {
 public:
  Workspace(const ModelConfig& config, std::size_t max_tokens, int num_threads);
  static std::uint64_t Bytes(const ModelConfig& config, std::size_t max_tokens,
                             int num_threads);

  std::size_t max_tokens;
  AlignedBuffer<float> x;          // [T][hidden], the residual stream
  AlignedBuffer<float> xb;         // [T][hidden], normed
  AlignedBuffer<float> normed;     // [T][a projection's cols], its own norm
  AlignedBuffer<float> q;          // [T][heads][head_dim]
  AlignedBuffer<float> k;          // [T][kv_heads][head_dim]
  AlignedBuffer<float> v;          // [T][kv_heads][head_dim]
  AlignedBuffer<float> att;        // [T][heads][head_dim], mixed values
  AlignedBuffer<float> hb;         // [T][ffn], gate, then the gated product
  AlignedBuffer<float> hb2;        // [T][ffn], up
  AlignedBuffer<float> out;        // [T][hidden], what a block adds to x
  AlignedBuffer<float> cosine;     // [T][head_dim / 2]
  AlignedBuffer<float> sine;       // [T][head_dim / 2]
  std::vector<TokenPlace> places;  // [T]
  AttentionScratch attention;
  std::vector<float> frequencies;  // [head_dim / 2], radians a position
  LinearScratch linear;
  LinearScratch head;  // its inputs stay floats
};

// What every step needs to know.
struct ForwardPass {
  const ModelConfig& config;
  const Weights& weights;
  // At most work.max_tokens tokens in all, each at a position that its cache
  // has room for.
  std::span<const TokenRun> runs;
  Workspace& work;
  Team& team;
  const std::atomic<bool>* cancel = nullptr;  // set from another thread
};

// work.x [tokens][hidden] = rows of the embedding.
void Embed(const ForwardPass& pass, std::span<const Token> tokens) noexcept;

// Places, cosines and sines of all tokens.
void PreparePositions(const ForwardPass& pass) noexcept;

// One layer: work.x [tokens][hidden] in and out; the keys and values of the
// tokens go into their caches.
void RunLayer(const ForwardPass& pass, std::size_t layer) noexcept;

// All of the above and the final norm: work.x [tokens][hidden] is what the head
// reads.  `tokens` are those of pass.runs, one run after another.  False if
// pass.cancel was seen set before a layer: then work.x is not complete.
bool RunTokens(const ForwardPass& pass, std::span<const Token> tokens) noexcept;

// logits [tokens][vocab] = head applied to x [tokens][hidden].
void RunHead(const ForwardPass& pass, const float* x, std::size_t tokens,
             float* logits) noexcept;

}  // namespace tern

#endif  // TERN_RUNTIME_FORWARD_TRANSFORMER_H_
