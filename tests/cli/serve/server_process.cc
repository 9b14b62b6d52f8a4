#include "tests/cli/serve/server_process.h"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace tern::testing {
namespace {

void ReadAll(int file, std::string* out) {
  std::array<char, 4096> buffer{};
  ssize_t count = 0;
  while ((count = read(file, buffer.data(), buffer.size())) > 0) {
    out->append(buffer.data(), static_cast<std::size_t>(count));
  }
  close(file);
}

std::string ReadLine(int file) {
  std::string line;
  char byte = 0;
  while (read(file, &byte, 1) == 1 && byte != '\n') line += byte;
  return line;
}

}  // namespace

ServerProcess::ServerProcess(const std::vector<std::string>& arguments) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(err.data(), O_CLOEXEC) != 0) {
    throw std::runtime_error("pipe2() failed");
  }
  std::vector<std::string> words = {TERN_PROGRAM, "serve", "--port", "0"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    execv(TERN_PROGRAM, argv.data());
    _exit(127);
  }
  close(out[1]);
  close(err[1]);
  reader_ = std::thread([this, file = err[0]] { ReadAll(file, &log_); });
  const std::string line = ReadLine(out[0]);
  close(out[0]);
  const std::size_t colon = line.rfind(':');
  if (!line.starts_with("listening on http://") || colon == std::string::npos) {
    Signal(SIGKILL);
    Wait();
    throw std::runtime_error("the server said '" + line + "': " + log_);
  }
  port_ = std::stoi(line.substr(colon + 1));
}

ServerProcess::~ServerProcess() {
  if (pid_ < 0) return;
  Signal(SIGKILL);
  Wait();
}

std::size_t ServerProcess::ResidentKib() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string word; status >> word;) {
    std::size_t kib = 0;
    if (word == "VmRSS:" && status >> kib) return kib;
  }
  throw std::runtime_error("no VmRSS of the server");
}

std::size_t ServerProcess::OpenFiles() const {
  const std::filesystem::directory_iterator files("/proc/" +
                                                  std::to_string(pid_) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

void ServerProcess::Signal(int signal) const { kill(pid_, signal); }

int ServerProcess::Wait() {
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  reader_.join();
  if (log_.find("Sanitizer") != std::string::npos ||
      log_.find("runtime error: ") != std::string::npos ||
      log_.find("Assertion `") != std::string::npos) {
    ADD_FAILURE() << "the server reports:\n" << log_;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

}  // namespace tern::testing
