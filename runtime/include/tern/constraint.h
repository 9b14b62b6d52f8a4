// What a generated text may be: a rule that is asked before every token which
// ones may follow.  A sampler then chooses among those, as if all others had
// probability 0.
//
// A TokenConstraint belongs to one text, and to one thread at a time.
#ifndef TERN_CONSTRAINT_H_
#define TERN_CONSTRAINT_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include <tern/api.h>
#include <tern/tokenizer.h>

namespace tern {

class TERN_API TokenConstraint {
 public:
  TokenConstraint() = default;
  TokenConstraint(const TokenConstraint&) = delete;
  TokenConstraint& operator=(const TokenConstraint&) = delete;
  virtual ~TokenConstraint();

  // Sets allowed[t] to 1 for each token t that may come next; all are 0 before.
  // Tokens that end a text are allowed where the text may end.  Ids beyond
  // allowed.size() cannot be chosen.
  virtual void Allow(std::span<std::uint8_t> allowed) = 0;

  // `token` was chosen, one of those that were allowed.
  virtual void Accept(Token token) = 0;
};

}  // namespace tern

#endif  // TERN_CONSTRAINT_H_
