#include "runtime/scheduler/scheduler_impl.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <new>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "runtime/memory.h"
#include "runtime/session_options.h"
#include "runtime/signals_blocked.h"

namespace tern {
namespace {

constexpr std::size_t kMostSlots = 128;
constexpr int kMostLogprobs = 100;

[[noreturn]] void RefuseOption(const std::string& what,
                               const std::string& allowed) {
  throw Error(ErrorCode::kInvalidArgument,
              "scheduler: " + what + "; give " + allowed);
}

std::size_t MaxTokens(const SchedulerOptions& options) {
  // As many as a pass can have: those of all slots and its part of prompts.
  return std::max(kPrefillChunk, options.slots + options.pass_tokens);
}

SchedulerOptions Resolve(const Model& model, SchedulerOptions options) {
  if (options.slots == 0 || options.slots > kMostSlots) {
    RefuseOption(std::to_string(options.slots) + " slots", "1 to 128");
  }
  if (options.pass_tokens == 0 || options.pass_tokens > kPrefillChunk) {
    RefuseOption(std::to_string(options.pass_tokens) + " tokens a pass",
                 "1 to 256");
  }
  options.context_length =
      ResolveContext(options.context_length, model.config());
  options.num_threads = ResolveThreads(options.num_threads);
  const std::uint64_t scratch = Batch::Bytes(
      model, options.slots, MaxTokens(options), options.num_threads);
  RequireMemory(scratch,
                "scheduler of " + std::to_string(options.slots) + " slots",
                "use fewer slots");
  if (options.cache_bytes == 0) {
    // An eighth for what the program does beside this.
    options.cache_bytes = (AvailableMemory() - scratch) / 8 * 7;
  }
  return options;
}

}  // namespace

Scheduler::Impl::Impl(std::shared_ptr<const Model> model,
                      const SchedulerOptions& options)
    : process_(getpid()),
      model_(std::move(model)),
      options_(Resolve(*model_, options)),
      pool_(model_->config(), {.slots = options_.slots,
                               .context_length = options_.context_length,
                               .kv_type = options_.kv_type,
                               .cache_bytes = options_.cache_bytes}),
      batch_(std::make_unique<Batch>(
          model_, options_.slots, MaxTokens(options_), options_.num_threads)) {
  entries_.reserve(options_.slots);
  prompts_.reserve(options_.slots);
  statistics_.cache_bytes_limit = options_.cache_bytes;
  const SignalsBlocked blocked;
  try {
    thread_ = std::thread([this] { Serve(); });
  } catch (const std::system_error&) {
    throw Error(ErrorCode::kInvalidArgument,
                "scheduler: the system gives no more threads; use fewer");
  }
}

Scheduler::Impl::~Impl() {
  CancelAll();
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    is_over_ = true;
  }
  work_.notify_all();
  thread_.join();
}

bool Scheduler::Impl::IsOfThisProcess() const { return getpid() == process_; }

// ------------------------------------------------------ callers' threads

RequestId Scheduler::Impl::Submit(GenerateRequest request) {
  try {
    CheckRequest(request);
    return Enqueue(std::make_shared<Sequence>(0, std::move(request)));
  } catch (...) {
    const std::lock_guard lock(mutex_);
    ++statistics_.refused;
    throw;
  }
}

void Scheduler::Impl::CheckRequest(const GenerateRequest& request) const {
  const std::size_t size = request.prompt.size();
  if (size == 0) RefuseOption("an empty prompt", "at least one token");
  if (request.max_tokens == 0) RefuseOption("max_tokens is 0", "at least 1");
  if (request.top_logprobs < -1 || request.top_logprobs > kMostLogprobs) {
    RefuseOption("top_logprobs is " + std::to_string(request.top_logprobs),
                 "-1 (none) to 100");
  }
  RequireTokens(request.prompt, model_->config());
  if (size >= options_.context_length) {
    throw Error(ErrorCode::kContextFull,
                "prompt: has " + std::to_string(size) +
                    " tokens, which leaves no room in the context of " +
                    std::to_string(options_.context_length) +
                    "; shorten it or make the context longer");
  }
  const std::size_t needed = pool_.Needed(request);
  if (pool_.Bytes(needed) <= options_.cache_bytes) return;
  throw Error(ErrorCode::kOutOfMemory,
              "request of " + std::to_string(needed) + " positions: takes " +
                  std::to_string(pool_.Bytes(needed)) +
                  " bytes of keys and values, but all requests together get " +
                  std::to_string(options_.cache_bytes) +
                  "; ask for fewer tokens");
}

RequestId Scheduler::Impl::Enqueue(const std::shared_ptr<Sequence>& sequence) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) {
    throw Error(ErrorCode::kCancelled,
                "scheduler: takes no more requests; it is being shut down");
  }
  if (requests_.size() >= options_.slots + options_.max_waiting) {
    throw Error(ErrorCode::kBusy,
                "scheduler: " + std::to_string(requests_.size()) +
                    " requests are running or waiting; try again later");
  }
  sequence->id = next_id_++;
  waiting_.push_back(sequence);
  try {
    requests_.emplace(sequence->id, sequence);
  } catch (...) {
    waiting_.pop_back();
    throw;
  }
  ++statistics_.submitted;
  work_.notify_one();
  return sequence->id;
}

void Scheduler::Impl::Cancel(RequestId id) {
  const std::lock_guard lock(mutex_);
  const auto found = requests_.find(id);
  if (found != requests_.end()) found->second->is_cancelled = true;
}

void Scheduler::Impl::CancelAll() {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, sequence] : requests_) sequence->is_cancelled = true;
  cut_ = true;
}

void Scheduler::Impl::Close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
}

bool Scheduler::Impl::Drain(std::chrono::milliseconds most) {
  if (std::this_thread::get_id() == thread_.get_id()) {
    throw Error(ErrorCode::kBusy,
                "scheduler: a callback cannot wait for the thread that calls "
                "it; call Drain from another one");
  }
  // Longer times overflow in the standard library's clocks.
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 365);
  std::unique_lock lock(mutex_);
  is_closed_ = true;
  return nobody_.wait_for(lock, std::min(most, kLongest),
                          [&] { return requests_.empty() && !is_ending_; });
}

SchedulerStatistics Scheduler::Impl::Statistics() const {
  const std::lock_guard lock(mutex_);
  SchedulerStatistics now = statistics_;
  now.waiting = waiting_.size();
  now.active = requests_.size() - waiting_.size();
  return now;
}

// --------------------------------------------------- the scheduler's thread

void Scheduler::Impl::Serve() {
  while (WaitForWork()) {
    std::optional<Error> error;
    try {
      EndCancelled();
      Admit();
      RunPass();
      continue;
    } catch (const Error& thrown) {
      error = thrown;
    } catch (const std::exception&) {
      error = Error(ErrorCode::kOutOfMemory,
                    "scheduler: there is not enough memory; use fewer slots, "
                    "or free some memory");
    }
    while (!pool_.active().empty()) {
      EndInSlot(*pool_.active().front(), FinishReason::kError, error);
    }
  }
}

// False at the end.
bool Scheduler::Impl::WaitForWork() {
  std::unique_lock lock(mutex_);
  work_.wait(lock, [&] { return is_over_ || !requests_.empty(); });
  return !requests_.empty();
}

void Scheduler::Impl::EndCancelled() {
  std::vector<std::shared_ptr<Sequence>> cancelled;
  {
    const std::lock_guard lock(mutex_);
    cut_ = false;
    std::erase_if(waiting_, [&](const std::shared_ptr<Sequence>& sequence) {
      if (sequence->is_cancelled) cancelled.push_back(sequence);
      return sequence->is_cancelled.load();
    });
  }
  for (const auto& sequence : cancelled) {
    End(sequence, FinishReason::kCancelled);
  }
  const std::vector<Slot*> active(pool_.active().begin(), pool_.active().end());
  for (Slot* slot : active) {
    if (slot->sequence->is_cancelled) {
      EndInSlot(*slot, FinishReason::kCancelled);
    }
  }
}

void Scheduler::Impl::Admit() {
  while (AdmitFirst()) {
  }
}

// Gives the first request that waits a slot, or an end; false if there is none
// or it has to wait on.
bool Scheduler::Impl::AdmitFirst() {
  std::shared_ptr<Sequence> first;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return false;
    first = waiting_.front();
  }
  std::optional<Error> error;
  try {
    Slot* slot = pool_.Take(first);
    if (slot == nullptr) return false;
    // At once: what it begins with may be dropped for the next request.
    pool_.ShareOrWait(*slot);
  } catch (const Error& thrown) {
    error = thrown;
  } catch (const std::bad_alloc&) {
    error = Error(ErrorCode::kOutOfMemory,
                  "scheduler: there is not enough memory for one more request; "
                  "use fewer slots");
  }
  {
    const std::lock_guard lock(mutex_);
    waiting_.pop_front();  // only this thread takes any out
  }
  if (error) End(first, FinishReason::kError, error);
  return true;
}

void Scheduler::Impl::RunPass() {
  entries_.clear();
  PlanDecoding();
  PlanPrompts();
  if (entries_.empty() || !batch_->Run(entries_, cut_)) return;
  CountPass();
  for (BatchResult& result : batch_->results()) Deliver(result);
}

void Scheduler::Impl::PlanDecoding() {
  for (Slot* slot : pool_.active()) {
    if (slot->IsReading()) continue;
    entries_.push_back({slot, slot->tokens.size() - slot->num_run});
  }
}

// The tokens of prompts that the pass has room for, in equal shares: so a short
// prompt does not wait for the end of a long one.
void Scheduler::Impl::PlanPrompts() {
  prompts_.clear();
  for (Slot* slot : pool_.active()) {
    if (!slot->IsReading() || pool_.ShareOrWait(*slot)) continue;
    prompts_.push_back({slot, slot->tokens.size() - slot->num_run});
  }
  std::stable_sort(prompts_.begin(), prompts_.end(),
                   [](const BatchEntry& a, const BatchEntry& b) {
                     return a.tokens < b.tokens;
                   });
  const std::size_t decoding = entries_.size();
  const std::size_t most = options_.pass_tokens;
  std::size_t room = kPrefillChunk;  // nobody waits for a next token
  if (decoding != 0) {
    room = std::max<std::size_t>(most > decoding ? most - decoding : 0,
                                 (most + 3) / 4);
  }
  for (std::size_t i = 0; i < prompts_.size() && room != 0; ++i) {
    const std::size_t others = prompts_.size() - i;
    const std::size_t share = (room + others - 1) / others;
    entries_.push_back({prompts_[i].slot, std::min(prompts_[i].tokens, share)});
    room -= entries_.back().tokens;
  }
}

void Scheduler::Impl::CountPass() {
  std::uint64_t read = 0;
  std::uint64_t chosen = 0;
  for (const BatchEntry& entry : entries_) {
    // Its tokens have been run: the prompt's last one may be among them.
    const Slot& slot = *entry.slot;
    if (slot.num_run <= slot.sequence->prompt_tokens) read += entry.tokens;
  }
  for (const BatchResult& result : batch_->results()) {
    if (result.has_choice && !result.choice.error) ++chosen;
  }
  const std::lock_guard lock(mutex_);
  ++statistics_.passes;
  statistics_.prompt_tokens += read;
  statistics_.generated_tokens += chosen;
  statistics_.cache_bytes = pool_.BytesInUse();
}

void Scheduler::Impl::Deliver(BatchResult& result) {
  Slot& slot = *result.slot;
  if (result.choice.error) {
    EndInSlot(slot, FinishReason::kError, result.choice.error);
    return;
  }
  if (!result.has_choice || slot.sequence->is_cancelled) return;
  std::string what = "something that is no exception";
  try {
    if (const auto reason = GiveToken(slot, result.choice)) {
      EndInSlot(slot, *reason);
    }
    return;
  } catch (const std::exception& exception) {
    what = exception.what();
  } catch (...) {  // the loop must go on for the others
  }
  EndInSlot(slot, FinishReason::kError,
            Error(ErrorCode::kInvalidArgument,
                  "on_token: threw " + what + "; catch it there"));
}

// Why the text ends with this token, if it does.
std::optional<FinishReason> Scheduler::Impl::GiveToken(Slot& slot,
                                                       const Choice& choice) {
  Sequence& sequence = *slot.sequence;
  const GenerateRequest& request = sequence.request;
  slot.tokens.push_back(choice.token);
  ++sequence.generated_tokens;
  if (!request.ignore_end_of_text && model_->has_tokenizer() &&
      model_->tokenizer().IsEndOfText(choice.token)) {
    return FinishReason::kEndOfText;
  }
  if (request.on_token &&
      !request.on_token({choice.token, choice.logprob, choice.top})) {
    return FinishReason::kStopped;
  }
  if (sequence.generated_tokens == request.max_tokens) {
    return FinishReason::kLength;
  }
  if (slot.tokens.size() == options_.context_length) {
    return FinishReason::kContext;
  }
  return std::nullopt;
}

void Scheduler::Impl::EndInSlot(Slot& slot, FinishReason reason,
                                const std::optional<Error>& error) {
  const std::shared_ptr<Sequence> sequence = slot.sequence;
  pool_.Return(slot);
  End(sequence, reason, error);
}

void Scheduler::Impl::End(const std::shared_ptr<Sequence>& sequence,
                          FinishReason reason,
                          const std::optional<Error>& error) {
  {
    const std::lock_guard lock(mutex_);
    requests_.erase(sequence->id);
    is_ending_ = true;
    statistics_.reused_tokens += sequence->reused_tokens;
    if (sequence->reused_tokens != 0) ++statistics_.prefix_hits;
    if (reason == FinishReason::kCancelled) {
      ++statistics_.cancelled;
    } else if (reason == FinishReason::kError) {
      ++statistics_.failed;
    } else {
      ++statistics_.finished;
    }
  }
  try {
    if (sequence->request.on_end) {
      sequence->request.on_end(
          {.reason = reason,
           .error = error,
           .prompt_tokens = sequence->prompt_tokens,
           .reused_tokens = sequence->reused_tokens,
           .generated_tokens = sequence->generated_tokens});
    }
    // What the callbacks hold goes before Drain says that all is over.
    sequence->request = {};
  } catch (...) {  // nobody is left to tell
  }
  const std::lock_guard lock(mutex_);
  is_ending_ = false;
  nobody_.notify_all();
}

}  // namespace tern
