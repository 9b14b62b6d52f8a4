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

// `destination` if a file may be written there.
fs::path CheckDestination(fs::path destination, bool overwrite) {
  if (destination.filename().empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "'" + destination.string() +
                    "': is no file name; give the name of the file to write");
  }
  std::error_code error;
  const fs::file_status status = fs::status(destination, error);
  // A name that is too long, say: not only after hours of work.
  if (status.type() == fs::file_type::none) {
    ThrowIo(destination, "looking at it", error.value());
  }
  if (!fs::exists(status)) return destination;
  if (!fs::is_regular_file(status)) {
    throw Error(ErrorCode::kInvalidArgument,
                destination.string() +
                    ": exists and is not an ordinary file; choose another "
                    "name");
  }
  if (!overwrite) RefuseExisting(destination);
  return destination;
}

}  // namespace

void RefuseExisting(const fs::path& path) {
  throw Error(ErrorCode::kInvalidArgument,
              path.string() +
                  ": exists already; choose another name, or ask for it to be "
                  "overwritten");
}

OutputFile::OutputFile(fs::path destination, bool overwrite)
    : destination_(CheckDestination(std::move(destination), overwrite)),
      overwrite_(overwrite),
      temporary_(destination_, TemporaryEntry::Kind::kFile) {}

void OutputFile::Reserve(std::uint64_t bytes) {
  // Not posix_fallocate, which writes every block where the file system cannot.
  if (bytes == 0 || ::fallocate(temporary_.descriptor(), 0, 0,
                                static_cast<::off_t>(bytes)) == 0) {
    return;
  }
  if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) {
    const int error = errno;
    const std::string doing =
        "taking room for its " + std::to_string(bytes) + " bytes";
    ThrowIo(destination_, doing.c_str(), error);
  }
}

void OutputFile::WriteAt(std::uint64_t offset,
                         std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ::ssize_t written =
        ::pwrite(temporary_.descriptor(), bytes.data(), bytes.size(),
                 static_cast<::off_t>(offset));
    if (written > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(written));
      offset += static_cast<std::uint64_t>(written);
    } else if (written == 0) {
      ThrowIo(destination_, "writing", ENOSPC);  // no progress and no reason
    } else if (errno != EINTR) {
      ThrowIo(destination_, "writing", errno);
    }
  }
}

void OutputFile::Write(std::span<const std::uint8_t> bytes) {
  WriteAt(size_, bytes);
  size_ += bytes.size();
}

void OutputFile::PutInPlace() {
  const fs::path& temporary = temporary_.path();
  if (!overwrite_) {
    // A link, unlike a rename, fails if the name has been taken meanwhile.
    // The temporary name goes with its entry.
    if (::link(temporary.c_str(), destination_.c_str()) == 0) return;
    if (errno == EEXIST) RefuseExisting(destination_);
    // Otherwise a file system without links: look, then rename.
    CheckDestination(destination_, overwrite_);
  }
  if (::rename(temporary.c_str(), destination_.c_str()) != 0) {
    ThrowIo(destination_, "renaming the temporary file", errno);
  }
  temporary_.Release();
}

void OutputFile::Commit() {
  // More may have been reserved.
  if (::ftruncate(temporary_.descriptor(), static_cast<::off_t>(size_)) != 0) {
    ThrowIo(destination_, "setting its size", errno);
  }
  if (::fsync(temporary_.descriptor()) != 0) {
    ThrowIo(destination_, "writing to the disk", errno);
  }
  PutInPlace();
  SyncParent(destination_);
}

}  // namespace tern::files
