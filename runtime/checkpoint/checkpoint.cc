#include "runtime/checkpoint/checkpoint.h"

#include <system_error>

#include <tern/error.h>

#include "runtime/checkpoint/find_unpacked.h"
#include "runtime/checkpoint/formats.h"
#include "runtime/files/gguf.h"

namespace tern::checkpoint {

namespace {

bool IsI2S(const LinearSource& source) {
  return source.weight.type == files::StoredType::kI2S;
}

Checkpoint OpenFormat(const std::filesystem::path& path,
                      const OpenOptions& options,
                      const files::OnFault& on_fault) {
  std::error_code ignored;  // InputFile says better what is wrong
  if (std::filesystem::is_directory(path, ignored)) {
    return OpenHuggingFace(path, options, on_fault);
  }
  if (files::IsGguf(path)) {
    return OpenGguf(path, options, on_fault);
  }
  if (path.extension() == ".safetensors") {
    return OpenHuggingFace(path, options, on_fault);
  }
  throw Error(ErrorCode::kUnsupported,
              path.string() +
                  ": neither a GGUF nor a .safetensors file; give one of these "
                  "or a directory with config.json and model.safetensors");
}

// An option that concerns nothing in the model is a mistake.
void CheckOptions(const OpenOptions& options, const Checkpoint& checkpoint) {
  bool has_ternary = false;
  bool has_i2s = IsI2S(checkpoint.embedding) ||
                 (checkpoint.head && IsI2S(*checkpoint.head));
  ForEachLinear(checkpoint, [&](const LinearSource& source) {
    has_ternary = has_ternary || source.kind != LinearKind::kDense;
    has_i2s = has_i2s || IsI2S(source);
  });
  if (options.input_type && !has_ternary) {
    throw Error(ErrorCode::kInvalidArgument,
                checkpoint.path.string() +
                    ": its weights are not ternary, so their inputs are never "
                    "rounded; leave out the choice of activations");
  }
  if (options.i2s_layout != I2SLayout::kA && !has_i2s) {
    throw Error(ErrorCode::kInvalidArgument,
                checkpoint.path.string() +
                    ": has no I2_S tensors; leave out the choice of their "
                    "layout");
  }
}

}  // namespace

Checkpoint Open(const std::filesystem::path& path, const OpenOptions& options,
                const files::OnFault& on_fault) {
  Checkpoint checkpoint = OpenFormat(path, options, on_fault);
  FindUnpacked(checkpoint, on_fault);
  files::Reporting(on_fault, [&] { CheckOptions(options, checkpoint); });
  const LinearSource& head =
      checkpoint.head ? *checkpoint.head : checkpoint.embedding;
  checkpoint.config.ternary_head = head.kind != LinearKind::kDense;
  return checkpoint;
}

}  // namespace tern::checkpoint
