// The Error that an expression throws, for tests of messages.
#ifndef TERN_TESTS_RUNTIME_FILES_ERROR_OF_H_
#define TERN_TESTS_RUNTIME_FILES_ERROR_OF_H_

#include <functional>
#include <optional>
#include <string>

#include <tern/error.h>

namespace tern::test {

struct Thrown {
  std::optional<ErrorCode> code;  // none: nothing was thrown
  std::string message;
};

inline Thrown ErrorOf(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

}  // namespace tern::test

#endif  // TERN_TESTS_RUNTIME_FILES_ERROR_OF_H_
