// One thread that embeds texts, one after the other, for all connections.
#ifndef TERN_CLI_SERVE_EMBEDDING_WORKER_H_
#define TERN_CLI_SERVE_EMBEDDING_WORKER_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <tern/embedding.h>
#include <tern/error.h>
#include <tern/model.h>

namespace tern::cli::serve {

struct EmbeddingJob {
  std::vector<std::vector<Token>> inputs;
  // Called on the worker's thread, once: with a vector for each input, or with
  // why there is none.  It must not throw.
  std::function<void(std::vector<std::vector<float>> vectors,
                     std::optional<Error> error)>
      on_end;
  std::atomic<bool> cancelled = false;  // may be set at any time
};

// All functions may be called from any thread.
class EmbeddingWorker {
 public:
  // The embedder is made when the first text comes: who never asks does not pay
  // for its memory.
  EmbeddingWorker(std::shared_ptr<const Model> model, EmbedderOptions options,
                  std::size_t max_waiting);
  EmbeddingWorker(const EmbeddingWorker&) = delete;
  EmbeddingWorker& operator=(const EmbeddingWorker&) = delete;
  // Ends after the text that is being embedded; what waits is cancelled.
  ~EmbeddingWorker();

  // Throws Error (kBusy) if too many wait.
  void Submit(std::shared_ptr<EmbeddingJob> job);
  [[nodiscard]] std::size_t context_length() const { return context_length_; }

 private:
  void Work();
  void Do(EmbeddingJob& job);

  const std::shared_ptr<const Model> model_;
  const EmbedderOptions options_;
  const std::size_t context_length_;
  const std::size_t max_waiting_;
  std::optional<Embedder> embedder_;  // of the worker's thread
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<EmbeddingJob>> waiting_;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_EMBEDDING_WORKER_H_
