// The two families of files that Open tells apart.
#ifndef TERN_RUNTIME_CHECKPOINT_FORMATS_H_
#define TERN_RUNTIME_CHECKPOINT_FORMATS_H_

#include <filesystem>

#include "runtime/checkpoint/checkpoint.h"

namespace tern::checkpoint {

// Both as Open, except for what it does with all formats alike.
Checkpoint OpenGguf(const std::filesystem::path& path,
                    const OpenOptions& options, const files::OnFault& on_fault);

// `path` is a directory, or one .safetensors file; config.json lies in the
// directory or beside the file.
Checkpoint OpenHuggingFace(const std::filesystem::path& path,
                           const OpenOptions& options,
                           const files::OnFault& on_fault);

}  // namespace tern::checkpoint

#endif  // TERN_RUNTIME_CHECKPOINT_FORMATS_H_
