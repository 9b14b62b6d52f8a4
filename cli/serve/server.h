// Everything that serves, put together: the listener, the routes, the threads
// that carry bytes, and the end.
#ifndef TERN_CLI_SERVE_SERVER_H_
#define TERN_CLI_SERVE_SERVER_H_

#include <filesystem>
#include <memory>

#include <tern/model.h>

#include "cli/serve/serve_options.h"

namespace tern::cli::serve {

// Serves until SIGTERM or SIGINT has come and the running answers have ended,
// or --shutdown-timeout is over.  `path` is where the model is from.  Throws
// Error if it cannot begin.
void RunServer(const std::filesystem::path& path,
               const std::shared_ptr<const Model>& model,
               const ServeOptions& options);

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_SERVER_H_
