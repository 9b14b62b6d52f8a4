// Weights must be numbers: one NaN in an embedding spoils every logit.
#ifndef TERN_RUNTIME_FILES_FINITE_H_
#define TERN_RUNTIME_FILES_FINITE_H_

#include <cstdint>
#include <span>

#include "runtime/files/stored_tensor.h"

namespace tern::files {

// `bytes` is the data of a kF32, kF16, kBf16 or kQ8_0 tensor from its byte
// `first` on, whole elements or blocks.  Throws Error (kMalformed) naming the
// first element, or block of Q8_0, that is not finite.
void RequireFinite(const StoredTensor& tensor, std::uint64_t first,
                   std::span<const std::uint8_t> bytes);

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_FINITE_H_
