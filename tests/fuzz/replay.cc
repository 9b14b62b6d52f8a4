// Runs a fuzz target on files, or on all files of directories, without
// libFuzzer:
//
//   NAME_replay PATH...
//
// Ends with 1 if one of them is missing or an empty directory, or a file takes
// longer than it may.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tests/support/temporary_directory.h"

namespace tern::fuzz {
namespace {

namespace fs = std::filesystem;

// Of processor time, under sanitizers and beside other tests.
constexpr double kMostSeconds = 20;

std::vector<fs::path> FilesOf(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// True if the target ended in time.
bool RunFile(const fs::path& path) {
  const std::string bytes = ReadFile(path);
  // An exact copy without the 0 behind a string, so that sanitizers see a read
  // beyond the end.
  const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
  const std::clock_t start = std::clock();
  LLVMFuzzerTestOneInput(input.data(), input.size());
  const double seconds =
      static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  if (seconds <= kMostSeconds) return true;
  std::fprintf(stderr, "%s: took %.1f s\n", path.c_str(), seconds);
  return false;
}

}  // namespace
}  // namespace tern::fuzz

int main(int argc, char** argv) {
  std::size_t count = 0;
  bool in_time = true;
  for (int i = 1; i < argc; ++i) {
    const auto files = tern::fuzz::FilesOf(argv[i]);
    if (files.empty() || !std::filesystem::exists(argv[i])) {
      std::fprintf(stderr, "%s: no inputs\n", argv[i]);
      return 1;
    }
    for (const auto& path : files) {
      // Said before, for the one that does not come back.
      std::fprintf(stderr, "%s\n", path.c_str());
      in_time = tern::fuzz::RunFile(path) && in_time;
      ++count;
    }
  }
  std::fprintf(stderr, "%zu files\n", count);
  return count != 0 && in_time ? 0 : 1;
}
