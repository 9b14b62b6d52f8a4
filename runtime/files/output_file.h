// A new file that appears under its name only when it is complete: everything
// goes into a temporary file in the same directory, which Commit renames.  A
// crash, a kill, a full disk or an exception leaves the old file, or none, and
// at most a temporary file, which the next OutputFile there removes
// (temporary_entry.h).
#ifndef TERN_RUNTIME_FILES_OUTPUT_FILE_H_
#define TERN_RUNTIME_FILES_OUTPUT_FILE_H_

#include <cstdint>
#include <filesystem>
#include <span>

#include "runtime/files/temporary_entry.h"

namespace tern::files {

class OutputFile {
 public:
  // Throws Error: kInvalidArgument if `destination` exists and `overwrite` is
  // false, or if it is no regular file (a directory, a device); kIo if the
  // temporary file cannot be made.
  OutputFile(std::filesystem::path destination, bool overwrite);

  [[nodiscard]] const std::filesystem::path& destination() const {
    return destination_;
  }
  // Takes room for so many bytes on the disk now, so that a lack of it is an
  // Error (kIo) at once and not after an hour.  Fewer may be written.  File
  // systems that cannot are passed over.
  void Reserve(std::uint64_t bytes);
  // Appends.  Throws Error (kIo), on a full disk for instance.
  void Write(std::span<const std::uint8_t> bytes);
  // Replaces bytes that have been written.
  void WriteAt(std::uint64_t offset, std::span<const std::uint8_t> bytes);
  // Puts the bytes on the disk and the file in its place.  If another file has
  // taken the name meanwhile and `overwrite` is false, throws Error
  // (kInvalidArgument) and leaves that one alone.
  void Commit();

 private:
  void PutInPlace();

  std::filesystem::path destination_;
  bool overwrite_;
  TemporaryEntry temporary_;
  std::uint64_t size_ = 0;
};

// Throws Error (kInvalidArgument): "PATH: exists already; ...".
[[noreturn]] void RefuseExisting(const std::filesystem::path& path);

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_OUTPUT_FILE_H_
