// The bytes of a file where the system keeps them: read when they are first
// touched, shared with all processes that map the file.  If the file shrinks
// meanwhile, reading what is gone ends the process (SIGBUS).
#ifndef TERN_RUNTIME_FILES_MAPPED_FILE_H_
#define TERN_RUNTIME_FILES_MAPPED_FILE_H_

#include <cstdint>
#include <span>

#include "runtime/files/input_file.h"

namespace tern::files {

// Any thread may read it.  The InputFile need not outlive it.
class MappedFile {
 public:
  // Throws Error (kIo).
  explicit MappedFile(const InputFile& file);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  // Begins with a page.
  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return bytes_; }

 private:
  std::span<const std::uint8_t> bytes_;
};

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_MAPPED_FILE_H_
