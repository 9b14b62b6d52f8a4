// From the tensors of a checkpoint to the layout of the kernels.
#ifndef TERN_RUNTIME_LOAD_WEIGHTS_H_
#define TERN_RUNTIME_LOAD_WEIGHTS_H_

#include <cstdint>
#include <memory>

#include <tern/model.h>

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/weights.h"

namespace tern {

// Reads every matrix, on options.num_threads threads, one at a time each, or
// maps it.  Throws Error: kOutOfMemory before any is read if they would not
// fit, kUnsupported if there is nothing to map, and as checkpoint::ReadLinear
// and ReadDense do.
std::unique_ptr<const Weights> LoadWeights(const checkpoint::Checkpoint& from,
                                           const LoadOptions& options);

// Loads a matrix or a norm for nothing but the Errors that loading it throws.
void CheckLinear(const checkpoint::LinearSource& source);
void CheckNorm(const files::StoredTensor& tensor);

// Bytes that a kDense matrix takes in memory.
std::uint64_t DenseBytes(const checkpoint::LinearSource& source);

}  // namespace tern

#endif  // TERN_RUNTIME_LOAD_WEIGHTS_H_
