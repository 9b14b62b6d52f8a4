// A new directory of files that appears under its name only when it is
// complete: the files go into a temporary directory beside it, which Commit
// renames.  A crash, a kill or an exception leaves the old directory, or none.
//
// An old one is replaced by an exchange of the two names in one step
// (renameat2 with RENAME_EXCHANGE) and then removed.  Where the file system
// cannot do that, it is first renamed to NAME.old-PID, so that for a moment
// nothing has the name NAME: a kill there leaves the old model as NAME.old-PID,
// complete, and no NAME.
#ifndef TERN_RUNTIME_FILES_OUTPUT_DIRECTORY_H_
#define TERN_RUNTIME_FILES_OUTPUT_DIRECTORY_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "runtime/files/temporary_entry.h"

namespace tern::files {

class OutputDirectory {
 public:
  // Throws Error: kInvalidArgument if `destination` exists and `overwrite` is
  // false, or if what would be replaced is neither empty nor a model's
  // directory (config.json, weights, and of other files those alone that a
  // model is written with): what else it holds would be lost.  kIo if it cannot
  // be listed, or the temporary directory cannot be made.
  OutputDirectory(std::filesystem::path destination, bool overwrite);

  [[nodiscard]] const std::filesystem::path& destination() const {
    return destination_;
  }
  // Where its files are to be written.
  [[nodiscard]] std::filesystem::path PathOf(const std::string& name) const {
    return temporary_.path() / name;
  }
  [[nodiscard]] const std::filesystem::path& path() const {
    return temporary_.path();
  }
  // `message` with the directory's temporary path, which nobody can look at
  // later, replaced by its destination.
  [[nodiscard]] std::string WithDestination(std::string message) const;
  // Takes one of its files away again.  Throws Error (kIo).
  void Remove(const std::string& name);
  // Of all its files.  Throws Error (kIo).
  [[nodiscard]] std::uint64_t Bytes() const;
  // Puts it in its place.  Throws Error: kInvalidArgument if something has
  // taken the name meanwhile, kIo.
  void Commit();

 private:
  void Replace();

  std::filesystem::path destination_;
  bool overwrite_;
  TemporaryEntry temporary_;
};

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_OUTPUT_DIRECTORY_H_
