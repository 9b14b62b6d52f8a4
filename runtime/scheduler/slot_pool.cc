#include "runtime/scheduler/slot_pool.h"

#include <algorithm>
#include <utility>

namespace tern {
namespace {

// Tokens that must be gained to copy for them or to wait for them.  Copying a
// block of 64 positions costs 1 ms for 2B4T, reading a token about 10, so this
// only has to keep requests apart that share no more than the token which
// begins every text.
constexpr std::size_t kLeastGain = 8;

// Tokens that both begin with and that `prompt` can take over: its last one
// must be run for what follows it.
std::size_t Common(std::span<const Token> prompt,
                   std::span<const Token> other) {
  const std::size_t most =
      std::min(prompt.empty() ? 0 : prompt.size() - 1, other.size());
  const auto end = prompt.begin() + static_cast<std::ptrdiff_t>(most);
  return static_cast<std::size_t>(
      std::mismatch(prompt.begin(), end, other.begin()).first - prompt.begin());
}

std::span<const Token> TokensRun(const Slot& slot) {
  return std::span<const Token>(slot.tokens).first(slot.num_run);
}

}  // namespace

SlotPool::SlotPool(const ModelConfig& config, const SlotPoolOptions& options)
    : config_(config), options_(options), slots_(options.slots) {
  active_.reserve(options.slots);
}

std::uint64_t SlotPool::Bytes(std::size_t positions) const {
  return KvCache::Bytes(config_, positions, options_.kv_type);
}

std::size_t SlotPool::Needed(const GenerateRequest& request) const {
  // The last token that is generated needs none.
  const std::size_t room = options_.context_length - request.prompt.size();
  return request.prompt.size() + std::min(request.max_tokens - 1, room);
}

std::uint64_t SlotPool::PromisedBytes() const {
  std::uint64_t bytes = 0;
  for (const Slot* slot : active_) bytes += Bytes(slot->promised);
  return bytes;
}

std::uint64_t SlotPool::LeftBytes() const {
  std::uint64_t bytes = 0;
  for (const Slot& slot : slots_) {
    if (slot.sequence == nullptr) bytes += Bytes(slot.num_run);
  }
  return bytes;
}

std::uint64_t SlotPool::BytesInUse() const {
  std::uint64_t bytes = 0;
  for (const Slot& slot : slots_) bytes += Bytes(slot.num_run);
  return bytes;
}

// The slot without a request that has most of the prompt, or null.
Slot* SlotPool::LongestMatch(std::span<const Token> prompt) {
  Slot* best = nullptr;
  std::size_t most = 0;
  for (Slot& slot : slots_) {
    if (slot.sequence != nullptr) continue;
    const std::size_t common = Common(prompt, TokensRun(slot));
    if (common > most) {
      most = common;
      best = &slot;
    }
  }
  return best;
}

// The slot without a request that was not used for longest, or null.
Slot* SlotPool::LongestUnused(const Slot* but_not) {
  Slot* longest = nullptr;
  for (Slot& slot : slots_) {
    if (slot.sequence != nullptr || &slot == but_not) continue;
    if (longest == nullptr || slot.last_used < longest->last_used) {
      longest = &slot;
    }
  }
  return longest;
}

// Drops what is left of ended requests until `bytes` more fit.  If that would
// take what the request is to begin with, it gets that slot itself.
Slot* SlotPool::MakeRoom(Slot* chosen, Slot* match, std::uint64_t bytes) {
  const std::uint64_t free = options_.cache_bytes - PromisedBytes();
  const auto fits = [&] {
    return LeftBytes() - Bytes(chosen->num_run) <= free - bytes;
  };
  std::vector<Slot*> left;
  for (Slot& slot : slots_) {
    if (slot.sequence != nullptr || &slot == chosen || &slot == match) continue;
    left.push_back(&slot);
  }
  std::sort(left.begin(), left.end(), [](const Slot* a, const Slot* b) {
    return a->last_used < b->last_used;
  });
  for (Slot* slot : left) {
    if (fits()) return chosen;
    Keep(*slot, 0);
  }
  if (fits() || match == nullptr || match == chosen) return chosen;
  Keep(*chosen, 0);
  return match;
}

// Forgets all but the first `positions`.
void SlotPool::Keep(Slot& slot, std::size_t positions) {
  slot.num_run = positions;
  slot.tokens.resize(positions);
  if (positions == 0) slot.last_used = 0;
  if (slot.cache != nullptr) slot.cache->Release(positions);
}

Slot* SlotPool::Take(const std::shared_ptr<Sequence>& sequence) {
  const std::vector<Token>& prompt = sequence->request.prompt;
  const std::size_t needed = Needed(sequence->request);
  const std::uint64_t bytes = Bytes(needed);
  const std::uint64_t promised = PromisedBytes();
  if (promised > options_.cache_bytes ||
      bytes > options_.cache_bytes - promised) {
    return nullptr;
  }
  // A text that goes on, such as a conversation, takes its slot over.  One that
  // has only its beginning in common with another leaves it in place.
  Slot* match = LongestMatch(prompt);
  Slot* slot = LongestUnused(match);
  const auto mostly = [&] {
    return 2 * Common(prompt, TokensRun(*match)) >= match->num_run;
  };
  if (match != nullptr && (slot == nullptr || mostly())) slot = match;
  if (slot == nullptr) return nullptr;
  slot = MakeRoom(slot, match, bytes);
  if (slot->cache == nullptr) {
    slot->cache = std::make_unique<KvCache>(config_, options_.context_length,
                                            options_.kv_type);
  }
  Keep(*slot, Common(prompt, TokensRun(*slot)));
  active_.push_back(slot);
  sequence->reused_tokens = slot->num_run;
  slot->tokens = prompt;
  slot->promised = needed;
  slot->sequence = sequence;
  slot->last_used = ++uses_;
  return slot;
}

void SlotPool::Return(Slot& slot) {
  std::erase(active_, &slot);
  slot.sequence = nullptr;
  slot.promised = 0;
  slot.last_used = ++uses_;
  slot.tokens.resize(slot.num_run);
}

bool SlotPool::ShareOrWait(Slot& slot) {
  const std::vector<Token>& prompt = slot.sequence->request.prompt;
  Slot* donor = nullptr;
  std::size_t most = slot.num_run + kLeastGain - 1;
  bool comes = false;  // more than any has yet
  for (Slot& other : slots_) {
    if (&other == &slot || other.tokens.empty()) continue;
    const std::size_t common = Common(prompt, other.tokens);
    const std::size_t there = std::min(common, other.num_run);
    if (there > most) {
      most = there;
      donor = &other;
    }
    const bool earlier =
        other.IsReading() && other.sequence->id < slot.sequence->id;
    comes = comes || (earlier && common >= there + kLeastGain &&
                      common >= slot.num_run + kLeastGain);
  }
  if (comes) return true;
  if (donor == nullptr) return false;
  slot.cache->CopyFrom(*donor->cache, most);
  slot.sequence->reused_tokens += most - slot.num_run;
  slot.num_run = most;
  donor->last_used = ++uses_;
  return false;
}

}  // namespace tern
