// Runs a program and keeps what it says.
#ifndef TERN_TESTS_SUPPORT_SUBPROCESS_H_
#define TERN_TESTS_SUPPORT_SUBPROCESS_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace tern::testing {

struct ProgramRun {
  std::string input{};  // its standard input
  // Added to the environment; an empty value removes the variable.
  std::vector<std::pair<std::string, std::string>> environment{};
  std::string stdout_path{};  // if not empty, stdout goes there
  bool close_stdout = false;  // nobody reads its stdout
  // Called with its process id when the first bytes of its stdout arrive.
  std::function<void(int pid)> on_first_output{};
};

struct ProgramResult {
  int status = -1;  // exit status, or 1000 + the signal that ended it
  std::string out;
  std::string err;
};

ProgramResult RunProgram(const std::string& program,
                         const std::vector<std::string>& arguments,
                         const ProgramRun& run = {});

}  // namespace tern::testing

#endif  // TERN_TESTS_SUPPORT_SUBPROCESS_H_
