// Converts any model that tern reads into one GGUF file, or a directory in
// Hugging Face layout.
#ifndef TERN_PACK_H_
#define TERN_PACK_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include <tern/api.h>
#include <tern/model.h>

namespace tern {

// How ternary weights are written; packing/README.md describes the bytes.
enum class PackedType {
  // tern's own: any matrix, in the kernels' layout, in a file with checksums of
  // all its bytes (verify.h) that can be mapped (model.h).
  kT2,
  kTQ2_0,
  kTQ1_0,
  kI2S,
  kQ2_0,
  // A directory: config.json, model.safetensors and the tokenizer's files.
  // Packed (quantisation `bitnet`), or as floats -s, 0 and +s where the layers
  // take their inputs as they are, because packed means int8.
  kHuggingFace,
  // For layers of plain floats: a GGUF file for other programs, with all
  // tensors in types of their own (F32, F16, BF16).  The other types leave such
  // layers as they are, too; but a file of type kT2 is for tern alone.  Refused
  // for ternary layers.
  kKeep,
};
// How the embedding (and with it a tied head) is written.
enum class PackedHead { kKeep, kF16, kQ8_0 };

struct PackOptions {
  PackedType type = PackedType::kT2;
  PackedHead head = PackedHead::kKeep;
  // As in LoadOptions; what ternary layers take is recorded in the file.
  std::optional<InputType> input_type = std::nullopt;
  I2SLayout i2s_layout = I2SLayout::kA;
  // Refuse a model without ternary layers, on which `type` would have no
  // effect.
  bool require_ternary = false;
  // Let scales be rounded to the nearest that the type can hold (f16, for all
  // types but I2_S and Hugging Face's), instead of refusing.
  bool round_scales = false;
  // Replace an existing destination; a directory only if it holds nothing but
  // the files of a model.
  bool overwrite = false;
  // Called now and then.  May throw to give up: nothing is left behind.
  std::function<void(double fraction)> progress = nullptr;
};

struct PackReport {
  std::uint64_t bytes = 0;    // of the new file, or files
  std::uint64_t tensors = 0;  // written
  std::uint64_t rounded = 0;  // of these, matrices with scales rounded
};

// Writes `destination` through a temporary file (or directory) beside it, which
// takes its name only when complete: a kill at any moment leaves what was there
// before.  Float master weights are ternarised by absmean (Ma et al. 2024,
// arXiv 2402.17764, section 2), in pieces, so that no more is in memory than
// the codes of one matrix and what they are packed into.  Ternary codes and
// multipliers are never changed: what the chosen type cannot hold exactly is
// refused with an Error, unless round_scales allows it.  The embedding is
// rounded only if `head` says so.  Metadata and tokenizer are kept
// (runtime/pack_extras.h).
TERN_API PackReport Pack(const std::filesystem::path& source,
                         const std::filesystem::path& destination,
                         const PackOptions& options = {});

}  // namespace tern

#endif  // TERN_PACK_H_
