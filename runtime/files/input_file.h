// A file that is read by ranges, each checked: not mapped (mapped_file.h), so a
// file that shrinks while it is read gives an Error and not a SIGBUS.
#ifndef TERN_RUNTIME_FILES_INPUT_FILE_H_
#define TERN_RUNTIME_FILES_INPUT_FILE_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace tern::files {

// Safe for reads from several threads at once.
class InputFile {
 public:
  // Throws Error: kNotFound, or kIo (a directory, no permission, ...).
  explicit InputFile(std::filesystem::path path);
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // When it was opened.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // The system's number of it, for MappedFile.
  [[nodiscard]] int descriptor() const { return descriptor_; }

  // Fills `out` from `offset`.  Throws Error (kIo) if the range does not lie
  // within the file or the system fails to read it.
  void Read(std::uint64_t offset, std::span<std::uint8_t> out) const;
  // The same into a new vector; the range is checked before it is allocated.
  [[nodiscard]] std::vector<std::uint8_t> Read(std::uint64_t offset,
                                               std::uint64_t bytes) const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

// False only if no such file exists: of one that cannot be looked at (no
// permission, a link to itself) opening it then says what is wrong.
bool IsThere(const std::filesystem::path& path);

// The whole of a text file; throws Error (kMalformed) above `max_bytes`.
std::string ReadTextFile(const std::filesystem::path& path,
                         std::uint64_t max_bytes);

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_INPUT_FILE_H_
