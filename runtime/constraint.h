// A constraint and the logits that it leaves.
#ifndef TERN_RUNTIME_CONSTRAINT_H_
#define TERN_RUNTIME_CONSTRAINT_H_

#include <cstdint>
#include <span>
#include <vector>

#include <tern/constraint.h>

namespace tern {

// Makes the logits of all tokens -infinity that the constraint does not allow.
// `allowed` is room for it, of any size.  Throws Error (kInvalidArgument) if it
// allows none, and what the constraint throws.
void Constrain(TokenConstraint& constraint, std::span<float> logits,
               std::vector<std::uint8_t>& allowed);

}  // namespace tern

#endif  // TERN_RUNTIME_CONSTRAINT_H_
