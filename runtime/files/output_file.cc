#include "runtime/files/output_file.h"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <tern/error.h>

namespace tern::files {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void RefuseExisting(const fs::path& destination) {
  throw Error(ErrorCode::kInvalidArgument,
              destination.string() +
                  ": exists already; choose another name, or ask for it to be "
                  "overwritten");
}

void CheckDestination(const fs::path& destination, bool overwrite) {
  if (destination.filename().empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "'" + destination.string() +
                    "': is no file name; give the name of the file to write");
  }
  std::error_code ignored;  // then creating the temporary file fails as well
  const fs::file_status status = fs::status(destination, ignored);
  if (!fs::exists(status)) return;
  if (!fs::is_regular_file(status)) {
    throw Error(ErrorCode::kInvalidArgument,
                destination.string() +
                    ": exists and is not an ordinary file; choose another "
                    "name");
  }
  if (!overwrite) RefuseExisting(destination);
}

// A name that is short whatever the destination's, and this process's own.
fs::path TemporaryName(const fs::path& destination, int attempt) {
  return destination.parent_path() / (".tern-" + std::to_string(::getpid()) +
                                      "-" + std::to_string(attempt) + ".tmp");
}

}  // namespace

void OutputFile::FailWith(const std::string& doing, int error) const {
  throw Error(ErrorCode::kIo,
              destination_.string() + ": " + doing + " failed (" +
                  std::generic_category().message(error) +
                  "); check the disk and the directory's permissions");
}

OutputFile::OutputFile(fs::path destination, bool overwrite)
    : destination_(std::move(destination)), overwrite_(overwrite) {
  CheckDestination(destination_, overwrite_);
  constexpr int kAttempts = 1000;
  for (int attempt = 0; attempt < kAttempts && descriptor_ < 0; ++attempt) {
    temporary_ = TemporaryName(destination_, attempt);
    // 0666 and the umask: what any other program would create.
    descriptor_ = ::open(temporary_.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST) break;
  }
  if (descriptor_ < 0) {
    FailWith("creating a temporary file beside it", errno);
  }
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!committed_) ::unlink(temporary_.c_str());
}

void OutputFile::Write(std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ::ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    } else if (written == 0) {
      FailWith("writing", ENOSPC);  // no progress and no reason
    } else if (errno != EINTR) {
      FailWith("writing", errno);
    }
  }
}

void OutputFile::PutInPlace() {
  if (!overwrite_) {
    // A link, unlike a rename, fails if the name has been taken meanwhile.
    if (::link(temporary_.c_str(), destination_.c_str()) == 0) {
      ::unlink(temporary_.c_str());
      return;
    }
    if (errno == EEXIST) RefuseExisting(destination_);
    // Otherwise a file system without links: look, then rename.
    CheckDestination(destination_, overwrite_);
  }
  if (::rename(temporary_.c_str(), destination_.c_str()) != 0) {
    FailWith("renaming the temporary file", errno);
  }
}

void OutputFile::Commit() {
  if (::fsync(descriptor_) != 0) FailWith("writing to the disk", errno);
  if (::close(std::exchange(descriptor_, -1)) != 0) {
    FailWith("closing", errno);
  }
  PutInPlace();
  committed_ = true;
  // The directory's entry, too.  Some file systems cannot do it: no reason to
  // fail now that the file is in its place.
  const fs::path parent = destination_.parent_path();
  const int directory = ::open(parent.empty() ? "." : parent.c_str(),
                               O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    ::fsync(directory);
    ::close(directory);
  }
}

}  // namespace tern::files
