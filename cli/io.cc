#include "cli/io.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <iostream>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <tern/error.h>

#include "cli/errors.h"
#include "cli/interrupt.h"
#include "cli/text.h"

namespace tern::cli {
namespace {

[[noreturn]] void FailIo(const std::string& name, const std::string& action,
                         int error) {
  const ErrorCode code =
      error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo;
  const char* mend = "check the path and its permissions";
  if (error == ENOSPC || error == EDQUOT) mend = "make room on the disk";
  throw Error(code, name + ": cannot " + action + ": " +
                        std::generic_category().message(error) + "; " + mend);
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ > STDERR_FILENO) close(value_);
  }
  [[nodiscard]] int get() const { return value_; }

 private:
  int value_;
};

void WriteAll(int descriptor, std::string_view bytes, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      throw OutputClosed();
    } else if (errno != EINTR) {
      FailIo(name, "be written", errno);
    }
  }
}

}  // namespace

void OccupyStandardStreams() {
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
    if (fcntl(stream, F_GETFD) != -1) continue;
    // The wrong way round: read() and write() give EBADF, as before.  open()
    // takes the lowest free number, which is this one.
    const int how = stream == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (open("/dev/null", how) < 0) FailIo("/dev/null", "be opened", errno);
  }
}

std::string InputName(const std::string& path) {
  return path == "-" ? "standard input" : path;
}

std::string ReadInput(const std::string& path) {
  const bool is_stdin = path == "-";
  const std::string name = InputName(path);
  const Descriptor input(is_stdin ? STDIN_FILENO
                                  : open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (input.get() < 0) ThrowIfInterrupted();
  if (input.get() < 0) FailIo(name, "be opened", errno);
  if (is_stdin && isatty(STDIN_FILENO) != 0) {
    Note("reading the text from the terminal; end it with Ctrl-D");
  }
  std::string text;
  std::array<char, 65536> buffer{};
  while (true) {
    const ssize_t count = read(input.get(), buffer.data(), buffer.size());
    ThrowIfInterrupted();
    if (count == 0) return text;
    if (count > 0) {
      text.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      FailIo(name, "be read", errno);
    }
  }
}

void WriteResult(std::string_view text) {
  WriteAll(STDOUT_FILENO, text, "standard output");
}

void Note(const std::string& line) {
  std::cerr << EscapeControls(line) + "\n" << std::flush;
}

ResultFile::ResultFile(const std::string& path) : path_(path) {
  if (path == "-") {
    path_ = "standard output";
    descriptor_ = STDOUT_FILENO;
    return;
  }
  std::error_code ignored;
  // Through symbolic links, so that the link stays and its target changes.
  if (std::filesystem::is_symlink(path_, ignored)) {
    path_ = std::filesystem::weakly_canonical(path_, ignored);
    if (ignored) path_ = path;
  }
  const auto status = std::filesystem::status(path_, ignored);
  const bool in_place = std::filesystem::exists(status) &&
                        !std::filesystem::is_regular_file(status);
  if (!in_place) {
    temporary_ = path_;
    temporary_ += ".tmp" + std::to_string(getpid());
  }
  const auto& target = in_place ? path_ : temporary_;
  descriptor_ =
      open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    const int error = errno;
    temporary_.clear();
    ThrowIfInterrupted();
    FailIo(path_.string(), "be created", error);
  }
}

ResultFile::~ResultFile() {
  if (descriptor_ > STDERR_FILENO) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void ResultFile::Write(std::string_view bytes) {
  WriteAll(descriptor_, bytes, path_.string());
}

void ResultFile::Commit() {
  if (descriptor_ <= STDERR_FILENO) return;
  // Some file systems tell a full disk only now.
  if (close(std::exchange(descriptor_, -1)) != 0) {
    FailIo(path_.string(), "be written", errno);
  }
  if (temporary_.empty()) return;
  if (rename(temporary_.c_str(), path_.c_str()) != 0) {
    FailIo(path_.string(), "be created", errno);
  }
  temporary_.clear();
}

}  // namespace tern::cli
