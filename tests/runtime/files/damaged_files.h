// Damaged models, each made from a good one by one named mutation.
#ifndef TERN_TESTS_RUNTIME_FILES_DAMAGED_FILES_H_
#define TERN_TESTS_RUNTIME_FILES_DAMAGED_FILES_H_

#include <map>
#include <ostream>
#include <string>
#include <vector>

namespace tern::test {

struct DamagedModel {
  std::string mutation;                      // what was done
  std::map<std::string, std::string> files;  // name -> bytes
  std::string open;  // the file to open, or "" for the directory
  // Substrings of the message: the file, the tensor, key or offset, and what
  // is wrong with it.
  std::vector<std::string> expected;

  friend std::ostream& operator<<(std::ostream& out,
                                  const DamagedModel& model) {
    return out << model.mutation;
  }
};

std::vector<DamagedModel> DamagedGguf();
std::vector<DamagedModel> DamagedSafetensors();
std::vector<DamagedModel> DamagedConfigs();

}  // namespace tern::test

#endif  // TERN_TESTS_RUNTIME_FILES_DAMAGED_FILES_H_
