// What tern pack will write, from the headers of a model alone: every tensor
// with its type and shape and the metadata of the model, so that what cannot be
// written is refused before anything is.
#ifndef TERN_RUNTIME_PACK_PLAN_H_
#define TERN_RUNTIME_PACK_PLAN_H_

#include <cstddef>
#include <string>
#include <vector>

#include <tern/pack.h>

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/files/gguf_writer.h"

namespace tern {

// One tensor of the new file and where it comes from.
struct PlannedTensor {
  // What is done with the source.
  enum class How {
    kCopy,     // the stored bytes
    kFloats,   // read as floats, written as target.type
    kTernary,  // `linear` read as codes, written as target.type
    kValues,   // `values`
  };
  files::GgufTensor target;
  How how = How::kFloats;
  const files::StoredTensor* source = nullptr;
  const checkpoint::LinearSource* linear = nullptr;
  std::vector<float> values = {};
  // Not 0: rows are written in the order of interleaved rotary pairs of this
  // many heads, as GGUF has it for architecture llama.
  std::size_t interleaved_heads = 0;
};

// The plan points into `source`.  Throws Error (kUnsupported) naming the tensor
// for what the types cannot hold.
std::vector<PlannedTensor> PlanTensors(const checkpoint::Checkpoint& source,
                                       const PackOptions& options);

// general.* and the keys of the architecture.
files::GgufMetadata PlanMetadata(const checkpoint::Checkpoint& source,
                                 const PackOptions& options);

// Throws Error (kUnsupported), "TENSOR: WHAT; ADVICE".
[[noreturn]] void RefuseTensor(const files::StoredTensor& tensor,
                               const std::string& what,
                               const std::string& advice);

}  // namespace tern

#endif  // TERN_RUNTIME_PACK_PLAN_H_
