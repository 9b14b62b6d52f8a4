// The server's routes, and everything that a request must be before one of them
// sees it.
#ifndef TERN_CLI_SERVE_API_H_
#define TERN_CLI_SERVE_API_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/serve/access.h"
#include "cli/serve/context.h"
#include "cli/serve/http.h"

namespace tern::cli::serve {

class Api final : public Service {
 public:
  // `context` must outlive it.
  Api(const Context& context, Access access);

  std::optional<Reply> Refuse(const RequestHead& head) override;
  std::shared_ptr<Exchange> Answer(
      HttpRequest request,
      const std::shared_ptr<Responder>& responder) override;
  [[nodiscard]] std::vector<HeaderField> CommonFields(
      const RequestHead& head) const override;
  [[nodiscard]] Reply ErrorReply(int status,
                                 const std::string& message) const override;
  void Told(const RequestRecord& record) override;
  void Failed(const std::string& what) override;

 private:
  void CheckHead(const RequestHead& head) const;
  void CheckBody(const RequestHead& head) const;
  // After how long a refused client may try again.
  [[nodiscard]] int RetrySeconds() const;

  const Context& context_;
  const Access access_;
};

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_API_H_
