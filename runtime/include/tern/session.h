// One conversation with a Model: the key/value cache and the working memory.
//
//   tern::Session session(model, {.context_length = 2048});
//   session.Append(model->tokenizer().Encode("Once upon a time"));
//   while (...) { tern::Token token = session.Next(sampler); ... }
//
// A Session belongs to one thread at a time (it starts its own team of threads
// for the arithmetic).  The logits do not depend on the number of threads, nor
// on how the tokens were split over calls of Append: bit for bit for ternary
// models, in the default floating-point environment.
//
// A Session is made with a model that is not null, and one that was moved from
// may only be assigned to or destroyed.
#ifndef TERN_SESSION_H_
#define TERN_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include <tern/model.h>
#include <tern/sampler.h>

namespace tern {

// How keys and values are kept.  kQ8: int8 with one float32 scale for each
// position and head.
enum class KvType { kF32, kF16, kQ8 };

struct SessionOptions {
  // Positions to hold; 0: the model's max_context.
  std::size_t context_length = 0;
  KvType kv_type = KvType::kF16;
  // 0: as many as the process may use.
  int num_threads = 0;
};

class Session {
 public:
  // Reserves the cache and all working memory.  Throws Error: kOutOfMemory if
  // it would not fit into what the machine has free, kInvalidArgument for a
  // context longer than the model was trained for.
  explicit Session(std::shared_ptr<const Model> model,
                   const SessionOptions& options = {});
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // Reads tokens into the context (prefill).  Throws Error before any work:
  // kContextFull if they do not all fit, kInvalidArgument for an id outside the
  // vocabulary.
  void Append(std::span<const Token> tokens);

  // The same, and gives the logits [vocab_size] after each token to `sink`, in
  // order; the span is valid during the call only.
  using LogitsSink =
      std::function<void(std::size_t position, std::span<const float> logits)>;
  void Append(std::span<const Token> tokens, const LogitsSink& sink);

  // Chooses the next token from the logits after the last one, then appends it.
  // Rows of the head beyond the tokenizer's ids, padding of the matrix, are
  // never chosen.  Throws Error: kInvalidArgument if nothing was appended yet,
  // kContextFull at the end of the context.
  Token Next(Sampler& sampler);

  // Logits [vocab_size] after the last token; valid until the session is used
  // again.  Throws Error (kInvalidArgument) if nothing was appended yet.
  [[nodiscard]] std::span<const float> Logits();

  // Tokens in the context, and how many it can hold.
  [[nodiscard]] std::span<const Token> tokens() const;
  [[nodiscard]] std::size_t context_length() const;
  // Forgets everything after the first `length` tokens.  Throws Error
  // (kInvalidArgument) if there are fewer.
  void Truncate(std::size_t length);

  // Bytes of the output head that Next, Logits and Append have read so far.
  [[nodiscard]] std::uint64_t head_bytes_read() const;
  // Bytes of the cache when the context is full.
  [[nodiscard]] std::uint64_t cache_bytes() const;
  // Bytes of weights and cache that the work so far took from memory: for every
  // chunk of tokens the layers once, a row of the embedding a token, and the
  // keys and values up to its last token; for every logits the head.
  [[nodiscard]] std::uint64_t bytes_read() const;
  [[nodiscard]] int num_threads() const;

  class Impl;  // private to runtime/

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace tern

#endif  // TERN_SESSION_H_
