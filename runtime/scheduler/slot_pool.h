// The slots of a scheduler: which request gets which, what it may begin with,
// and how much memory all of them may take.
//
// The memory of a slot is that of the positions promised to its request, or of
// those that are left of one.  What is promised never exceeds the limit, so a
// request that was let in can go on to its end; what is left of others goes
// when room is needed, the longest unused first.
//
// One thread at a time.
#ifndef TERN_RUNTIME_SCHEDULER_SLOT_POOL_H_
#define TERN_RUNTIME_SCHEDULER_SLOT_POOL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <tern/model.h>
#include <tern/session.h>

#include "runtime/scheduler/sequence.h"

namespace tern {

struct SlotPoolOptions {
  std::size_t slots = 0;
  std::size_t context_length = 0;
  KvType kv_type = KvType::kF16;
  std::uint64_t cache_bytes = 0;
};

class SlotPool {
 public:
  // `config` must outlive the pool.
  SlotPool(const ModelConfig& config, const SlotPoolOptions& options);

  // Bytes of the keys and values of so many positions.
  [[nodiscard]] std::uint64_t Bytes(std::size_t positions) const;
  // Positions of the cache that a request comes to need at most.
  [[nodiscard]] std::size_t Needed(const GenerateRequest& request) const;

  // Gives the request a slot, which has its prompt and as much of its keys and
  // values as there is already.  Null if there is no slot or no memory now.
  // Throws Error (kOutOfMemory) if the system does not give what the limit
  // allows.
  Slot* Take(const std::shared_ptr<Sequence>& sequence);
  // The request has ended; what is in the cache stays.
  void Return(Slot& slot);

  // Copies to a prompt that is being read what another slot has of it, if that
  // is much more than it has itself.  True if a request that came earlier is
  // just reading tokens that both begin with: then waiting for those costs less
  // than reading them twice.
  bool ShareOrWait(Slot& slot);

  // Those with a request, in the order in which they came.
  [[nodiscard]] std::span<Slot* const> active() const { return active_; }
  // Of all keys and values that are there.
  [[nodiscard]] std::uint64_t BytesInUse() const;

 private:
  [[nodiscard]] std::uint64_t PromisedBytes() const;
  [[nodiscard]] std::uint64_t LeftBytes() const;
  [[nodiscard]] Slot* LongestMatch(std::span<const Token> prompt);
  [[nodiscard]] Slot* LongestUnused(const Slot* but_not);
  Slot* MakeRoom(Slot* chosen, Slot* match, std::uint64_t bytes);
  void Keep(Slot& slot, std::size_t positions);

  const ModelConfig& config_;
  SlotPoolOptions options_;
  std::vector<Slot> slots_;
  std::vector<Slot*> active_;
  std::uint64_t uses_ = 0;
};

}  // namespace tern

#endif  // TERN_RUNTIME_SCHEDULER_SLOT_POOL_H_
