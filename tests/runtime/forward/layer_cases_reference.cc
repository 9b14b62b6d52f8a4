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
  const std::filesystem::path z1m = models / "zoo" / "z1m-bitnet-2b4t-master";
  cases.push_back({"z1m", z1m, z1m / "golden_float32.safetensors"});
  return cases;
}

}  // namespace tern::testing
