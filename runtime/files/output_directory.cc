#include "runtime/files/output_directory.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <tern/error.h>

#include "runtime/files/output_file.h"
#include "runtime/files/quote.h"

namespace tern::files {
namespace {

namespace fs = std::filesystem;

// How the names of a published model's files end.
bool IsModelFile(const fs::directory_entry& entry) {
  constexpr std::array<std::string_view, 10> kEnds = {
      ".json", ".safetensors",   ".model", ".jinja",  ".txt",
      ".md",   ".gitattributes", ".py",    "LICENSE", ".gitignore"};
  std::error_code ignored;
  const std::string name = entry.path().filename().string();
  return entry.is_regular_file(ignored) &&
         std::any_of(kEnds.begin(), kEnds.end(),
                     [&](std::string_view end) { return name.ends_with(end); });
}

// `destination`, without a slash at its end, if a directory may be put there.
fs::path CheckDestination(fs::path destination, bool overwrite) {
  if (destination.filename().empty()) destination = destination.parent_path();
  const std::string place = destination.string();
  const std::string name = destination.filename().string();
  if (name.empty() || name == "." || name == "..") {
    throw Error(ErrorCode::kInvalidArgument,
                "'" + place +
                    "': is no name of a directory to make; give one that "
                    "does not exist");
  }
  std::error_code ignored;  // then making the temporary directory fails as well
  const fs::file_status status = fs::symlink_status(destination, ignored);
  if (!fs::exists(status)) return destination;
  if (!overwrite) RefuseExisting(destination);
  if (!fs::is_directory(status)) {
    throw Error(ErrorCode::kInvalidArgument,
                place + ": exists and is not a directory; choose another name");
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(destination)) {
    if (IsModelFile(entry)) continue;
    throw Error(ErrorCode::kInvalidArgument,
                place + ": holds " + Quote(entry.path().filename().string()) +
                    ", which is no file of a model and would be lost; choose "
                    "another name or move it away");
  }
  return destination;
}

int RenameWith(const fs::path& from, const fs::path& to, unsigned flags) {
  return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags);
}

// The file system, or the kernel, does not know the flag.
bool IsUnsupported(int error) {
  return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP;
}

}  // namespace

OutputDirectory::OutputDirectory(fs::path destination, bool overwrite)
    : destination_(CheckDestination(std::move(destination), overwrite)),
      overwrite_(overwrite),
      temporary_(destination_, TemporaryEntry::Kind::kDirectory) {}

// The old directory has the temporary name afterwards and is removed with it.
void OutputDirectory::Replace() {
  const fs::path& made = temporary_.path();
  if (RenameWith(made, destination_, RENAME_EXCHANGE) == 0) return;
  if (!IsUnsupported(errno)) ThrowIo(destination_, "exchanging", errno);
  const fs::path old =
      destination_.string() + ".old-" + std::to_string(::getpid());
  if (::rename(destination_.c_str(), old.c_str()) != 0) {
    ThrowIo(destination_, "renaming the old directory", errno);
  }
  if (::rename(made.c_str(), destination_.c_str()) != 0) {
    const int error = errno;
    ::rename(old.c_str(), destination_.c_str());
    ThrowIo(destination_, "renaming the temporary directory", error);
  }
  std::error_code stays;
  fs::remove_all(old, stays);
  temporary_.Release();
}

void OutputDirectory::Commit() {
  // Its files have been put on the disk one by one.
  ::fsync(temporary_.descriptor());
  std::error_code ignored;
  const bool is_there = fs::exists(fs::symlink_status(destination_, ignored));
  if (is_there) {
    // Again: hours may have passed.
    CheckDestination(destination_, overwrite_);
    Replace();
  } else {
    const fs::path& made = temporary_.path();
    int error = 0;
    if (RenameWith(made, destination_, RENAME_NOREPLACE) != 0) error = errno;
    if (IsUnsupported(error)) {  // a plain one replaces an empty directory only
      error = ::rename(made.c_str(), destination_.c_str()) == 0 ? 0 : errno;
    }
    if (error == EEXIST || error == ENOTEMPTY) RefuseExisting(destination_);
    if (error != 0) {
      ThrowIo(destination_, "renaming the temporary directory", error);
    }
    temporary_.Release();
  }
  SyncParent(destination_);
}

}  // namespace tern::files
