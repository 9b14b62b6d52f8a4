// The files of other programs that the encoders of the tests must reproduce:
// one list ships with the tests, the other needs the reference folder.
#ifndef TERN_TESTS_SUPPORT_TERNARY_ENCODERS_TEST_H_
#define TERN_TESTS_SUPPORT_TERNARY_ENCODERS_TEST_H_

#include <cstdint>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

namespace tern::testing {

struct EncodedFile {
  std::string name;
  std::string architecture;
  std::filesystem::path source;  // Hugging Face folder
  std::filesystem::path gguf;
  std::uint32_t type;          // of its linear layers
  bool scale_tensors = false;  // as GgufForm has it
};

// Shown by gtest when a case fails.
inline void PrintTo(const EncodedFile& file, std::ostream* out) {
  *out << file.name;
}

std::vector<EncodedFile> EncodedFiles();

}  // namespace tern::testing

#endif  // TERN_TESTS_SUPPORT_TERNARY_ENCODERS_TEST_H_
