// Models whose linear layers are stored as plain floats, but hold nothing other
// than -s, 0 and +s.
#ifndef TERN_RUNTIME_CHECKPOINT_FIND_UNPACKED_H_
#define TERN_RUNTIME_CHECKPOINT_FIND_UNPACKED_H_

#include "runtime/checkpoint/checkpoint.h"

namespace tern::checkpoint {

// Makes kUnpacked of kDense where four rows of a matrix, spread over it, are
// ternary (packing/unpacked.h); ReadLinear then looks at all of them.  Throws
// Error (kUnsupported) if some linear layers are ternary and others are not:
// that is damage, or a model of which nobody can tell what its layers take.
void FindUnpacked(Checkpoint& checkpoint, const files::OnFault& on_fault);

// The linear layers of all layers; not embedding and head.
template <class Model, class Fn>
void ForEachLinear(Model& checkpoint, const Fn& fn) {
  for (auto& layer : checkpoint.layers) {
    for (auto* source : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate,
                         &layer.up, &layer.down}) {
      fn(*source);
    }
  }
}

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_FIND_UNPACKED_H_
