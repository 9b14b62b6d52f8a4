// The one exception type that tern throws, and only where the outside world
// enters: opening and reading files, checking options, reserving memory.  The
// forward pass itself does not throw.
#ifndef TERN_ERROR_H_
#define TERN_ERROR_H_

#include <stdexcept>
#include <string>

namespace tern {

enum class ErrorCode {
  kInvalidArgument,  // the caller asked for something that makes no sense
  kNotFound,         // a file, tensor or key that must be there is not
  kIo,               // the operating system failed to read or write
  kMalformed,        // a file breaks the rules of its own format
  kUnsupported,      // well formed, but nothing tern can compute correctly
  kOutOfMemory,      // the work would not fit into memory
  kContextFull,      // more tokens than the context holds
};

// what() is one line, `WHERE: what is wrong; what to do`, where WHERE names the
// file and, as far as there is one, the tensor, key or byte offset.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message)
      : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace tern

#endif  // TERN_ERROR_H_
