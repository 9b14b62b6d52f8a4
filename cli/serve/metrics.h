// Counts for Prometheus, in its text format.
#ifndef TERN_CLI_SERVE_METRICS_H_
#define TERN_CLI_SERVE_METRICS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include <tern/scheduler.h>

#include "cli/serve/http.h"

namespace tern::cli::serve {

// How many of the values were at most so much.
class Histogram {
 public:
  void Add(double seconds);
  // Its lines, each with `labels` ("" or "a=\"b\",").
  [[nodiscard]] std::string Text(const std::string& name,
                                 const std::string& labels) const;

 private:
  // Seconds: from a health check to a long answer.
  static constexpr std::array<double, 14> kBounds = {
      0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};
  std::array<std::uint64_t, kBounds.size()> counts_{};
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

// All functions may be called from any thread.
class Metrics {
 public:
  // `route` is one of the server's own, so that there are few.
  void AddRequest(const std::string& route, const RequestRecord& record,
                  double seconds);
  void AddFirstToken(double seconds);

  // What a request with an answer of the model took on average, lately.
  [[nodiscard]] double mean_answer_seconds() const;
  [[nodiscard]] std::string Text(const SchedulerStatistics& scheduler,
                                 std::size_t connections) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::uint64_t> requests_;
  std::map<std::string, Histogram> durations_;
  Histogram first_token_;
  std::uint64_t prompt_tokens_ = 0;
  std::uint64_t completion_tokens_ = 0;
  std::uint64_t bytes_out_ = 0;
  std::uint64_t clients_gone_ = 0;
  double mean_answer_seconds_ = 1;
};

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_METRICS_H_
