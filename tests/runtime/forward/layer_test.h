// The models that layer_test.cc runs on: one list for the models that ship with
// the tests, another for the large reference folder, linked into two binaries.
#ifndef TERN_TESTS_RUNTIME_FORWARD_LAYER_TEST_H_
#define TERN_TESTS_RUNTIME_FORWARD_LAYER_TEST_H_

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

namespace tern::testing {

struct LayerCase {
  std::string name;
  std::filesystem::path model;
  std::filesystem::path golden;  // with P.ids and P.hidden.0 .. L
};

// Shown by gtest when a case fails.
inline void PrintTo(const LayerCase& c, std::ostream* out) { *out << c.name; }

std::vector<LayerCase> LayerCases();

}  // namespace tern::testing

#endif  // TERN_TESTS_RUNTIME_FORWARD_LAYER_TEST_H_
