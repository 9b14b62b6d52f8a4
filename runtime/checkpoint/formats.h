// The two families of files that Open tells apart.
#ifndef TERN_RUNTIME_CHECKPOINT_FORMATS_H_
#define TERN_RUNTIME_CHECKPOINT_FORMATS_H_

#include <filesystem>

#include "runtime/checkpoint/checkpoint.h"

namespace tern::checkpoint {

Checkpoint OpenGguf(const std::filesystem::path& path,
                    const OpenOptions& options);

// `path` is a directory, or one .safetensors file; config.json lies in the
// directory or beside the file.
Checkpoint OpenHuggingFace(const std::filesystem::path& path,
                           const OpenOptions& options);

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_FORMATS_H_
