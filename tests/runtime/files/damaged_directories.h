// Hugging Face directories made from the tiny model, each with one mutation.
#ifndef TERN_TESTS_RUNTIME_FILES_DAMAGED_DIRECTORIES_H_
#define TERN_TESTS_RUNTIME_FILES_DAMAGED_DIRECTORIES_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/runtime/files/damaged_files.h"
#include "tests/runtime/files/tiny_model.h"

namespace tern::test {

inline const char* const kName = "model.safetensors";
inline const char* const kIndex = "model.safetensors.index.json";
inline const std::string kLayer = "model.layers.0.";
inline const std::string kQ = kLayer + "self_attn.q_proj.weight";
inline const std::string kQScale = kQ + "_scale";

inline std::string Tensor(const std::string& name) {
  return "tensor '" + name + "'";
}

class DirectoryCases {
 public:
  // A directory; `in` is the file that the message names.
  void AddFiles(const std::string& mutation,
                std::map<std::string, std::string> files, const char* in,
                std::vector<std::string> expected) {
    expected.insert(expected.begin(), in);
    files.emplace("config.json", TinyConfig().dump());
    cases_.push_back({mutation, std::move(files), "", std::move(expected)});
  }
  void AddBytes(const std::string& mutation, const std::string& bytes,
                std::vector<std::string> expected) {
    AddFiles(mutation, {{kName, bytes}}, kName, std::move(expected));
  }
  template <typename Mutate>
  void Add(const std::string& mutation, Mutate mutate,
           std::vector<std::string> expected) {
    SafetensorsParts parts = TinyPacked();
    mutate(parts);
    AddBytes(mutation, Serialize(parts), std::move(expected));
  }
  // The good weights under another configuration.
  template <typename Mutate>
  void AddConfig(const std::string& mutation, Mutate mutate,
                 std::vector<std::string> expected,
                 const char* in = "config.json",
                 const SafetensorsParts& parts = TinyPacked()) {
    nlohmann::json config = TinyConfig();
    mutate(config);
    AddFiles(mutation,
             {{"config.json", config.dump()}, {kName, Serialize(parts)}}, in,
             std::move(expected));
  }
  std::vector<DamagedModel> Take() { return std::move(cases_); }

 private:
  std::vector<DamagedModel> cases_;
};

}  // namespace tern::test

#endif  // TERN_TESTS_RUNTIME_FILES_DAMAGED_DIRECTORIES_H_
