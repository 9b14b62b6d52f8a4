// Lines of the server's log, to stderr: key=value, or JSON.
//
//   time=2026-01-02T03:04:05.678Z level=info event=request status=200 ...
//
// Whoever reads stderr may be slow: lines go through a queue, and are dropped,
// and counted, when it is full, rather than stopping the server.
#ifndef TERN_CLI_SERVE_LOG_H_
#define TERN_CLI_SERVE_LOG_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "cli/text.h"

namespace tern::cli::serve {

enum class LogFormat { kText, kJson };

// One line from an object of scalars, without its line end.
std::string FormatLogLine(const Json& fields, LogFormat format);

// All functions may be called from any thread.
class Log {
 public:
  explicit Log(LogFormat format);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  // Waits a second at most for the lines to be written.
  ~Log();

  // `level` is info, warning or error; `fields` an object of scalars.
  void Write(const char* level, const char* event, const Json& fields);

 private:
  void Work();

  const LogFormat format_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;
  std::uint64_t dropped_ = 0;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace tern::cli::serve

#endif  // TERN_CLI_SERVE_LOG_H_
