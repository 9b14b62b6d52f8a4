#include "runtime/session_impl.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <tern/error.h>

#include "runtime/constraint.h"
#include "runtime/memory.h"
#include "runtime/session_options.h"
#include "ternary_kernels/cache_block.h"

namespace tern {
namespace {

// Tokens whose logits are computed at once when all are asked for: 16 reads of
// the head become one, and 16 rows of 128256 logits are 8 MiB.
constexpr std::size_t kLogitsBatch = 16;

}  // namespace

Session::Impl::Impl(std::shared_ptr<const Model> model,
                    const SessionOptions& options)
    : model_(std::move(model)),
      kv_type_(options.kv_type),
      context_length_(ResolveContext(options.context_length, model_->config())),
      num_threads_(ResolveThreads(options.num_threads)),
      cache_((CheckMemory(), model_->config()), context_length_, kv_type_),
      work_(model_->config(), std::min(context_length_, kPrefillChunk),
            num_threads_),
      position_bytes_(
          CacheBytes(model_->config(), kernels::kBlockPositions, kv_type_) /
          kernels::kBlockPositions),
      head_(model_->weights(), kLogitsBatch),
      last_(model_->config().hidden_size),
      team_(std::make_unique<Team>(num_threads_)) {
  tokens_.reserve(context_length_);
}

std::unique_ptr<Session::Impl> Session::Impl::Fork() {
  auto fork = std::make_unique<Impl>(
      model_, SessionOptions{.context_length = context_length_,
                             .kv_type = kv_type_,
                             .num_threads = num_threads_});
  fork->tokens_.assign(tokens_.begin(), tokens_.end());
  fork->num_run_ = num_run_;
  fork->cache_.CopyFrom(cache_, num_run_);
  std::copy_n(last_.data(), last_.size(), fork->last_.data());
  return fork;
}

void Session::Impl::Append(std::span<const Token> tokens,
                           const LogitsSink* sink) {
  CheckTokens(tokens);
  ThrowIfCancelled();
  RunPending();
  const std::size_t length = tokens_.size();
  try {
    RunChunks(tokens, sink);
  } catch (...) {  // cancelled, or something that the sink threw
    GoBack(length);
    throw;
  }
}

void Session::Impl::RunChunks(std::span<const Token> tokens,
                              const LogitsSink* sink) {
  while (!tokens.empty()) {
    const std::size_t count = std::min(tokens.size(), work_.max_tokens);
    RunLayers(tokens.first(count));
    if (sink != nullptr) GiveLogits(count, *sink);
    tokens_.insert(tokens_.end(), tokens.begin(),
                   tokens.begin() + static_cast<std::ptrdiff_t>(count));
    num_run_ = tokens_.size();
    tokens = tokens.subspan(count);
  }
}

Token Session::Impl::Next(Sampler& sampler) {
  if (tokens_.size() == context_length_) ThrowContextFull(1);
  ThrowIfCancelled();
  const std::size_t rows = TokenRows(*model_);
  PrepareLogits();
  if (!logits_are_valid_) {
    logits_are_valid_ = head_.ForSampling(
        Pass(), last_.data(), sampler.options(), tokens_, rows, logits_.data());
  }
  tokens_.push_back(sampler.Sample({logits_.data(), rows}, tokens_));
  return tokens_.back();
}

Token Session::Impl::Next(Sampler& sampler, TokenConstraint& constraint) {
  if (tokens_.size() == context_length_) ThrowContextFull(1);
  const std::span<const float> logits = Logits().first(TokenRows(*model_));
  std::vector<float> left(logits.begin(), logits.end());
  std::vector<std::uint8_t> allowed;
  Constrain(constraint, left, allowed);
  const Token token = sampler.Sample(left, tokens_);
  constraint.Accept(token);
  tokens_.push_back(token);
  return token;
}

std::span<const float> Session::Impl::Logits() {
  ThrowIfCancelled();
  PrepareLogits();
  if (!logits_are_valid_) {
    head_.All(Pass(), last_.data(), 1, logits_.data());
    logits_are_valid_ = true;
  }
  return {logits_.data(), logits_.size()};
}

void Session::Impl::Truncate(std::size_t length) {
  if (length > tokens_.size()) {
    throw Error(ErrorCode::kInvalidArgument,
                "session: cannot keep " + std::to_string(length) +
                    " tokens, there are " + std::to_string(tokens_.size()) +
                    "; truncate to fewer");
  }
  if (length != tokens_.size()) GoBack(length);
}

// Keeps the first `length` tokens.
void Session::Impl::GoBack(std::size_t length) {
  tokens_.resize(length);
  // The hidden state of the token that becomes the last is not kept: it is
  // computed again, from the cache of those before it, when it is wanted.
  num_run_ = length == 0 ? 0 : std::min(num_run_, length - 1);
}

SessionState Session::Impl::State() {
  return {.kv_type = kv_type_,
          .fingerprint = model_->fingerprint(),
          .context_length = context_length_,
          .tokens = tokens_,
          .num_run = num_run_,
          .last = last_,
          .cache = cache_};
}

void Session::Impl::Write(const WriteBytes& write) {
  WriteSession(State(), write);
}

void Session::Impl::Read(const std::string& place, const ReadBytes& read) {
  ReadSession(State(), place, model_->config().vocab_size, read);
}

std::uint64_t Session::Impl::cache_bytes() const {
  return CacheBytes(model_->config(), context_length_, kv_type_);
}

std::uint64_t Session::Impl::scratch_bytes() const {
  const ModelConfig& config = model_->config();
  return SessionScratchBytes(config, context_length_, num_threads_) +
         Head::Bytes(model_->weights(), kLogitsBatch) +
         (kLogitsBatch + 1) * config.vocab_size * sizeof(float) +
         context_length_ * sizeof(Token);
}

void Session::Impl::ThrowIfCancelled() {
  if (ForgetCancel()) ThrowCancelled();
}

void Session::Impl::ThrowCancelled() {
  throw Error(ErrorCode::kCancelled,
              "session: cancelled; it is as it was before the call");
}

// Takes tokens through the layers, at the positions after those run so far.
// Throws Error with nothing changed if the cache cannot hold what came out.
void Session::Impl::RunLayers(std::span<const Token> tokens) {
  RequireTarget("session", target_);
  const TokenRun run{&cache_, num_run_, tokens.size()};
  if (!RunTokens(Pass({&run, 1}), tokens)) {
    (void)cache_.TakeUnfit();  // nothing of it is kept
    ForgetCancel();
    ThrowCancelled();
  }
  CountLayers(tokens.size());
  if (cache_.TakeUnfit()) throw UnfitCache("session");
  const std::size_t hidden = model_->config().hidden_size;
  std::memcpy(last_.data(), work_.x.data() + (tokens.size() - 1) * hidden,
              hidden * sizeof(float));
  logits_are_valid_ = false;
}

// What the head reads, and room for what it gives.
void Session::Impl::PrepareLogits() {
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
void Session::Impl::CountLayers(std::size_t tokens) {
  const Linear& embedding = model_->weights().embedding;
  bytes_read_ += layers_bytes_ + embedding.bytes() / embedding.rows * tokens +
                 position_bytes_ * (num_run_ + tokens);
}

// The token that Next chose goes through the layers only when something
// depends on it: so the last one of a text costs nothing.
void Session::Impl::RunPending() {
  if (num_run_ == tokens_.size()) return;
  RunLayers(std::span<const Token>(tokens_).subspan(num_run_));
  num_run_ = tokens_.size();
}

void Session::Impl::CheckMemory() const {
  RequireMemory(cache_bytes() + scratch_bytes(),
                "context of " + std::to_string(context_length_) + " positions",
                "use a shorter context or a smaller type of cache");
}

void Session::Impl::ThrowContextFull(std::size_t more) const {
  throw Error(ErrorCode::kContextFull,
              "context: " + std::to_string(more) +
                  (more == 1 ? " more token does not fit, "
                             : " more tokens do not fit, ") +
                  std::to_string(tokens_.size()) + " of " +
                  std::to_string(context_length_) +
                  " positions are taken; shorten the text or make the "
                  "context longer");
}

void Session::Impl::CheckTokens(std::span<const Token> tokens) const {
  RequireTokens(tokens, model_->config());
  if (tokens.size() > context_length_ - tokens_.size()) {
    ThrowContextFull(tokens.size());
  }
}

void Session::Impl::GiveLogits(std::size_t count, const LogitsSink& sink) {
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

}  // namespace tern
