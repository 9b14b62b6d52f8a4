// From the logits after a text to its next token.
#ifndef TERN_RUNTIME_SCHEDULER_CHOOSE_H_
#define TERN_RUNTIME_SCHEDULER_CHOOSE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <tern/error.h>
#include <tern/scheduler.h>

#include "runtime/scheduler/sequence.h"

namespace tern {

// What came of a choice: a token, or an error.
struct Choice {
  Token token = -1;
  float logprob = 0;
  std::vector<TokenLogprob> top;
  std::optional<Error> error;
};

// True if a choice for this request needs all logits to be right.
bool NeedsAllLogits(const GenerateRequest& request);

// Chooses after `context` from logits [rows], which it may change.  `allowed`
// is room for a constraint.  Different sequences may be chosen for by different
// threads at once.
Choice ChooseToken(Sequence& sequence, std::span<const Token> context,
                   std::span<float> logits,
                   std::vector<std::uint8_t>& allowed) noexcept;

}  // namespace tern

#endif  // TERN_RUNTIME_SCHEDULER_CHOOSE_H_
