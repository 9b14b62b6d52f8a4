// A request, from Submit to on_end.
#ifndef TERN_RUNTIME_SCHEDULER_SEQUENCE_H_
#define TERN_RUNTIME_SCHEDULER_SEQUENCE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <tern/sampler.h>
#include <tern/scheduler.h>

#include "runtime/kv_cache.h"

namespace tern {

struct Sequence {
  Sequence(RequestId number, GenerateRequest what)
      : id(number),
        request(std::move(what)),
        prompt_tokens(request.prompt.size()),
        sampler(request.sampler) {}

  RequestId id;
  GenerateRequest request;
  std::size_t prompt_tokens;
  Sampler sampler;
  std::size_t reused_tokens = 0;
  std::size_t generated_tokens = 0;
  std::atomic<bool> is_cancelled = false;  // from any thread
};

// Room for one text, and what is in it: a text that is being read or written,
// or what is left of one that has ended, for others to begin with.
struct Slot {
  std::unique_ptr<KvCache> cache;  // made when it is first needed
  // While a request runs, its prompt and what was generated; else the tokens
  // whose keys and values are there.
  std::vector<Token> tokens;
  // The first so many have their keys and values in the cache.
  std::size_t num_run = 0;
  // Positions that the request may come to need.
  std::size_t promised = 0;
  std::uint64_t last_used = 0;         // the larger, the later
  std::shared_ptr<Sequence> sequence;  // null: no request

  [[nodiscard]] bool IsReading() const {
    return sequence != nullptr && num_run < sequence->prompt_tokens;
  }
};

}  // namespace tern

#endif  // TERN_RUNTIME_SCHEDULER_SEQUENCE_H_
