#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <tern/cpu.h>
#include <tern/error.h>
#include <tern/session.h>

#include "runtime/forward/transformer.h"
#include "runtime/head/head.h"
#include "runtime/kv_cache.h"
#include "runtime/memory.h"
#include "runtime/parallel.h"
#include "ternary_kernels/cache_block.h"
#include "ternary_kernels/targets.h"

namespace tern {
namespace {

// Tokens whose logits are computed at once when all are asked for: 16 reads of
// the head become one, and 16 rows of 128256 logits are 8 MiB.
constexpr std::size_t kLogitsBatch = 16;

std::size_t ContextLength(const ModelConfig& config,
                          const SessionOptions& options) {
  if (options.context_length > config.max_context) {
    throw Error(ErrorCode::kInvalidArgument,
                "context of " + std::to_string(options.context_length) +
                    " positions: the model was trained for " +
                    std::to_string(config.max_context) +
                    "; ask for no more than that");
  }
  return options.context_length != 0 ? options.context_length
                                     : config.max_context;
}

int Threads(const SessionOptions& options) {
  if (options.num_threads < 0 || options.num_threads > 4096) {
    throw Error(ErrorCode::kInvalidArgument,
                std::to_string(options.num_threads) +
                    " threads: not a number of threads; use 1 to 4096, or 0 "
                    "for all cores");
  }
  return options.num_threads != 0 ? options.num_threads : UsableCores();
}

}  // namespace

class Session::Impl {
 public:
  Impl(std::shared_ptr<const Model> model, const SessionOptions& options)
      : model_(std::move(model)),
        kv_type_(options.kv_type),
        context_length_(ContextLength(model_->config(), options)),
        num_threads_(Threads(options)),
        cache_((CheckMemory(), model_->config()), context_length_, kv_type_),
        work_(model_->config(), std::min(context_length_, kPrefillChunk),
              num_threads_),
        head_(model_->weights(), kLogitsBatch),
        last_(model_->config().hidden_size),
        team_(std::make_unique<Team>(num_threads_)) {
    tokens_.reserve(context_length_);
  }

  void Append(std::span<const Token> tokens, const LogitsSink* sink) {
    CheckTokens(tokens);
    RunPending();
    while (!tokens.empty()) {
      const std::size_t count = std::min(tokens.size(), work_.max_tokens);
      Run(tokens.first(count));
      if (sink != nullptr) GiveLogits(count, *sink);
      tokens_.insert(tokens_.end(), tokens.begin(),
                     tokens.begin() + static_cast<std::ptrdiff_t>(count));
      num_run_ = tokens_.size();
      tokens = tokens.subspan(count);
    }
  }

  Token Next(Sampler& sampler) {
    if (tokens_.size() == context_length_) ThrowContextFull(1);
    // Rows beyond the tokenizer's ids are padding of the matrix, not tokens.
    const std::size_t rows = model_->has_tokenizer()
                                 ? model_->tokenizer().vocab_size()
                                 : model_->config().vocab_size;
    PrepareLogits();
    if (!logits_are_valid_) {
      logits_are_valid_ =
          head_.ForSampling(Pass(), last_.data(), sampler.options(), tokens_,
                            rows, logits_.data());
    }
    tokens_.push_back(sampler.Sample({logits_.data(), rows}, tokens_));
    return tokens_.back();
  }

  std::span<const float> Logits() {
    PrepareLogits();
    if (!logits_are_valid_) {
      head_.All(Pass(), last_.data(), 1, logits_.data());
      logits_are_valid_ = true;
    }
    return {logits_.data(), logits_.size()};
  }

  void Truncate(std::size_t length) {
    if (length > tokens_.size()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "session: cannot keep " + std::to_string(length) +
                      " tokens, there are " + std::to_string(tokens_.size()) +
                      "; truncate to fewer");
    }
    if (length == tokens_.size()) return;
    tokens_.resize(length);
    // The hidden state of the token that becomes the last is not kept: it is
    // computed again, from the cache of those before it, when it is wanted.
    if (length != 0) num_run_ = std::min(num_run_, length - 1);
    if (length == 0) num_run_ = 0;
  }

  [[nodiscard]] const std::vector<Token>& tokens() const { return tokens_; }
  [[nodiscard]] std::size_t context_length() const { return context_length_; }
  [[nodiscard]] std::uint64_t bytes_read() const {
    return bytes_read_ + head_.bytes_read();
  }
  [[nodiscard]] int num_threads() const { return num_threads_; }
  [[nodiscard]] std::uint64_t head_bytes_read() const {
    return head_.bytes_read();
  }
  [[nodiscard]] std::uint64_t cache_bytes() const {
    return CacheBytes(model_->config(), context_length_, kv_type_);
  }

 private:
  ForwardPass Pass() {
    return {model_->config(), model_->weights(), cache_, work_, *team_};
  }

  // Takes tokens through the layers, at the positions after those run so far.
  // Throws Error with nothing changed if the cache cannot hold what came out.
  void Run(std::span<const Token> tokens) {
    if (kernels::ActiveTarget() != target_) {
      throw Error(ErrorCode::kInvalidArgument,
                  "session: the target was " + target_ +
                      " when it was made and is " + kernels::ActiveTarget() +
                      " now; make a new session");
    }
    RunTokens(Pass(), tokens, num_run_);
    CountLayers(tokens.size());
    if (cache_.TakeUnfit()) {
      throw Error(ErrorCode::kUnsupported,
                  "session: a key or value is not finite, or too large for an "
                  "f16 cache (65504); the weights are damaged, or use an f32 "
                  "cache");
    }
    const std::size_t hidden = model_->config().hidden_size;
    std::memcpy(last_.data(), work_.x.data() + (tokens.size() - 1) * hidden,
                hidden * sizeof(float));
    logits_are_valid_ = false;
  }

  // What the head reads, and room for what it gives.
  void PrepareLogits() {
    if (tokens_.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "session: there are no logits before a token; call Append "
                  "first");
    }
    RunPending();
    if (logits_.size() == 0) {
      logits_ = AlignedBuffer<float>(model_->config().vocab_size);
    }
  }

  // What a chunk of tokens read: every layer once, its rows of the embedding,
  // and once the keys and values up to its last token, which its tokens share
  // in the caches.
  void CountLayers(std::size_t tokens) {
    const Linear& embedding = model_->weights().embedding;
    bytes_read_ += layers_bytes_ + embedding.bytes() / embedding.rows * tokens +
                   position_bytes_ * (num_run_ + tokens);
  }

  // The token that Next chose goes through the layers only when something
  // depends on it: so the last one of a text costs nothing.
  void RunPending() {
    if (num_run_ == tokens_.size()) return;
    Run(std::span<const Token>(tokens_).subspan(num_run_));
    num_run_ = tokens_.size();
  }

  void CheckMemory() const {
    const ModelConfig& config = model_->config();
    const std::uint64_t scratch =
        SessionScratchBytes(config, context_length_, num_threads_) +
        Head::Bytes(model_->weights(), kLogitsBatch) +
        (kLogitsBatch + 1) * config.vocab_size * sizeof(float) +
        context_length_ * sizeof(Token);
    RequireMemory(
        cache_bytes() + scratch,
        "context of " + std::to_string(context_length_) + " positions",
        "use a shorter context or a smaller type of cache");
  }

  [[noreturn]] void ThrowContextFull(std::size_t more) const {
    throw Error(ErrorCode::kContextFull,
                "context: " + std::to_string(more) +
                    (more == 1 ? " more token does not fit, "
                               : " more tokens do not fit, ") +
                    std::to_string(tokens_.size()) + " of " +
                    std::to_string(context_length_) +
                    " positions are taken; shorten the text or make the "
                    "context longer");
  }

  void CheckTokens(std::span<const Token> tokens) const {
    const std::size_t vocab = model_->config().vocab_size;
    for (const Token token : tokens) {
      if (token < 0 || static_cast<std::size_t>(token) >= vocab) {
        throw Error(ErrorCode::kInvalidArgument,
                    "token id " + std::to_string(token) +
                        ": outside the model's vocabulary; ids go from 0 to " +
                        std::to_string(vocab - 1));
      }
    }
    if (tokens.size() > context_length_ - tokens_.size()) {
      ThrowContextFull(tokens.size());
    }
  }

  void GiveLogits(std::size_t count, const LogitsSink& sink) {
    const std::size_t vocab = model_->config().vocab_size;
    const std::size_t hidden = model_->config().hidden_size;
    if (batch_.size() == 0) batch_ = AlignedBuffer<float>(kLogitsBatch * vocab);
    for (std::size_t t = 0; t < count; t += kLogitsBatch) {
      const std::size_t some = std::min(kLogitsBatch, count - t);
      head_.All(Pass(), work_.x.data() + t * hidden, some, batch_.data());
      for (std::size_t i = 0; i < some; ++i) {
        sink(num_run_ + t + i, {batch_.data() + i * vocab, vocab});
      }
    }
  }

  std::shared_ptr<const Model> model_;
  KvType kv_type_;
  std::size_t context_length_;
  int num_threads_;
  KvCache cache_;
  Workspace work_;
  const std::string target_ = kernels::ActiveTarget();  // of the scratch's size
  const std::uint64_t layers_bytes_ = model_->layers_bytes();
  const std::uint64_t position_bytes_ =  // of keys and values, all layers
      CacheBytes(model_->config(), kernels::kBlockPositions, kv_type_) /
      kernels::kBlockPositions;
  std::uint64_t bytes_read_ = 0;  // but those of the head
  std::vector<Token> tokens_;
  // Tokens that went through the layers: all, or all but the last.
  std::size_t num_run_ = 0;
  Head head_;
  AlignedBuffer<float> last_;      // [hidden] after the final norm
  AlignedBuffer<float> logits_;    // [vocab] of the last token
  bool logits_are_valid_ = false;  // all of them, not those for a sampler alone
  AlignedBuffer<float> batch_;  // [kLogitsBatch][vocab], if all are asked for
  std::unique_ptr<Team> team_;
};

Session::Session(std::shared_ptr<const Model> model,
                 const SessionOptions& options)
    : impl_(std::make_unique<Impl>(std::move(model), options)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

void Session::Append(std::span<const Token> tokens) {
  impl_->Append(tokens, nullptr);
}
void Session::Append(std::span<const Token> tokens, const LogitsSink& sink) {
  impl_->Append(tokens, &sink);
}
Token Session::Next(Sampler& sampler) { return impl_->Next(sampler); }
std::span<const float> Session::Logits() { return impl_->Logits(); }
std::span<const Token> Session::tokens() const { return impl_->tokens(); }
std::size_t Session::context_length() const { return impl_->context_length(); }
void Session::Truncate(std::size_t length) { impl_->Truncate(length); }
std::uint64_t Session::head_bytes_read() const {
  return impl_->head_bytes_read();
}
std::uint64_t Session::cache_bytes() const { return impl_->cache_bytes(); }
std::uint64_t Session::bytes_read() const { return impl_->bytes_read(); }
int Session::num_threads() const { return impl_->num_threads(); }

}  // namespace tern
