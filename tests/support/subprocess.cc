#include "tests/support/subprocess.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

namespace tern::testing {
namespace {

struct Pipe {
  std::array<int, 2> ends{-1, -1};
  Pipe() {
    if (pipe(ends.data()) != 0) throw std::runtime_error("pipe() failed");
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    CloseRead();
    CloseWrite();
  }
  void CloseRead() { Close(ends[0]); }
  void CloseWrite() { Close(ends[1]); }
  static void Close(int& end) {
    if (end >= 0) close(end);
    end = -1;
  }
};

// A file that has no name: input of any size without a second thread.
int InputFile(const std::string& text) {
  std::FILE* file = std::tmpfile();
  if (file == nullptr ||
      std::fwrite(text.data(), 1, text.size(), file) != text.size() ||
      std::fflush(file) != 0 || std::fseek(file, 0, SEEK_SET) != 0) {
    throw std::runtime_error("cannot make a temporary file");
  }
  const int descriptor = dup(fileno(file));
  std::fclose(file);
  return descriptor;
}

[[noreturn]] void BecomeProgram(const std::string& program,
                                const std::vector<std::string>& arguments,
                                const ProgramRun& run, int input, int output,
                                int errors) {
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  for (int i = 3; i < 256; ++i) close(i);
  for (const auto& [name, value] : run.environment) {
    if (value.empty()) {
      unsetenv(name.c_str());
    } else {
      setenv(name.c_str(), value.c_str(), 1);
    }
  }
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  _exit(127);
}

// Reads both until both are closed.
void Collect(Pipe& out, Pipe& err, const ProgramRun& run, int pid,
             ProgramResult* result) {
  std::array<pollfd, 2> files = {pollfd{out.ends[0], POLLIN, 0},
                                 pollfd{err.ends[0], POLLIN, 0}};
  bool told = false;
  while (files[0].fd >= 0 || files[1].fd >= 0) {
    if (poll(files.data(), files.size(), -1) < 0) continue;
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (files[i].fd < 0 || files[i].revents == 0) continue;
      std::array<char, 65536> buffer{};
      const ssize_t count = read(files[i].fd, buffer.data(), buffer.size());
      if (count <= 0) {
        files[i].fd = -1;
        continue;
      }
      (i == 0 ? result->out : result->err)
          .append(buffer.data(), static_cast<std::size_t>(count));
      if (i == 0 && !told && run.on_first_output) {
        told = true;
        run.on_first_output(pid);
      }
    }
  }
}

}  // namespace

ProgramResult RunProgram(const std::string& program,
                         const std::vector<std::string>& arguments,
                         const ProgramRun& run) {
  Pipe out;
  Pipe err;
  const int input = InputFile(run.input);
  int output = out.ends[1];
  if (!run.stdout_path.empty()) {
    output = open(run.stdout_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  }
  if (run.close_stdout) out.CloseRead();
  const pid_t pid = fork();
  if (pid == 0) {
    BecomeProgram(program, arguments, run, input, output, err.ends[1]);
  }
  close(input);
  if (output != out.ends[1]) close(output);
  out.CloseWrite();
  err.CloseWrite();
  ProgramResult result;
  Collect(out, err, run, pid, &result);
  int status = 0;
  waitpid(pid, &status, 0);
  result.status =
      WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  return result;
}

}  // namespace tern::testing
