#include "cli/serve/server.h"

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <boost/asio/signal_set.hpp>

#include <tern/error.h>

#include "cli/errors.h"
#include "cli/io.h"
#include "cli/loading.h"
#include "cli/serve/access.h"
#include "cli/serve/api.h"
#include "cli/serve/context.h"
#include "cli/serve/listener.h"

namespace tern::cli::serve {
namespace {

using Clock = std::chrono::steady_clock;

// Reading a long prompt's text takes one of them a while; the other goes on.
constexpr int kThreads = 2;
// Files that are open beside connections.
constexpr std::size_t kOtherFiles = 64;
constexpr std::chrono::milliseconds kLook{20};
constexpr std::chrono::seconds kLastWords{2};

void AllowConnections(std::size_t count) {
  struct rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t wanted = count + kOtherFiles;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  if (limit.rlim_max < wanted || setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    throw Error(tern::ErrorCode::kInvalidArgument,
                "--max-connections: " + std::to_string(count) +
                    " are more than the system allows open files; give less, "
                    "or raise `ulimit -n`");
  }
}

std::string Fingerprint(const Model& model) {
  std::array<char, 32> text{};
  std::snprintf(
      text.data(), text.size(), "tern_%016llx",
      static_cast<unsigned long long>(  // NOLINT(google-runtime-int): %llx
          model.fingerprint()));
  return text.data();
}

std::string DefaultName(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto whole = std::filesystem::weakly_canonical(path, ignored);
  const auto& best = ignored || whole.empty() ? path : whole;
  return std::filesystem::is_directory(best, ignored) ? best.filename().string()
                                                      : best.stem().string();
}

void FindTemplate(const std::filesystem::path& path,
                  const ServeOptions& options, Context* context) {
  try {
    context->chat_template =
        options.chat_template_file.empty()
            ? ChatTemplate::Load(path)
            : ChatTemplate::Load(path, options.chat_template_file);
  } catch (const Error& error) {
    // A base model is served without; a template that was named must work.
    if (!options.chat_template_file.empty()) throw;
    context->no_chat_template = error.what();
  }
}

SchedulerOptions ForScheduler(const ServeOptions& options) {
  return {.slots = options.slots,
          .max_waiting = options.max_waiting,
          .context_length = options.compute.context_length.value_or(0),
          .kv_type = options.compute.kv_type,
          .num_threads = options.compute.num_threads,
          .cache_bytes = options.cache_mib << 20U};
}

// Members go in the reverse order: what posts to the I/O context before it, and
// what connections refer to after it.
class Server {
 public:
  Server(const std::filesystem::path& path,
         const std::shared_ptr<const Model>& model, const ServeOptions& options)
      : options_(options),
        log_(options.log_format),
        json_(model->tokenizer()),
        api_(context_, Access(options.keys, options.origins)),
        scheduler_(model, ForScheduler(options)),
        embeddings_(model,
                    {.pooling = options.pooling,
                     .context_length = scheduler_.context_length(),
                     .kv_type = options.compute.kv_type,
                     .num_threads = options.compute.num_threads},
                    options.max_waiting),
        listener_(std::make_shared<Listener>(io_, options.listen, api_)),
        signals_(io_, SIGINT, SIGTERM),
        timer_(io_) {
    context_.model = model;
    FindTemplate(path, options, &context_);
    context_.model_names = options.model_names;
    if (context_.model_names.empty()) {
      context_.model_names.push_back(DefaultName(path));
    }
    context_.description = ShortDescription(*model);
    context_.sampling = options.sampling;
    context_.max_inputs = options.slots + options.max_waiting;
    context_.started = std::time(nullptr);
    context_.fingerprint = Fingerprint(*model);
    context_.scheduler = &scheduler_;
    context_.embeddings = &embeddings_;
    context_.json = &json_;
    context_.metrics = &metrics_;
    context_.log = &log_;
    context_.open_connections = [this] { return listener_->open(); };
  }

  void Run() {
    Announce();
    WaitForSignal();
    listener_->Start();
    std::vector<std::thread> threads;
    for (int i = 1; i < kThreads; ++i) {
      threads.emplace_back([this] { Work(); });
    }
    Work();
    for (std::thread& thread : threads) thread.join();
    log_.Write("info", "stopped", Json::object());
  }

 private:
  void Announce() {
    const std::string url = listener_->url();
    if (listener_->is_open_to_others() && options_.keys.empty()) {
      Note(
          "tern: --host: others than this machine may ask without a key; give "
          "--api-key-file");
    }
    log_.Write("info", "listening",
               {{"url", url},
                {"model", context_.model_names[0]},
                {"slots", scheduler_.slots()},
                {"context", scheduler_.context_length()},
                {"threads", scheduler_.num_threads()},
                {"keys", options_.keys.size()},
                {"chat", context_.chat_template.has_value()}});
    try {
      WriteResult("listening on " + url + "\n");
    } catch (const OutputClosed&) {
      // Nobody wants to know; the log says it, too.
    }
  }

  void Work() {
    while (true) {
      try {
        io_.run();
        return;
      } catch (const std::exception& error) {
        log_.Write("error", "failure", {{"error", error.what()}});
      }
    }
  }

  void WaitForSignal() {
    signals_.async_wait([this](const IoError& error, int signal) {
      if (error) return;
      if (context_.draining) _exit(128 + signal);  // they mean it
      Drain(signal);
      WaitForSignal();
    });
  }

  void Drain(int signal) {
    context_.draining = true;
    deadline_ = Clock::now() + options_.shutdown_timeout;
    log_.Write("info", "draining",
               {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"},
                {"connections", listener_->open()},
                {"seconds", options_.shutdown_timeout.count()}});
    listener_->Drain();
    LookWhoIsLeft();
  }

  void LookWhoIsLeft() {
    timer_.expires_after(kLook);
    timer_.async_wait([this](const IoError& error) {
      if (error) return;
      const auto now = Clock::now();
      if (!cut_ && now > deadline_) {
        // Their clients are told.
        cut_ = true;
        scheduler_.CancelAll();
      }
      if (listener_->open() == 0 || now > deadline_ + kLastWords) {
        io_.stop();
        return;
      }
      LookWhoIsLeft();
    });
  }

  const ServeOptions& options_;
  Log log_;
  Metrics metrics_;
  const JsonConstraints json_;
  Context context_;
  Api api_;
  asio::io_context io_;
  Scheduler scheduler_;
  EmbeddingWorker embeddings_;
  std::shared_ptr<Listener> listener_;
  asio::signal_set signals_;
  asio::steady_timer timer_;
  Clock::time_point deadline_;
  bool cut_ = false;
};

}  // namespace

void RunServer(const std::filesystem::path& path,
               const std::shared_ptr<const Model>& model,
               const ServeOptions& options) {
  AllowConnections(options.listen.max_connections);
  Server server(path, model, options);
  server.Run();
}

}  // namespace tern::cli::serve
