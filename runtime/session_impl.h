// What a Session is made of.  Nothing here may be called by two threads at once
// but Cancel and ForgetCancel: session.cc sees to that.
#ifndef TERN_RUNTIME_SESSION_IMPL_H_
#define TERN_RUNTIME_SESSION_IMPL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <tern/session.h>

#include "runtime/aligned_buffer.h"
#include "runtime/forward/transformer.h"
#include "runtime/head/head.h"
#include "runtime/kv_cache.h"
#include "runtime/parallel.h"
#include "runtime/session_file.h"
#include "runtime/session_guard.h"
#include "ternary_kernels/targets.h"

namespace tern {

class Session::Impl {
 public:
  Impl(std::shared_ptr<const Model> model, const SessionOptions& options);
  // A copy of another one's context.
  [[nodiscard]] std::unique_ptr<Impl> Fork();

  void Append(std::span<const Token> tokens, const LogitsSink* sink);
  Token Next(Sampler& sampler);
  Token Next(Sampler& sampler, TokenConstraint& constraint);
  std::span<const float> Logits();
  void Truncate(std::size_t length);
  void Cancel() noexcept { cancel_.store(true, std::memory_order_relaxed); }
  bool ForgetCancel() noexcept {
    return cancel_.exchange(false, std::memory_order_relaxed);
  }
  void Write(const WriteBytes& write);
  void Read(const std::string& place, const ReadBytes& read);

  [[nodiscard]] SessionGuard& guard() { return guard_; }
  [[nodiscard]] const std::vector<Token>& tokens() const { return tokens_; }
  [[nodiscard]] std::size_t context_length() const { return context_length_; }
  [[nodiscard]] std::uint64_t bytes_read() const {
    return bytes_read_ + head_.bytes_read();
  }
  [[nodiscard]] int num_threads() const { return num_threads_; }
  [[nodiscard]] std::uint64_t head_bytes_read() const {
    return head_.bytes_read();
  }
  [[nodiscard]] std::uint64_t cache_bytes() const;
  [[nodiscard]] std::uint64_t scratch_bytes() const;

 private:
  // Of these runs; the head alone needs none.
  ForwardPass Pass(std::span<const TokenRun> runs = {}) {
    return {model_->config(), model_->weights(), runs, work_, *team_, &cancel_};
  }
  SessionState State();
  void RunLayers(std::span<const Token> tokens);
  void RunChunks(std::span<const Token> tokens, const LogitsSink* sink);
  void RunPending();
  void ThrowIfCancelled();
  [[noreturn]] static void ThrowCancelled();
  void PrepareLogits();
  void GiveLogits(std::size_t count, const LogitsSink& sink);
  void CountLayers(std::size_t tokens);
  void GoBack(std::size_t length);
  void CheckMemory() const;
  void CheckTokens(std::span<const Token> tokens) const;
  [[noreturn]] void ThrowContextFull(std::size_t more) const;

  SessionGuard guard_;
  std::atomic<bool> cancel_ = false;
  std::shared_ptr<const Model> model_;
  KvType kv_type_;
  std::size_t context_length_;
  int num_threads_;
  KvCache cache_;
  Workspace work_;
  const std::string target_ = kernels::ActiveTarget();  // of the scratch's size
  const std::uint64_t layers_bytes_ = model_->layers_bytes();
  const std::uint64_t position_bytes_;  // of keys and values, all layers
  std::uint64_t bytes_read_ = 0;        // but those of the head
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

}  // namespace tern

#endif  // TERN_RUNTIME_SESSION_IMPL_H_
