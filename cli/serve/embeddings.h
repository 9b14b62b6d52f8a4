// POST /v1/embeddings.
#ifndef TERN_CLI_SERVE_EMBEDDINGS_H_
#define TERN_CLI_SERVE_EMBEDDINGS_H_

#include <memory>
#include <string>

#include "cli/serve/context.h"
#include "cli/serve/http.h"

namespace tern::cli::serve {

// Throws ApiError, and Error (kBusy).
std::shared_ptr<Exchange> AnswerEmbeddings(
    const std::string& body, const Context& context,
    const std::shared_ptr<Responder>& responder);

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_EMBEDDINGS_H_
