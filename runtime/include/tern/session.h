// One conversation with a Model: the key/value cache and the working memory.
//
//   tern::Session session(model, {.context_length = 2048});
//   session.Append(model->tokenizer().Encode("Once upon a time"));
//   while (...) { tern::Token token = session.Next(sampler); ... }
//
// A Session serves one thread at a time, which may be another one each time (it
// starts its own team of threads for the arithmetic).  A call while another
// thread's call is running throws Error (kBusy) and changes nothing; only
// Cancel and ForgetCancel may be called at any time.  Any number of Sessions
// may work side by side, with one Model or several.
//
// The logits do not depend on the number of threads, nor on how the tokens were
// split over calls of Append: bit for bit for ternary models, in the default
// floating-point environment.
//
// After fork(), a child may use its Models, make new Sessions, and destroy,
// read, Save and Fork those that were idle when it was made; their other
// functions throw Error (kInvalidArgument), because threads do not survive
// fork().
//
// A Session is made with a model that is not null, and one that was moved from
// may only be assigned to or destroyed.
#ifndef TERN_SESSION_H_
#define TERN_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>
#include <span>

#include <tern/api.h>
#include <tern/constraint.h>
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

class TERN_API Session {
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
  // vocabulary.  If Append throws, the tokens are what they were before.
  void Append(std::span<const Token> tokens);

  // The same, and gives the logits [vocab_size] after each token to `sink`, in
  // order; the span is valid during the call only.  The sink may look at the
  // session, which has the tokens of the chunks before then; what it throws
  // ends the call.
  using LogitsSink =
      std::function<void(std::size_t position, std::span<const float> logits)>;
  void Append(std::span<const Token> tokens, const LogitsSink& sink);

  // Chooses the next token from the logits after the last one, then appends it.
  // Rows of the head beyond the tokenizer's ids, padding of the matrix, are
  // never chosen.  Throws Error: kInvalidArgument if nothing was appended yet,
  // kContextFull at the end of the context.
  Token Next(Sampler& sampler);
  // The same among the tokens that the constraint allows, which is told the one
  // that was chosen; one that ends the text is such a token, too:
  //
  //   const auto json = tern::JsonConstraints(tokenizer).Object();
  //   while (!tokenizer.IsEndOfText(token = session.Next(sampler, *json))) ...
  //
  // Throws Error as above, kInvalidArgument if no token is allowed, and what
  // the constraint throws; nothing is appended then.  A constraint knows what
  // it was told only, so Truncate and Fork do not go with it.
  Token Next(Sampler& sampler, TokenConstraint& constraint);

  // Logits [vocab_size] after the last token; valid until the session is used
  // again.  Throws Error (kInvalidArgument) if nothing was appended yet.
  [[nodiscard]] std::span<const float> Logits();

  // Tokens in the context, and how many it can hold.
  [[nodiscard]] std::span<const Token> tokens() const;
  [[nodiscard]] std::size_t context_length() const;
  // Forgets everything after the first `length` tokens.  Throws Error
  // (kInvalidArgument) if there are fewer.
  void Truncate(std::size_t length);

  // From any thread, or from a signal handler: makes the call of Append, Next
  // or Logits that is running, or else the next one, throw Error (kCancelled)
  // soon, within the time of one layer for at most 256 tokens.  The session
  // then is as it was before that call, and usable.  One error answers all that
  // was cancelled before it.
  void Cancel() noexcept;
  // Takes back a Cancel that no call has answered yet; false if there is none.
  // To be called before new work starts if the old may have ended by itself.
  bool ForgetCancel() noexcept;

  // A new session with the same context, options and threads of its own, whose
  // logits are the same bits: for texts that begin alike.  Copies the cache of
  // the tokens so far.  Throws Error as the constructor does.
  [[nodiscard]] Session Fork() const;

  // Writes tokens and cache, to be restored by this version of tern on any
  // machine: about cache_bytes() * tokens / context_length.  A file appears
  // under its name only when it is complete.  Throws Error (kIo).
  void Save(const std::filesystem::path& path) const;
  void Save(std::ostream& stream) const;
  // A session that goes on where the saved one was, with the same bits on the
  // same instruction set.  Context and threads may be others than those of the
  // saved session.  Throws Error as the constructor does, and kMalformed for
  // bytes that are incomplete or damaged, kUnsupported if another version wrote
  // them, kInvalidArgument if they belong to another model (Model::fingerprint)
  // or type of cache, kContextFull if the tokens do not fit.  From a stream no
  // byte behind the saved session is taken.
  static Session Restore(std::shared_ptr<const Model> model,
                         const std::filesystem::path& path,
                         const SessionOptions& options = {});
  static Session Restore(std::shared_ptr<const Model> model,
                         std::istream& stream,
                         const SessionOptions& options = {});

  // Bytes of the output head that Next, Logits and Append have read so far.
  [[nodiscard]] std::uint64_t head_bytes_read() const;
  // Bytes of the cache when the context is full.
  [[nodiscard]] std::uint64_t cache_bytes() const;
  // Bytes of working memory beside it.
  [[nodiscard]] std::uint64_t scratch_bytes() const;
  // Bytes of weights and cache that the work so far took from memory: for every
  // chunk of tokens the layers once, a row of the embedding a token, and the
  // keys and values up to its last token; for every logits the head.
  [[nodiscard]] std::uint64_t bytes_read() const;
  [[nodiscard]] int num_threads() const;

  class TERN_PRIVATE Impl;  // private to runtime/

 private:
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tern

#endif  // TERN_SESSION_H_
