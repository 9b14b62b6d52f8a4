// Converts any model that tern reads into one GGUF file.
#ifndef TERN_PACK_H_
#define TERN_PACK_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include <tern/model.h>

namespace tern {

// How ternary weights are written; packing/README.md describes the bytes.
enum class PackedType { kI2S, kTQ1_0, kTQ2_0, kQ2_0 };
// How the embedding (and with it a tied head) is written.
enum class PackedHead { kKeep, kF16, kQ8_0 };

struct PackOptions {
  PackedType type = PackedType::kI2S;
  PackedHead head = PackedHead::kKeep;
  // As in LoadOptions; what ternary layers take is recorded in the file.
  std::optional<InputType> input_type = std::nullopt;
  I2SLayout i2s_layout = I2SLayout::kA;
  bool overwrite = false;  // replace an existing destination
  // Called after each tensor.  May throw to give up: nothing is left behind.
  std::function<void(double fraction)> progress = nullptr;
};

struct PackReport {
  std::uint64_t bytes = 0;    // of the new file
  std::uint64_t tensors = 0;  // written
};

// Writes `destination` through a temporary file beside it, which takes its name
// only when complete.  Float master weights are ternarised by absmean (Ma et
// al. 2024, arXiv 2402.17764, section 2).  Ternary codes and multipliers are
// never changed: what the chosen type cannot hold exactly is refused with an
// Error.  The embedding is rounded only if `head` says so.
PackReport Pack(const std::filesystem::path& source,
                const std::filesystem::path& destination,
                const PackOptions& options = {});

}  // namespace tern

#endif  // TERN_PACK_H_
