#include "runtime/constraint.h"

#include <cstddef>
#include <limits>

#include <tern/error.h>

namespace tern {

// Here, so that the class has one type information for all who use it.
TokenConstraint::~TokenConstraint() = default;

void Constrain(TokenConstraint& constraint, std::span<float> logits,
               std::vector<std::uint8_t>& allowed) {
  allowed.assign(logits.size(), 0);
  constraint.Allow(allowed);
  bool any = false;
  for (std::size_t t = 0; t < logits.size(); ++t) {
    any = any || allowed[t] != 0;
    if (allowed[t] == 0) logits[t] = -std::numeric_limits<float>::infinity();
  }
  if (any) return;
  throw Error(ErrorCode::kInvalidArgument,
              "constraint: allows no token of the vocabulary after this text; "
              "give one that this model's tokens can satisfy");
}

}  // namespace tern
