// Hugging Face safetensors: 8 bytes of header length, a JSON header, data.
#ifndef TERN_RUNTIME_FILES_SAFETENSORS_H_
#define TERN_RUNTIME_FILES_SAFETENSORS_H_

#include <filesystem>
#include <map>
#include <string>

#include "runtime/files/on_fault.h"
#include "runtime/files/stored_tensor.h"

namespace tern::files {

using TensorMap = std::map<std::string, StoredTensor>;

// One file.  Every offset is checked: ranges lie inside the file, do not
// overlap, and have the size that type and shape say.  Throws Error
// (kMalformed) naming the file and the tensor.
//
// With an `on_fault` that returns, gives all tensors that the header names, as
// far as it can be read, those with a fault marked so and as kOther.
TensorMap ReadSafetensors(const std::filesystem::path& path,
                          const OnFault& on_fault = ThrowFault);

// All tensors of a directory: model.safetensors, or the shards that
// model.safetensors.index.json names (plain file names only, inside the
// directory; a missing shard or a tensor in the wrong shard is an Error).
TensorMap ReadSafetensorsDirectory(const std::filesystem::path& directory,
                                   const OnFault& on_fault = ThrowFault);

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_SAFETENSORS_H_
