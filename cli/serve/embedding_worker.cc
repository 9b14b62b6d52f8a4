#include "cli/serve/embedding_worker.h"

#include <exception>
#include <new>
#include <utility>

namespace tern::cli::serve {
namespace {

// What the worker caught.
Error CurrentError() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return {ErrorCode::kOutOfMemory, "memory: not enough for embeddings"};
  } catch (const std::exception& error) {
    return {ErrorCode::kIo, error.what()};
  }
}

}  // namespace

EmbeddingWorker::EmbeddingWorker(std::shared_ptr<const Model> model,
                                 EmbedderOptions options,
                                 std::size_t max_waiting)
    : model_(std::move(model)),
      options_(options),
      context_length_(options.context_length != 0
                          ? options.context_length
                          : model_->config().max_context),
      max_waiting_(max_waiting),
      thread_([this] { Work(); }) {}

EmbeddingWorker::~EmbeddingWorker() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
    for (const auto& job : waiting_) job->cancelled = true;
  }
  changed_.notify_one();
  thread_.join();
}

void EmbeddingWorker::Submit(std::shared_ptr<EmbeddingJob> job) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() > max_waiting_) {
      throw Error(ErrorCode::kBusy, "embeddings: too many requests wait");
    }
    waiting_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void EmbeddingWorker::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ends_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const std::shared_ptr<EmbeddingJob> job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    Do(*job);
    lock.lock();
  }
}

void EmbeddingWorker::Do(EmbeddingJob& job) {
  std::vector<std::vector<float>> vectors;
  std::optional<Error> error;
  try {
    if (!job.cancelled && !embedder_) embedder_.emplace(model_, options_);
    for (const auto& input : job.inputs) {
      if (job.cancelled) {
        throw Error(ErrorCode::kCancelled, "embeddings: cancelled");
      }
      vectors.push_back(embedder_->Embed(input));
    }
  } catch (...) {
    error.emplace(CurrentError());
  }
  // The strand of a connection frees what it holds of the job.
  const auto on_end = std::move(job.on_end);
  on_end(std::move(vectors), std::move(error));
}

}  // namespace tern::cli::serve
