// The reference model of files that only tern can read (GGUF): decoded by its
// readers, which tests of their own check.  Everything after that is
// reference_model.h.
#ifndef TERN_TESTS_SUPPORT_CHECKPOINT_REFERENCE_H_
#define TERN_TESTS_SUPPORT_CHECKPOINT_REFERENCE_H_

#include "runtime/checkpoint/checkpoint.h"
#include "tests/support/reference_model.h"

namespace tern::testing {

ReferenceMatrix ReadReferenceMatrix(const checkpoint::LinearSource& source);

ReferenceModel ReadReferenceModel(const checkpoint::Checkpoint& checkpoint);

}  // namespace tern::testing

#endif  // TERN_TESTS_SUPPORT_CHECKPOINT_REFERENCE_H_
