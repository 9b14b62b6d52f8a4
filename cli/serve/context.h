// What all routes share: the model and what runs it, and what the command line
// said.  Constant after the start, or safe for all threads.
#ifndef TERN_CLI_SERVE_CONTEXT_H_
#define TERN_CLI_SERVE_CONTEXT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tern/chat.h>
#include <tern/json_constraint.h>
#include <tern/model.h>
#include <tern/sampler.h>
#include <tern/scheduler.h>

#include "cli/serve/embedding_worker.h"
#include "cli/serve/log.h"
#include "cli/serve/metrics.h"

namespace tern::cli::serve {

struct Context {
  std::shared_ptr<const Model> model;
  // Why there is none, for a base model.
  std::optional<ChatTemplate> chat_template;
  std::string no_chat_template;
  std::vector<std::string> model_names;  // the first is the one that is told
  std::string description;               // of the model, in one line
  SamplerOptions sampling;               // where a request says nothing
  std::size_t max_inputs =
      0;                     // texts of one request: what slots and queue hold
  std::int64_t started = 0;  // Unix time
  std::string fingerprint;   // of the model
  Scheduler* scheduler = nullptr;
  EmbeddingWorker* embeddings = nullptr;
  const JsonConstraints* json = nullptr;
  Metrics* metrics = nullptr;
  Log* log = nullptr;
  std::atomic<bool> draining = false;
  std::function<std::size_t()> open_connections;

  [[nodiscard]] const Tokenizer& tokenizer() const {
    return model->tokenizer();
  }
};

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_CONTEXT_H_
