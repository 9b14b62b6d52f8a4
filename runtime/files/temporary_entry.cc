#include "runtime/files/temporary_entry.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <tern/error.h>

namespace tern::files {
namespace {

namespace fs = std::filesystem;
using Kind = TemporaryEntry::Kind;

constexpr std::string_view kPrefix = ".tern-";
constexpr std::string_view kSuffix = ".tmp";

fs::path DirectoryOf(const fs::path& destination) {
  const fs::path parent = destination.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

// ".tern-PID-N.tmp" and nothing else.
bool IsTemporaryName(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix) ||
      name.size() < kPrefix.size() + kSuffix.size()) {
    return false;
  }
  name.remove_prefix(kPrefix.size());
  name.remove_suffix(kSuffix.size());
  const std::size_t dash = name.find('-');
  const auto is_number = [](std::string_view digits) {
    return !digits.empty() &&
           std::all_of(digits.begin(), digits.end(),
                       [](char c) { return c >= '0' && c <= '9'; });
  };
  return dash != std::string_view::npos && is_number(name.substr(0, dash)) &&
         is_number(name.substr(dash + 1));
}

// Never waits, never follows a link, and opens nothing but files and
// directories of this user.  -1 if it cannot or must not be opened.
int OpenLeftover(const fs::path& path) {
  const int descriptor =
      ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) return -1;
  struct stat status {};
  const bool is_ours = ::fstat(descriptor, &status) == 0 &&
                       (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) &&
                       status.st_uid == ::geteuid();
  if (is_ours && ::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

// What processes that are dead have left.  Whatever cannot be removed stays.
void RemoveLeftovers(const fs::path& directory) {
  std::error_code ignored;
  for (fs::directory_iterator entry(directory, ignored), end;
       !ignored && entry != end; entry.increment(ignored)) {
    if (!IsTemporaryName(entry->path().filename().string())) continue;
    const int descriptor = OpenLeftover(entry->path());
    if (descriptor < 0) continue;
    std::error_code stays;
    fs::remove_all(entry->path(), stays);
    ::close(descriptor);
  }
}

// -1 and errno if it cannot be made.
int Make(const fs::path& path, Kind kind) {
  // 0666, 0777 and the umask: what any other program would create.
  if (kind == Kind::kFile) {
    return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  }
  if (::mkdir(path.c_str(), 0777) != 0) return -1;
  return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

// Takes the lock.  False if another process, which took the new entry for a
// leftover, was faster and has removed it.
bool Hold(int descriptor, const fs::path& path) {
  // File systems without locks have no leftovers removed either: fine.
  ::flock(descriptor, LOCK_EX);
  struct stat held {};
  struct stat named {};
  return ::fstat(descriptor, &held) == 0 &&
         ::lstat(path.c_str(), &named) == 0 && held.st_dev == named.st_dev &&
         held.st_ino == named.st_ino;
}

}  // namespace

void ThrowIo(const fs::path& place, const char* doing, int error) {
  const bool is_full = error == ENOSPC || error == EDQUOT;
  throw Error(ErrorCode::kIo,
              place.string() + ": " + doing + " failed (" +
                  std::generic_category().message(error) + "); " +
                  (is_full ? "the disk is full, or your share of it: make room "
                             "or choose another place"
                           : "check the disk and the directory's permissions"));
}

TemporaryEntry::TemporaryEntry(const fs::path& destination, Kind kind) {
  const fs::path directory = DirectoryOf(destination);
  RemoveLeftovers(directory);
  constexpr int kAttempts = 1000;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    path_ = directory / (std::string(kPrefix) + std::to_string(::getpid()) +
                         "-" + std::to_string(attempt) + std::string(kSuffix));
    descriptor_ = Make(path_, kind);
    if (descriptor_ < 0) {
      if (errno == EEXIST) continue;
      break;
    }
    if (Hold(descriptor_, path_)) return;
    ::close(descriptor_);
    descriptor_ = -1;
    errno = EEXIST;
  }
  ThrowIo(destination, "creating a temporary file beside it", errno);
}

TemporaryEntry::~TemporaryEntry() {
  std::error_code stays;  // and is removed by the next process
  if (!released_) fs::remove_all(path_, stays);
  ::close(descriptor_);  // and with it the lock
}

void SyncParent(const fs::path& path) {
  const int directory =
      ::open(DirectoryOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  ::fsync(directory);
  ::close(directory);
}

}  // namespace tern::files
