#include "cli/serve/metrics.h"

#include <sstream>

#include <tern/cpu.h>

namespace tern::cli::serve {
namespace {

template <class T>
void Put(std::ostream& out, const char* name, const char* type,
         const char* help, T value) {
  out << "# HELP " << name << ' ' << help << "\n# TYPE " << name << ' ' << type
      << '\n'
      << name << ' ' << value << '\n';
}

void PutScheduler(std::ostream& out, const SchedulerStatistics& now) {
  Put(out, "tern_slots_active", "gauge", "Texts that are being generated.",
      now.active);
  Put(out, "tern_requests_waiting", "gauge",
      "Texts that wait for a slot or for memory.", now.waiting);
  Put(out, "tern_texts_submitted_total", "counter",
      "Texts that were asked for and taken.", now.submitted);
  Put(out, "tern_texts_refused_total", "counter",
      "Texts that were refused: queue full, too long, ...", now.refused);
  Put(out, "tern_texts_cancelled_total", "counter",
      "Texts that were cancelled: the client went away, ...", now.cancelled);
  Put(out, "tern_texts_failed_total", "counter", "Texts that failed.",
      now.failed);
  Put(out, "tern_passes_total", "counter",
      "Passes through the weights of the model.", now.passes);
  Put(out, "tern_prefilled_tokens_total", "counter",
      "Tokens of prompts that were computed.", now.prompt_tokens);
  Put(out, "tern_reused_tokens_total", "counter",
      "Tokens of prompts whose keys and values were there already.",
      now.reused_tokens);
  Put(out, "tern_prefix_hits_total", "counter",
      "Texts that began like one that was there already.", now.prefix_hits);
  Put(out, "tern_generated_tokens_total", "counter",
      "Tokens that were generated.", now.generated_tokens);
  Put(out, "tern_cache_bytes", "gauge", "Bytes of keys and values.",
      now.cache_bytes);
  Put(out, "tern_cache_bytes_limit", "gauge", "Most bytes of keys and values.",
      now.cache_bytes_limit);
}

}  // namespace

void Histogram::Add(double seconds) {
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    if (seconds <= kBounds[i]) ++counts_[i];
  }
  ++count_;
  sum_ += seconds;
}

std::string Histogram::Text(const std::string& name,
                            const std::string& labels) const {
  std::ostringstream out;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    out << name << "_bucket{" << labels << "le=\"" << kBounds[i] << "\"} "
        << counts_[i] << '\n';
  }
  out << name << "_bucket{" << labels << "le=\"+Inf\"} " << count_ << '\n';
  const std::string all =
      labels.empty() ? "" : "{" + labels.substr(0, labels.size() - 1) + "}";
  out << name << "_sum" << all << ' ' << sum_ << '\n'
      << name << "_count" << all << ' ' << count_ << '\n';
  return out.str();
}

void Metrics::AddRequest(const std::string& route, const RequestRecord& record,
                         double seconds) {
  constexpr double kWeight = 0.1;  // of the newest in the mean
  const std::lock_guard lock(mutex_);
  ++requests_[{route, record.status}];
  durations_[route].Add(seconds);
  bytes_out_ += record.bytes_out;
  if (record.status == 499) ++clients_gone_;
  if (!record.prompt_tokens) return;
  prompt_tokens_ += *record.prompt_tokens;
  completion_tokens_ += record.completion_tokens;
  mean_answer_seconds_ += kWeight * (seconds - mean_answer_seconds_);
}

void Metrics::AddFirstToken(double seconds) {
  const std::lock_guard lock(mutex_);
  first_token_.Add(seconds);
}

double Metrics::mean_answer_seconds() const {
  const std::lock_guard lock(mutex_);
  return mean_answer_seconds_;
}

std::string Metrics::Text(const SchedulerStatistics& scheduler,
                          std::size_t connections) const {
  std::ostringstream out;
  out.precision(12);
  out << "# HELP tern_build_info The version.\n# TYPE tern_build_info gauge\n"
      << "tern_build_info{version=\"" << Version() << "\",target=\""
      << ActiveTarget() << "\"} 1\n";
  const std::lock_guard lock(mutex_);
  out << "# HELP tern_http_requests_total Requests that were answered, by "
         "route and status (499: the client went away).\n"
         "# TYPE tern_http_requests_total counter\n";
  for (const auto& [key, count] : requests_) {
    out << "tern_http_requests_total{route=\"" << key.first << "\",status=\""
        << key.second << "\"} " << count << '\n';
  }
  out << "# HELP tern_http_request_seconds From the first byte of a request to "
         "the last of its answer.\n"
         "# TYPE tern_http_request_seconds histogram\n";
  for (const auto& [route, histogram] : durations_) {
    out << histogram.Text("tern_http_request_seconds",
                          "route=\"" + route + "\",");
  }
  out << "# HELP tern_first_token_seconds From a request to its first token.\n"
         "# TYPE tern_first_token_seconds histogram\n"
      << first_token_.Text("tern_first_token_seconds", "");
  Put(out, "tern_http_connections", "gauge", "Open connections.", connections);
  Put(out, "tern_http_sent_bytes_total", "counter", "Bytes of answers.",
      bytes_out_);
  Put(out, "tern_http_clients_gone_total", "counter",
      "Clients that went away before they were answered.", clients_gone_);
  Put(out, "tern_usage_prompt_tokens_total", "counter",
      "Tokens of prompts, as usage tells them.", prompt_tokens_);
  Put(out, "tern_usage_completion_tokens_total", "counter",
      "Tokens of answers, as usage tells them.", completion_tokens_);
  PutScheduler(out, scheduler);
  return out.str();
}

}  // namespace tern::cli::serve
