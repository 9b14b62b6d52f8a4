// What makes a GGUF file a t2 file, tern's own format: a version, an alignment,
// and checksums of all its bytes in its last tensor.  packing/README.md
// describes them.
#ifndef TERN_RUNTIME_FILES_T2_FILE_H_
#define TERN_RUNTIME_FILES_T2_FILE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/files/checksum.h"
#include "runtime/files/gguf.h"

namespace tern::files {

inline constexpr const char* kT2VersionKey = "tern.t2.version";
inline constexpr std::uint64_t kT2Version = 1;
// Tensors begin with a cache line, as the kernels want it.
inline constexpr std::uint64_t kT2Alignment = 64;
inline constexpr const char* kChecksumsName = "tern.checksums";

// True if the file says that it is one.
bool IsT2(const GgufFile& file);

// By ReadGguf, once it has the keys.  Throws Error (kUnsupported) for a version
// other than kT2Version.
void CheckT2Version(const GgufFile& file);
// By ReadGguf, once it has the tensors.  Throws Error (kMalformed) for a t2
// file without its alignment or its checksums, and for another file that has
// something of a t2 file.
void CheckT2Parts(const GgufFile& file);

// The recorded checksums of a t2 file: one for each of the other tensors, and
// one for the rest of the bytes.  May be asked by several threads at once; the
// file must outlive it.
class T2Checksums {
 public:
  // Reads them, and all that the last is for.  Throws Error: kUnsupported if
  // the file is no t2 file, kIo.
  explicit T2Checksums(const GgufFile& file);

  [[nodiscard]] std::size_t size() const { return recorded_.size(); }
  // Which tensor the checksum is for; the last is for the rest, and counts as
  // that of the tensor of checksums.
  [[nodiscard]] const StoredTensor& Tensor(std::size_t index) const {
    return *tensors_[index];
  }
  // Whether the last is right: only then are the others known to be those that
  // were written.
  [[nodiscard]] bool are_sound() const { return are_sound_; }
  // Reads the bytes.  Throws Error (kMalformed) naming them if they are not
  // those that were written, or might not be, if the checksums are not sound;
  // kIo.
  void Check(std::size_t index) const;

 private:
  [[nodiscard]] Checksum RestSum() const;

  const GgufFile* file_;
  std::vector<const StoredTensor*> tensors_;  // by offset
  std::vector<Checksum> recorded_;
  bool are_sound_ = false;
};

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_T2_FILE_H_
