#include <tern/constraint.h>

namespace tern {

// Here, so that the class has one type information for all who use it.
TokenConstraint::~TokenConstraint() = default;

}  // namespace tern
