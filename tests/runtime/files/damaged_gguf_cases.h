// How damaged GGUF files are made from a good one, for the tables of them.
#ifndef TERN_TESTS_RUNTIME_FILES_DAMAGED_GGUF_CASES_H_
#define TERN_TESTS_RUNTIME_FILES_DAMAGED_GGUF_CASES_H_

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/runtime/files/damaged_files.h"
#include "tests/runtime/files/tiny_model.h"

namespace tern::test {

inline constexpr auto kHuge = std::numeric_limits<std::uint64_t>::max();
inline constexpr const char* kGgufName = "model.gguf";

class DamagedGgufCases {
 public:
  // Expected beside the file's name: all of `expected`.
  void AddBytes(const std::string& mutation, const std::string& bytes,
                std::vector<std::string> expected) {
    expected.insert(expected.begin(), kGgufName);
    cases_.push_back(
        {mutation, {{kGgufName, bytes}}, kGgufName, std::move(expected)});
  }
  template <typename Mutate>
  void Add(const std::string& mutation, Mutate mutate,
           std::vector<std::string> expected, GgufParts parts = TinyGguf()) {
    mutate(parts);
    AddBytes(mutation, Serialize(parts), std::move(expected));
  }
  // The good file with other bytes at the start of a structure.
  void AddPatch(const std::string& mutation, const std::string& structure,
                const std::string& bytes, std::vector<std::string> expected) {
    std::vector<Mark> marks;
    std::string file = Serialize(TinyGguf(), &marks);
    for (const Mark& mark : marks) {
      if (mark.structure == structure) {
        file.replace(mark.offset, bytes.size(), bytes);
        AddBytes(mutation, file, std::move(expected));
        return;
      }
    }
    throw std::runtime_error("no structure " + structure);
  }
  template <typename Mutate>
  void AddTq2(const std::string& mutation, Mutate mutate,
              std::vector<std::string> expected) {
    Add(mutation, mutate, std::move(expected), TinyTq2Gguf());
  }
  std::vector<DamagedModel> Take() { return std::move(cases_); }

 private:
  std::vector<DamagedModel> cases_;
};

// What a message says of them.
inline std::string Tensor(const std::string& name) {
  return "tensor '" + name + "'";
}
inline std::string Key(const std::string& name) { return "key '" + name + "'"; }

// What gguf.cc refuses: header, metadata, the table, types and sizes.
void AddDamagedContainers(DamagedGgufCases& cases);
// What is well formed but no model: weights, configuration, unknown names.
void AddDamagedGgufModels(DamagedGgufCases& cases);

}  // namespace tern::test

#endif  // TERN_TESTS_RUNTIME_FILES_DAMAGED_GGUF_CASES_H_
