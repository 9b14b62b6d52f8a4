// `tern serve` as a process of its own, on a port that is free.
#ifndef TERN_TESTS_CLI_SERVE_SERVER_PROCESS_H_
#define TERN_TESTS_CLI_SERVE_SERVER_PROCESS_H_

#include <cstddef>
#include <string>
#include <thread>
#include <vector>

namespace tern::testing {

class ServerProcess {
 public:
  // Waits until it listens; throws std::runtime_error if it does not.
  explicit ServerProcess(const std::vector<std::string>& arguments);
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess();

  [[nodiscard]] int port() const { return port_; }
  void Signal(int signal) const;
  // Waits for its end: the exit status, or 1000 + the signal that ended it.
  // What a sanitizer found until then fails the test that runs; so does
  // ~ServerProcess.
  int Wait();
  // Of /proc/PID/status, in KiB: what it has in memory.
  [[nodiscard]] std::size_t ResidentKib() const;
  // How many files and sockets it has open.
  [[nodiscard]] std::size_t OpenFiles() const;
  // What it has written to stderr; after Wait.
  [[nodiscard]] const std::string& log() const { return log_; }

 private:
  int pid_ = -1;
  int port_ = 0;
  std::string log_;
  std::thread reader_;
};

}  // namespace tern::testing

#endif  // TERN_TESTS_CLI_SERVE_SERVER_PROCESS_H_
