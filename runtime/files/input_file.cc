#include "runtime/files/input_file.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <tern/error.h>

namespace tern::files {
namespace {

std::string SystemMessage(int error) {
  return std::generic_category().message(error);
}

}  // namespace

InputFile::InputFile(std::filesystem::path path) : path_(std::move(path)) {
  // O_NONBLOCK: opening a named pipe must fail below, not wait for a writer.
  descriptor_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) {
      throw Error(ErrorCode::kNotFound,
                  path_.string() + ": no such file; check the path");
    }
    throw Error(ErrorCode::kIo, path_.string() + ": cannot be opened (" +
                                    SystemMessage(error) +
                                    "); check its permissions");
  }
  struct stat status {};
  if (fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    const bool is_directory = S_ISDIR(status.st_mode);
    close(descriptor_);
    throw Error(ErrorCode::kIo, path_.string() +
                                    (is_directory ? ": is a directory"
                                                  : ": is not a regular file") +
                                    "; give the name of a file");
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) {
    close(descriptor_);
  }
}

void InputFile::Read(std::uint64_t offset, std::span<std::uint8_t> out) const {
  const auto place = [&] {
    return path_.string() + ": byte " + std::to_string(offset) + ": ";
  };
  if (offset > size_ || out.size() > size_ - offset) {
    throw Error(ErrorCode::kIo, place() + std::to_string(out.size()) +
                                    " bytes wanted, but the file ends at " +
                                    std::to_string(size_) +
                                    "; it is incomplete, fetch it again");
  }
  while (!out.empty()) {
    const ssize_t got =
        pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      throw Error(
          ErrorCode::kIo,
          place() +
              (got == 0 ? "the file shrank while it was read"
                        : "cannot be read (" + SystemMessage(errno) + ")") +
              "; try again");
    }
    offset += static_cast<std::uint64_t>(got);
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

std::vector<std::uint8_t> InputFile::Read(std::uint64_t offset,
                                          std::uint64_t bytes) const {
  if (offset > size_ || bytes > size_ - offset) {
    Read(offset,
         std::span<std::uint8_t>(static_cast<std::uint8_t*>(nullptr), bytes));
  }
  std::vector<std::uint8_t> data(bytes);
  Read(offset, data);
  return data;
}

bool IsThere(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::status(path, ignored).type() !=
         std::filesystem::file_type::not_found;
}

std::string ReadTextFile(const std::filesystem::path& path,
                         std::uint64_t max_bytes) {
  const InputFile file(path);
  if (file.size() > max_bytes) {
    throw Error(ErrorCode::kMalformed,
                path.string() + ": " + std::to_string(file.size()) +
                    " bytes, more than the " + std::to_string(max_bytes) +
                    " that such a file may have; is it the right file?");
  }
  std::string text(file.size(), '\0');
  file.Read(
      0, std::span(reinterpret_cast<std::uint8_t*>(text.data()), text.size()));
  return text;
}

}  // namespace tern::files
