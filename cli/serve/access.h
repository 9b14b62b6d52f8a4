// Who may ask: API keys, and origins of other web pages (CORS).
#ifndef TERN_CLI_SERVE_ACCESS_H_
#define TERN_CLI_SERVE_ACCESS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/serve/http.h"

namespace tern::cli::serve {

class Access {
 public:
  // Without keys everybody may ask.  An origin is "https://example.org", or
  // "*" for all.
  Access(std::vector<std::string> keys, std::vector<std::string> origins);

  // Of the field Authorization.  Takes as long for a wrong key as for a right
  // one, so that no key can be guessed letter by letter.
  [[nodiscard]] bool MayAsk(std::string_view authorization) const;
  [[nodiscard]] bool MayReadFrom(std::string_view origin) const;

  // What lets the page of an allowed origin read an answer; empty for others.
  [[nodiscard]] std::vector<HeaderField> OriginFields(
      const RequestHead& head) const;
  // The answer to a browser that asks first (OPTIONS).  Throws ApiError (403).
  [[nodiscard]] Reply Preflight(const RequestHead& head,
                                const std::string& methods) const;

 private:
  std::vector<std::string> keys_;
  std::vector<std::string> origins_;
  bool any_origin_ = false;
};

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_ACCESS_H_
