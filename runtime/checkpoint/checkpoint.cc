#include "runtime/checkpoint/checkpoint.h"

#include <system_error>

#include <tern/error.h>

#include "runtime/checkpoint/formats.h"
#include "runtime/files/gguf.h"

namespace tern::checkpoint {

namespace {

Checkpoint OpenFormat(const std::filesystem::path& path,
                      const OpenOptions& options) {
  std::error_code ignored;  // InputFile says better what is wrong
  if (std::filesystem::is_directory(path, ignored)) {
    return OpenHuggingFace(path, options);
  }
  if (files::IsGguf(path)) {
    return OpenGguf(path, options);
  }
  if (path.extension() == ".safetensors") {
    return OpenHuggingFace(path, options);
  }
  throw Error(ErrorCode::kUnsupported,
              path.string() +
                  ": neither a GGUF nor a .safetensors file; give one of these "
                  "or a directory with config.json and model.safetensors");
}

// An option for ternary layers means nothing to a model without any.
void CheckInputType(const Checkpoint& checkpoint) {
  for (const LayerSource& layer : checkpoint.layers) {
    for (const LinearSource* source : {&layer.q, &layer.k, &layer.v, &layer.o,
                                       &layer.gate, &layer.up, &layer.down}) {
      if (source->kind != LinearKind::kDense) return;
    }
  }
  throw Error(ErrorCode::kInvalidArgument,
              checkpoint.path.string() +
                  ": its weights are not ternary, so their inputs are never "
                  "rounded; leave out the choice of activations");
}

}  // namespace

Checkpoint Open(const std::filesystem::path& path, const OpenOptions& options) {
  Checkpoint checkpoint = OpenFormat(path, options);
  if (options.input_type) CheckInputType(checkpoint);
  const LinearSource& head =
      checkpoint.head ? *checkpoint.head : checkpoint.embedding;
  checkpoint.config.ternary_head = head.kind != LinearKind::kDense;
  return checkpoint;
}

}  // namespace tern::checkpoint
