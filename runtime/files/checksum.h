// XXH3, 128 bits (Collet's xxHash, BSD 2-clause, of the system): finds damage,
// 10 GB/s on one core; it does not keep out forgers.
#ifndef TERN_RUNTIME_FILES_CHECKSUM_H_
#define TERN_RUNTIME_FILES_CHECKSUM_H_

#include <cstdint>
#include <memory>
#include <span>

#include "runtime/files/input_file.h"

struct XXH3_state_s;

namespace tern::files {

struct Checksum {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const Checksum&) const = default;
};

// The checksum of bytes that arrive in pieces: seed 0, the library's default
// secret.  Belongs to one thread at a time.
class Hasher {
 public:
  // Throws Error (kOutOfMemory).
  Hasher();
  void Add(std::span<const std::uint8_t> bytes);
  // Of all bytes so far.
  [[nodiscard]] Checksum Sum() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

// Adds bytes [begin, end) of the file, in pieces.  Throws Error (kIo).
void AddRange(const InputFile& file, std::uint64_t begin, std::uint64_t end,
              Hasher& hasher);

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_CHECKSUM_H_
