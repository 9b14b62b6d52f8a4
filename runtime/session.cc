#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <tern/cpu.h>
#include <tern/error.h>
#include <tern/session.h>

#include "runtime/forward/transformer.h"
#include "runtime/kv_cache.h"
#include "runtime/memory.h"

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
              context_length_, num_threads_),
        last_(model_->config().hidden_size) {
    tokens_.reserve(context_length_);
  }

  void Append(std::span<const Token> tokens, const LogitsSink* sink) {
    CheckTokens(tokens);
    const std::size_t hidden = model_->config().hidden_size;
    while (!tokens.empty()) {
      const std::size_t count = std::min(tokens.size(), work_.max_tokens);
      RunTokens(Pass(), tokens.first(count), tokens_.size());
      if (sink != nullptr) GiveLogits(count, *sink);
      std::memcpy(last_.data(), work_.x.data() + (count - 1) * hidden,
                  hidden * sizeof(float));
      logits_are_valid_ = false;
      tokens_.insert(tokens_.end(), tokens.begin(),
                     tokens.begin() + static_cast<std::ptrdiff_t>(count));
      tokens = tokens.subspan(count);
    }
  }

  Token Next(Sampler& sampler) {
    const std::span<const float> logits = Logits();
    if (tokens_.size() == context_length_) ThrowContextFull(1);
    const Token token = sampler.Sample(logits, tokens_);
    Append({&token, 1}, nullptr);
    return token;
  }

  std::span<const float> Logits() {
    if (tokens_.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "session: there are no logits before a token; call Append "
                  "first");
    }
    if (!logits_are_valid_) {
      if (logits_.size() == 0) {
        logits_ = AlignedBuffer<float>(model_->config().vocab_size);
      }
      RunHead(Pass(), last_.data(), 1, logits_.data());
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
    // The hidden state of the token that becomes the last is not kept: compute
    // it again from the cache of those before it.
    if (length == 0) {
      tokens_.clear();
      return;
    }
    const Token last = tokens_[length - 1];
    tokens_.resize(length - 1);
    Append({&last, 1}, nullptr);
  }

  [[nodiscard]] const std::vector<Token>& tokens() const { return tokens_; }
  [[nodiscard]] std::size_t context_length() const { return context_length_; }
  [[nodiscard]] int num_threads() const { return num_threads_; }
  [[nodiscard]] std::uint64_t cache_bytes() const {
    return CacheBytes(model_->config(), context_length_, kv_type_);
  }

 private:
  ForwardPass Pass() {
    return {model_->config(), model_->weights(), cache_, work_, num_threads_};
  }

  void CheckMemory() const {
    const std::uint64_t scratch =
        SessionScratchBytes(model_->config(), context_length_, num_threads_);
    RequireMemory(
        cache_bytes() + scratch,
        "context of " + std::to_string(context_length_) + " positions",
        "use a shorter context or a smaller type of cache");
  }

  [[noreturn]] void ThrowContextFull(std::size_t more) const {
    throw Error(ErrorCode::kContextFull,
                "context: " + std::to_string(more) +
                    " more tokens do not fit, " +
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
      RunHead(Pass(), work_.x.data() + t * hidden, some, batch_.data());
      for (std::size_t i = 0; i < some; ++i) {
        sink(tokens_.size() + t + i, {batch_.data() + i * vocab, vocab});
      }
    }
  }

  std::shared_ptr<const Model> model_;
  KvType kv_type_;
  std::size_t context_length_;
  int num_threads_;
  KvCache cache_;
  Workspace work_;
  std::vector<Token> tokens_;
  AlignedBuffer<float> last_;    // [hidden] after the final norm
  AlignedBuffer<float> logits_;  // [vocab] of the last token
  bool logits_are_valid_ = false;
  AlignedBuffer<float> batch_;  // [kLogitsBatch][vocab], if all are asked for
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
std::uint64_t Session::cache_bytes() const { return impl_->cache_bytes(); }
int Session::num_threads() const { return impl_->num_threads(); }

}  // namespace tern
