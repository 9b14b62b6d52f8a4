// A file or directory under a name of its own beside the one that it will
// become, `.tern-PID-N.tmp`, held by a lock (flock) as long as its maker lives.
//
// A process that is killed cannot remove its temporary entry.  So the next one
// that makes one in the same directory does: an entry of this user's with such
// a name whose lock is free belongs to nobody alive.  The lock, unlike the
// process number in the name, also tells for processes of other containers that
// share the directory, and the way is the same on every file system and for
// directories (O_TMPFILE would serve files alone, and not all file systems).
#ifndef TERN_RUNTIME_FILES_TEMPORARY_ENTRY_H_
#define TERN_RUNTIME_FILES_TEMPORARY_ENTRY_H_

#include <cstdint>
#include <filesystem>

namespace tern::files {

class TemporaryEntry {
 public:
  enum class Kind : std::uint8_t { kFile, kDirectory };

  // Beside `destination`, empty, after what is left over there has been
  // removed.  Throws Error (kIo).
  TemporaryEntry(const std::filesystem::path& destination, Kind kind);
  TemporaryEntry(const TemporaryEntry&) = delete;
  TemporaryEntry& operator=(const TemporaryEntry&) = delete;
  TemporaryEntry(TemporaryEntry&&) = delete;
  TemporaryEntry& operator=(TemporaryEntry&&) = delete;
  // Removes what stands under the name, unless told to Release it.
  ~TemporaryEntry();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // Of the file, for writing, or of the directory.
  [[nodiscard]] int descriptor() const { return descriptor_; }
  // It has another name now.
  void Release() { released_ = true; }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  bool released_ = false;
};

// Throws Error (kIo), "PLACE: DOING failed (REASON); ..." for an errno.
[[noreturn]] void ThrowIo(const std::filesystem::path& place, const char* doing,
                          int error);

// Puts the entries of the directory that holds `path` on the disk.  Some file
// systems cannot: no reason to fail.
void SyncParent(const std::filesystem::path& path);

}  // namespace tern::files

#endif  // TERN_RUNTIME_FILES_TEMPORARY_ENTRY_H_
