// What tern pack will write, from the headers of a model: every tensor with its
// type and shape and the metadata of the model, so that what cannot be written
// is refused before anything is.  For type T2 the shape of a matrix's
// multipliers must be known, too; where the source has more than one of them,
// the matrix is read for it.
#ifndef TERN_RUNTIME_PACK_PLAN_H_
#define TERN_RUNTIME_PACK_PLAN_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <tern/pack.h>

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/files/gguf_writer.h"
#include "runtime/pack_extras.h"

namespace tern {

// One tensor of the new file and where it comes from.
struct PlannedTensor {
  // What is done with the source.
  enum class How {
    kCopy,     // the stored bytes
    kFloats,   // read as floats, written as target.type
    kTernary,  // `linear` read as codes, written as target.type; of T2 the
               // multipliers follow
    kValues,   // `values`
  };
  files::GgufTensor target;
  // The tensor that follows it, of T2's multipliers.
  std::optional<files::GgufTensor> multipliers = std::nullopt;
  How how = How::kFloats;
  const files::StoredTensor* source = nullptr;
  const checkpoint::LinearSource* linear = nullptr;
  std::vector<float> values = {};
  // Not 0: rows are written in the order of interleaved rotary pairs of this
  // many heads, as GGUF has it for architecture llama.
  std::size_t interleaved_heads = 0;
};

// The plan points into `source`.  Throws Error (kUnsupported) naming the tensor
// for what the types cannot hold, and as checkpoint::ReadLinear.
std::vector<PlannedTensor> PlanTensors(const checkpoint::Checkpoint& source,
                                       const PackExtras& extras,
                                       const PackOptions& options);

// general.*, the keys of the architecture, tern's own and what else was kept.
files::GgufMetadata PlanMetadata(const checkpoint::Checkpoint& source,
                                 PackExtras extras, const PackOptions& options);

// The model's own name; of a Hugging Face model without one that of its
// directory, as converters have it.  Empty if there is none, or none in UTF-8.
std::string ModelName(const checkpoint::Checkpoint& source);

// Throws Error (kUnsupported), "TENSOR: WHAT; ADVICE".
[[noreturn]] void RefuseTensor(const files::StoredTensor& tensor,
                               const std::string& what,
                               const std::string& advice);

}  // namespace tern

#endif  // TERN_RUNTIME_PACK_PLAN_H_
