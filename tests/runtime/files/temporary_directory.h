// A directory of its own for a test's files, gone when the test is over.
#ifndef TERN_TESTS_RUNTIME_FILES_TEMPORARY_DIRECTORY_H_
#define TERN_TESTS_RUNTIME_FILES_TEMPORARY_DIRECTORY_H_

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <stdlib.h>  // mkdtemp
#include <string>

namespace tern::test {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name =
        (std::filesystem::temp_directory_path() / "tern-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      throw std::runtime_error("no temporary directory at " + name);
    }
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  // Writes a file and gives its path.
  std::filesystem::path Write(const std::string& name,
                              const std::string& bytes) const {
    std::filesystem::path file = path_ / name;
    std::ofstream(file, std::ios::binary) << bytes;
    return file;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace tern::test

#endif  // TERN_TESTS_RUNTIME_FILES_TEMPORARY_DIRECTORY_H_
