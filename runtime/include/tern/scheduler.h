// Many texts at once from one Model: the requests of a server.
//
//   tern::Scheduler scheduler(model, {.slots = 16, .context_length = 4096});
//   tern::GenerateRequest request;
//   request.prompt = model->tokenizer().Encode("Once upon a time");
//   request.max_tokens = 100;
//   request.on_token = [&](const tern::GeneratedToken& t) { return true; };
//   request.on_end = [&](const tern::GenerateResult& result) { ... };
//   scheduler.Submit(std::move(request));
//
// A thread of the scheduler's own runs passes.  Each takes the newest token of
// all texts, and some tokens of the prompts that are still being read, through
// the layers together, so that the weights are read from memory once for all of
// them.  A long prompt is read in pieces between the tokens of the others.
//
// A text does not depend on what else runs: its tokens, and the logits behind
// them, are bit for bit those of a Session with the same kv_type, given the
// prompt and then asked for Next with a Sampler of the same options.
//
// A prompt that begins like a text whose keys and values are still there, of a
// request that runs or of one that has ended, starts from a copy of them.
//
// Memory: a request is let in when the keys and values of its prompt and of
// max_tokens more fit beside those of the others; until then it waits, in the
// order of arrival.  So nothing that runs is ever thrown out.  What ended
// requests left behind for others to start from is dropped first, the longest
// unused one before others.
//
// All functions may be called from any thread at any time, also by callbacks,
// but for Drain and the destructor, which wait for the scheduler's thread.
//
// After fork(), a child may make schedulers of its own.  Those of its parent
// throw Error (kInvalidArgument) there for whatever needs their thread; to
// destroy one in the child calls nothing, and leaves its memory as it is.
#ifndef TERN_SCHEDULER_H_
#define TERN_SCHEDULER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tern/api.h>
#include <tern/constraint.h>
#include <tern/error.h>
#include <tern/model.h>
#include <tern/sampler.h>
#include <tern/session.h>
#include <tern/tokenizer.h>

namespace tern {

struct SchedulerOptions {
  // Texts that are generated at once, 1 to 128.
  std::size_t slots = 8;
  // Requests that are taken beyond the slots, to wait for one or for memory.
  std::size_t max_waiting = 64;
  // Positions of each text; 0: the model's max_context.
  std::size_t context_length = 0;
  KvType kv_type = KvType::kF16;
  // 0: as many as the process may use.
  int num_threads = 0;
  // Most bytes of keys and values; 0: seven eighths of what the machine has
  // free when the scheduler is made.
  std::uint64_t cache_bytes = 0;
  // Tokens that a pass takes at most while somebody waits for the next token of
  // a text, those of the texts included (at least a quarter of it is left for
  // prompts): the more, the sooner a prompt is read, and the longer the others
  // wait meanwhile.  1 to 256.  The products are computed for 32 tokens side by
  // side, so 64 uses them fully and keeps passes at a quarter of the 256 tokens
  // that prompts take when nobody else is there.
  std::size_t pass_tokens = 64;
};

struct TokenLogprob {
  Token token = -1;
  float logprob = 0;
};

struct GeneratedToken {
  Token token = -1;
  // With top_logprobs >= 0: the natural logarithm of the probability that the
  // model itself gives the token, before penalties, temperature, constraint and
  // the other options of the sampler.  Otherwise 0.
  float logprob = 0;
  // The top_logprobs likeliest tokens, likeliest first (of equals the lowest id
  // first); valid during the call only.
  std::span<const TokenLogprob> top = {};
};

enum class FinishReason {
  kEndOfText,  // a token that ends a text (Tokenizer::IsEndOfText)
  kStopped,    // on_token returned false
  kLength,     // max_tokens were generated
  kContext,    // the context is full
  kCancelled,  // Cancel, CancelAll or the destructor
  kError,      // see GenerateResult::error
};

struct GenerateResult {
  FinishReason reason = FinishReason::kError;
  // With kError, what went wrong: kUnsupported if the weights are damaged
  // (values that are not finite), kInvalidArgument if logits are not finite or
  // the constraint allowed no token or a callback threw.
  std::optional<Error> error = std::nullopt;
  std::size_t prompt_tokens = 0;     // of the request
  std::size_t reused_tokens = 0;     // of them, not computed again
  std::size_t generated_tokens = 0;  // the one that ended the text included
};

struct GenerateRequest {
  // At least one token.
  std::vector<Token> prompt = {};
  SamplerOptions sampler = {};
  // At least 1.  The context may end a text before.  A number that is no larger
  // than what is wanted lets more requests into memory.
  std::size_t max_tokens = std::numeric_limits<std::size_t>::max();
  // -1: no log probabilities.  From 0 on, those of the chosen tokens and of so
  // many of the likeliest.  At most 100.
  int top_logprobs = -1;
  // Go on after a token that ends a text, which then is one like any other.
  bool ignore_end_of_text = false;
  // May be null.  Used by the scheduler's threads, one at a time, until on_end
  // was called.
  std::shared_ptr<TokenConstraint> constraint = nullptr;
  // For each token in its order, but not for one that ends the text.  Returns
  // whether to go on.  May be empty.
  std::function<bool(const GeneratedToken&)> on_token = nullptr;
  // Once, the last call.  May be empty.
  std::function<void(const GenerateResult&)> on_end = nullptr;
  // Both are called on the scheduler's thread, between passes, while all texts
  // wait: they should do no more than hand over what they are given.  An
  // exception from on_token ends the request with kError; one from on_end is
  // ignored.
};

// Counts since the scheduler was made, but for those marked "now".
struct SchedulerStatistics {
  std::size_t active = 0;   // requests in slots, now
  std::size_t waiting = 0;  // requests in the queue, now
  std::uint64_t submitted = 0;
  std::uint64_t refused = 0;    // by Submit, for whatever reason
  std::uint64_t finished = 0;   // ended by themselves or by on_token
  std::uint64_t cancelled = 0;  // ended by kCancelled
  std::uint64_t failed = 0;     // ended by kError
  std::uint64_t passes = 0;
  std::uint64_t prompt_tokens = 0;  // that went through the layers
  std::uint64_t reused_tokens = 0;  // of prompts, that did not have to
  std::uint64_t prefix_hits = 0;    // requests that reused any
  std::uint64_t generated_tokens = 0;
  std::uint64_t cache_bytes = 0;        // of keys and values, now
  std::uint64_t cache_bytes_limit = 0;  // of them and of what is promised
};

// Tells requests of one scheduler apart.
using RequestId = std::uint64_t;

class TERN_API Scheduler {
 public:
  // Reserves working memory and starts the threads.  Throws Error: kOutOfMemory
  // if working memory would not fit into what the machine has free,
  // kInvalidArgument for options without a meaning.
  explicit Scheduler(std::shared_ptr<const Model> model,
                     const SchedulerOptions& options = {});
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  // Cancels what there is, whose on_end is called, and waits for that.
  ~Scheduler();

  // Takes a request, to be begun at once or later.  Callbacks may come before
  // Submit has returned.  Throws Error, and then calls nothing: kBusy if the
  // queue is full, kContextFull if the prompt leaves no room for a token,
  // kOutOfMemory if the request would not fit into cache_bytes even alone,
  // kCancelled after Close, kInvalidArgument for an empty prompt, ids outside
  // the vocabulary, or options without a meaning.
  RequestId Submit(GenerateRequest request);

  // Ends a request soon, after the pass that runs; its on_end is called with
  // kCancelled.  Nothing happens if it has ended already.
  void Cancel(RequestId id);
  // The same for all requests, and the pass that runs is cut short, too.
  void CancelAll();

  // From now on Submit throws; what was taken before goes on.
  void Close();
  // Close, then waits until all requests have ended, but no longer than `most`.
  // Whether they have.  Throws Error (kBusy) if a callback calls it.
  bool Drain(std::chrono::milliseconds most);

  [[nodiscard]] SchedulerStatistics Statistics() const;
  [[nodiscard]] const Model& model() const;
  [[nodiscard]] std::size_t slots() const;
  [[nodiscard]] std::size_t context_length() const;
  [[nodiscard]] int num_threads() const;

 private:
  class TERN_PRIVATE Impl;
  [[nodiscard]] TERN_PRIVATE Impl& Own() const;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tern

#endif  // TERN_SCHEDULER_H_
