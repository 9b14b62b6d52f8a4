#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include <tern/embedding.h>
#include <tern/error.h>

#include "runtime/forward/transformer.h"
#include "runtime/kv_cache.h"
#include "runtime/memory.h"
#include "runtime/out_of_memory.h"
#include "runtime/parallel.h"
#include "runtime/session_guard.h"
#include "runtime/session_options.h"
#include "ternary_kernels/targets.h"

namespace tern {
namespace {

EmbedderOptions Resolve(const ModelConfig& config, EmbedderOptions options) {
  options.context_length = ResolveContext(options.context_length, config);
  options.num_threads = ResolveThreads(options.num_threads);
  const std::size_t context = options.context_length;
  RequireMemory(CacheBytes(config, context, options.kv_type) +
                    SessionScratchBytes(config, context, options.num_threads),
                "embeddings of " + std::to_string(context) + " tokens",
                "use a shorter context or a smaller type of cache");
  return options;
}

// `sum` at length 1.
std::vector<float> Normalised(const std::vector<double>& sum) {
  double squares = 0;
  for (const double value : sum) squares += value * value;
  if (!std::isfinite(squares) || squares == 0) {
    throw Error(ErrorCode::kUnsupported,
                "embedding: the hidden state is not finite, or zero; the "
                "weights are damaged");
  }
  std::vector<float> unit(sum.size());
  const double factor = 1 / std::sqrt(squares);
  for (std::size_t i = 0; i < sum.size(); ++i) {
    unit[i] = static_cast<float>(sum[i] * factor);
  }
  return unit;
}

}  // namespace

class Embedder::Impl {
 public:
  Impl(std::shared_ptr<const Model> model, const EmbedderOptions& options)
      : model_(std::move(model)),
        options_(Resolve(model_->config(), options)),
        cache_(model_->config(), options_.context_length, options_.kv_type),
        work_(model_->config(),
              std::min(options_.context_length, kPrefillChunk),
              options_.num_threads),
        team_(options_.num_threads) {}

  std::vector<float> Embed(std::span<const Token> tokens) {
    const auto hold = guard_.ToWork();
    Check(tokens);
    std::vector<double> sum(model_->config().hidden_size);
    for (std::size_t at = 0; at < tokens.size(); at += work_.max_tokens) {
      const std::size_t count = std::min(work_.max_tokens, tokens.size() - at);
      const TokenRun run{&cache_, at, count};
      RunTokens({model_->config(), model_->weights(), {&run, 1}, work_, team_},
                tokens.subspan(at, count));
      if (cache_.TakeUnfit()) throw UnfitCache("embedding");
      Add(count, at + count == tokens.size(), sum);
    }
    return Normalised(sum);
  }

  [[nodiscard]] std::size_t context_length() const {
    return options_.context_length;
  }

 private:
  void Check(std::span<const Token> tokens) const {
    RequireTarget("embedder", target_);
    if (tokens.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "embedding: of no tokens; give at least one");
    }
    RequireTokens(tokens, model_->config());
    if (tokens.size() <= options_.context_length) return;
    throw Error(ErrorCode::kContextFull,
                "embedding: of " + std::to_string(tokens.size()) +
                    " tokens, but the context holds " +
                    std::to_string(options_.context_length) +
                    "; shorten the text or make the context longer");
  }

  // What the pass of `count` tokens adds to the vector: always token by token,
  // so that the sum does not depend on how a text was cut.
  void Add(std::size_t count, bool is_last, std::vector<double>& sum) const {
    const std::size_t hidden = sum.size();
    std::size_t first = 0;
    if (options_.pooling == Pooling::kLast) {
      if (!is_last) return;
      first = count - 1;
    }
    for (std::size_t t = first; t < count; ++t) {
      const float* x = work_.x.data() + t * hidden;
      for (std::size_t i = 0; i < hidden; ++i) sum[i] += x[i];
    }
  }

  SessionGuard guard_;
  std::shared_ptr<const Model> model_;
  EmbedderOptions options_;
  KvCache cache_;
  Workspace work_;
  const std::string target_ = kernels::ActiveTarget();
  Team team_;
};

Embedder::Embedder(std::shared_ptr<const Model> model,
                   const EmbedderOptions& options)
    : impl_(NamingSession(
          [&] { return std::make_unique<Impl>(std::move(model), options); })) {}
Embedder::Embedder(Embedder&&) noexcept = default;
Embedder& Embedder::operator=(Embedder&&) noexcept = default;
Embedder::~Embedder() = default;

std::vector<float> Embedder::Embed(std::span<const Token> tokens) {
  return NamingSession([&] { return impl_->Embed(tokens); });
}

std::size_t Embedder::context_length() const { return impl_->context_length(); }

}  // namespace tern
