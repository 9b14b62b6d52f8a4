#include "runtime/checkpoint/checkpoint.h"

#include <system_error>

#include <tern/error.h>

#include "runtime/checkpoint/formats.h"
#include "runtime/files/gguf.h"

namespace tern::checkpoint {

Checkpoint Open(const std::filesystem::path& path) {
  std::error_code ignored;  // InputFile says better what is wrong
  if (std::filesystem::is_directory(path, ignored)) {
    return OpenHuggingFace(path);
  }
  if (files::IsGguf(path)) {
    return OpenGguf(path);
  }
  if (path.extension() == ".safetensors") {
    return OpenHuggingFace(path);
  }
  throw Error(ErrorCode::kUnsupported,
              path.string() +
                  ": neither a GGUF nor a .safetensors file; give one of these "
                  "or a directory with config.json and model.safetensors");
}

}  // namespace tern::checkpoint
