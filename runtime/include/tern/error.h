// The one exception type that tern throws, and only where the outside world
// enters: opening and reading files, checking options, reserving memory, being
// cancelled.  The forward pass itself does not throw.
#ifndef TERN_ERROR_H_
#define TERN_ERROR_H_

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

#include <tern/api.h>

namespace tern {

enum class ErrorCode {
  kInvalidArgument,  // the caller asked for something that makes no sense
  kNotFound,         // a file, tensor or key that must be there is not
  kIo,               // the operating system failed to read or write
  kMalformed,        // a file breaks the rules of its own format
  kUnsupported,      // well formed, but nothing tern can compute correctly
  kOutOfMemory,      // the work would not fit into memory
  kContextFull,      // more tokens than the context holds
  kBusy,             // a Session is in use, a Scheduler's queue is full
  kCancelled,        // Session::Cancel ended the call, a Scheduler was closed
};

// what() is one line, `WHERE: what is wrong; what to do`, where WHERE names the
// file and, as far as there is one, the tensor, key or byte offset.
class TERN_API Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message,
        std::optional<std::uint64_t> offset = std::nullopt)
      : std::runtime_error(message), code_(code), offset_(offset) {}
  [[nodiscard]] ErrorCode code() const noexcept { return code_; }
  // The byte of the file that it is about, where there is one.
  [[nodiscard]] std::optional<std::uint64_t> offset() const noexcept {
    return offset_;
  }

 private:
  ErrorCode code_;
  std::optional<std::uint64_t> offset_;
};

}  // namespace tern

#endif  // TERN_ERROR_H_
