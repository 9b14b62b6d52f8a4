// A new file that appears under its name only when it is complete: everything
// goes into a temporary file in the same directory, which Commit renames.  A
// crash, a full disk or an exception leaves the old file, or none.
#ifndef TERN_RUNTIME_FILES_OUTPUT_FILE_H_
#define TERN_RUNTIME_FILES_OUTPUT_FILE_H_

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace tern::files {

class OutputFile {
 public:
  // Throws Error: kInvalidArgument if `destination` exists and `overwrite` is
  // false, or if it is no regular file (a directory, a device); kIo if the
  // temporary file cannot be made.
  OutputFile(std::filesystem::path destination, bool overwrite);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  OutputFile(OutputFile&&) = delete;
  OutputFile& operator=(OutputFile&&) = delete;
  // Removes the temporary file unless Commit succeeded.
  ~OutputFile();

  [[nodiscard]] const std::filesystem::path& destination() const {
    return destination_;
  }
  // Appends.  Throws Error (kIo), on a full disk for instance.
  void Write(std::span<const std::uint8_t> bytes);
  // Puts the bytes on the disk and the file in its place.  If another file has
  // taken the name meanwhile and `overwrite` is false, throws Error
  // (kInvalidArgument) and leaves that one alone.
  void Commit();

 private:
  void PutInPlace();
  [[noreturn]] void FailWith(const std::string& doing, int error) const;

  std::filesystem::path destination_;
  std::filesystem::path temporary_;
  bool overwrite_;
  int descriptor_ = -1;
  bool committed_ = false;
};

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_OUTPUT_FILE_H_
