#include "cli/line_reader.h"

#include <array>
#include <cerrno>
#include <system_error>
#include <unistd.h>

#include <tern/error.h>

#include "cli/interrupt.h"

namespace tern::cli {

std::optional<std::string> LineReader::Read() {
  std::array<char, 4096> buffer{};
  std::size_t searched = 0;
  while (true) {
    const std::size_t end = held_.find('\n', searched);
    if (end != std::string::npos || (at_end_ && !held_.empty())) {
      std::string line = held_.substr(0, end);
      held_.erase(0, end == std::string::npos ? end : end + 1);
      if (line.ends_with('\r')) line.pop_back();
      return line;
    }
    if (at_end_) return std::nullopt;
    searched = held_.size();
    const ssize_t count = read(STDIN_FILENO, buffer.data(), buffer.size());
    ThrowIfInterrupted();
    if (count == 0) at_end_ = true;
    if (count > 0) held_.append(buffer.data(), static_cast<std::size_t>(count));
    if (count < 0 && errno != EINTR) {
      throw Error(ErrorCode::kIo,
                  "standard input: cannot be read: " +
                      std::generic_category().message(errno) +
                      "; give lines in a pipe or on a terminal");
    }
  }
}

}  // namespace tern::cli
