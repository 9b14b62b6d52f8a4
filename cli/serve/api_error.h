// What a client did wrong, or what keeps the server from answering, in the
// form of OpenAI's API:
//   {"error": {"message": ..., "type": ..., "param": ..., "code": ...}}
#ifndef TERN_CLI_SERVE_API_ERROR_H_
#define TERN_CLI_SERVE_API_ERROR_H_

#include <stdexcept>
#include <string>

#include <tern/error.h>

#include "cli/serve/http.h"
#include "cli/text.h"

namespace tern::cli::serve {

// Thrown by whatever answers a request; what() is the message.
class ApiError : public std::runtime_error {
 public:
  // `param` and `code` may be empty: null.
  ApiError(int status, const std::string& message, std::string param = "",
           std::string code = "")
      : std::runtime_error(message),
        status_(status),
        param_(std::move(param)),
        code_(std::move(code)) {}

  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] Json Body() const;
  // The whole answer; 429 and 503 carry Retry-After, of `retry_seconds`.
  [[nodiscard]] Reply ToReply(int retry_seconds = 1) const;

 private:
  int status_;
  std::string param_;
  std::string code_;
};

// 400, about one parameter.
inline ApiError BadParameter(const std::string& name, const std::string& what,
                             const std::string& code = "invalid_value") {
  return {400, "'" + name + "' " + what, name, code};
}

// What an error of the library is to a client; `param` is what it is about, if
// the client's request is to blame.
ApiError ToApiError(const Error& error, const std::string& param = "");

// Of the exception that is being handled, whatever it is.
ApiError CurrentApiError();

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_API_ERROR_H_
