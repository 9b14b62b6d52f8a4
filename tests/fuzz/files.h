// Inputs that tern reads from the disk: files in a directory that every run of
// a target uses again (run.sh puts it into memory, by TMPDIR).
#ifndef TERN_TESTS_FUZZ_FILES_H_
#define TERN_TESTS_FUZZ_FILES_H_

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <system_error>

#include "tests/support/temporary_directory.h"

namespace tern::fuzz {

inline const TemporaryDirectory& Directory() {
  static const TemporaryDirectory directory;
  return directory;
}

inline std::filesystem::path PutFile(const std::string& name,
                                     std::string_view bytes) {
  const std::filesystem::path path = Directory() / name;
  WriteFile(path, std::string(bytes));
  return path;
}

// Several files in one input: each begins behind a line "=== NAME".  Those of
// `names` that the input has are written, the others removed.
inline void PutFiles(std::string_view input,
                     std::initializer_list<const char*> names) {
  for (const std::string name : names) {
    const std::string head = "=== " + name + "\n";
    std::error_code ignored;
    const std::size_t found = input.find(head);
    if (found == std::string_view::npos) {
      std::filesystem::remove(Directory() / name, ignored);
      continue;
    }
    const std::string_view rest = input.substr(found + head.size());
    PutFile(name, rest.substr(0, rest.find("\n=== ")));
  }
}

}  // namespace tern::fuzz

#endif  // TERN_TESTS_FUZZ_FILES_H_
