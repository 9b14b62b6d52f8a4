// Routes that are answered at once: models, tokens, health.
#ifndef TERN_CLI_SERVE_SMALL_ROUTES_H_
#define TERN_CLI_SERVE_SMALL_ROUTES_H_

#include <string>

#include "cli/serve/context.h"
#include "cli/serve/http.h"

namespace tern::cli::serve {

// All throw ApiError.
Reply ListModels(const Context& context);
Reply DescribeModel(const std::string& name, const Context& context);
Reply Tokenize(const std::string& body, const Context& context);
Reply Detokenize(const std::string& body, const Context& context);
// 503 while the server is shutting down, so that a balancer looks elsewhere.
Reply Health(const Context& context);
Reply TellMetrics(const Context& context);

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_SMALL_ROUTES_H_
