#include <string>
#include <utility>
#include <vector>

#include "tests/runtime/forward/layer_test.h"
#include "tests/support/golden.h"

namespace tern::testing {

std::vector<LayerCase> LayerCases() {
  const std::filesystem::path models = ReferenceDir() / "models";
  std::vector<LayerCase> cases;
  for (const char* name : {"books-14m-fp16", "books-14m-packed",
                           "books-14m-master", "books-79m-packed"}) {
    std::string label = name;
    std::erase(label, '-');
    cases.push_back({label, models / name,
                     models / "golden" / (std::string(name) + ".safetensors")});
  }
  const std::vector<std::pair<std::string, std::string>> zoo = {
      {"z1m", "z1m-bitnet-2b4t-master"},
      {"z2", "z2-llama-bitlinear"},
      {"z3", "z3-trilm-unpacked"},
      {"z4", "z4-falcon-e-offline"},
      {"z4c", "z4c-falcon-e-bitlinear"}};
  for (const auto& [label, name] : zoo) {
    const std::filesystem::path folder = models / "zoo" / name;
    cases.push_back({label, folder, folder / "golden_float32.safetensors"});
  }
  return cases;
}

}  // namespace tern::testing
