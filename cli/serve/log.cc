#include "cli/serve/log.h"

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <poll.h>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace tern::cli::serve {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxLines = 4096;
constexpr std::chrono::seconds kLastWords{1};

// "2026-01-02T03:04:05.678Z"
std::string Timestamp() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto all =
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::time_t seconds = all / 1000;
  std::tm utc = {};
  gmtime_r(&seconds, &utc);
  std::array<char, 24> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::array<char, 8> rest{};
  std::snprintf(rest.data(), rest.size(), ".%03dZ",
                static_cast<int>(all % 1000));
  return std::string(date.data()) + rest.data();
}

std::string PlainValue(const Json& value) {
  if (!value.is_string()) return value.dump();
  const auto& text = value.get_ref<const std::string&>();
  const bool plain =
      !text.empty() && text.find_first_of(" \"=") == std::string::npos;
  if (plain) return EscapePiece(text);
  // As a JSON string, which has all that a reader of logs must be spared.
  return value.dump(-1, ' ', true, Json::error_handler_t::replace);
}

// Up to `deadline` if nobody reads.
void WriteLine(std::string_view line, const bool* ends, std::mutex& mutex,
               Clock::time_point* deadline) {
  while (!line.empty()) {
    pollfd file = {STDERR_FILENO, POLLOUT, 0};
    const int ready = poll(&file, 1, 100);
    if (ready == 0) {
      const std::lock_guard lock(mutex);
      if (*ends && *deadline == Clock::time_point::max()) {
        *deadline = Clock::now() + kLastWords;
      }
      if (Clock::now() > *deadline) return;
      continue;
    }
    // A pipe that polls as ready takes PIPE_BUF (4096) bytes without waiting.
    const ssize_t count = write(STDERR_FILENO, line.data(),
                                std::min<std::size_t>(line.size(), 4096));
    if (count < 0) return;  // there is nowhere left to tell it
    line.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace

std::string FormatLogLine(const Json& fields, LogFormat format) {
  if (format == LogFormat::kJson) {
    return fields.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  std::string line;
  for (const auto& [name, value] : fields.items()) {
    if (value.is_null()) continue;
    line += (line.empty() ? "" : " ") + name + "=" + PlainValue(value);
  }
  return line;
}

Log::Log(LogFormat format) : format_(format), thread_([this] { Work(); }) {}

Log::~Log() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Log::Write(const char* level, const char* event, const Json& fields) {
  Json all = {{"time", Timestamp()}, {"level", level}, {"event", event}};
  all.update(fields);
  std::string line = FormatLogLine(all, format_) + "\n";
  {
    const std::lock_guard lock(mutex_);
    if (lines_.size() >= kMaxLines) {
      ++dropped_;
      return;
    }
    if (dropped_ != 0) {
      const Json lost = {{"time", all["time"]},
                         {"level", "warning"},
                         {"event", "log_lines_dropped"},
                         {"lines", std::exchange(dropped_, 0)}};
      lines_.push_back(FormatLogLine(lost, format_) + "\n");
    }
    lines_.push_back(std::move(line));
  }
  changed_.notify_one();
}

void Log::Work() {
  auto deadline = Clock::time_point::max();
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ends_ || !lines_.empty(); });
    if (lines_.empty()) return;
    const std::string line = std::move(lines_.front());
    lines_.pop_front();
    lock.unlock();
    WriteLine(line, &ends_, mutex_, &deadline);
    lock.lock();
    if (Clock::now() > deadline) return;
  }
}

}  // namespace tern::cli::serve
