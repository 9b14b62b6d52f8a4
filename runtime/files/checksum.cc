#include "runtime/files/checksum.h"

#include <algorithm>
#include <vector>
#include <xxhash.h>

#include <tern/error.h>

namespace tern::files {

Hasher::Hasher() : state_(XXH3_createState()) {
  if (state_ == nullptr) {
    throw Error(ErrorCode::kOutOfMemory,
                "memory: none for a checksum; free some memory");
  }
  XXH3_128bits_reset(state_.get());
}

void Hasher::Free::operator()(XXH3_state_s* state) const {
  XXH3_freeState(state);
}

void Hasher::Add(std::span<const std::uint8_t> bytes) {
  // A null pointer is an error to the library, even of no bytes.
  if (bytes.empty()) return;
  XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
}

Checksum Hasher::Sum() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
  return {hash.low64, hash.high64};
}

void AddRange(const InputFile& file, std::uint64_t begin, std::uint64_t end,
              Hasher& hasher) {
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 18;
  std::vector<std::uint8_t> piece(std::min(kPiece, end - begin));
  for (; begin < end; begin += piece.size()) {
    piece.resize(std::min<std::uint64_t>(piece.size(), end - begin));
    file.Read(begin, piece);
    hasher.Add(piece);
  }
}

}  // namespace tern::files
