#include "tests/runtime/forward/layer_test.h"
#include "tests/support/golden.h"

namespace tern::testing {

std::vector<LayerCase> LayerCases() {
  const std::filesystem::path z1 = GoldenDir() / "z1-bitnet-2b4t-packed";
  return {{"z1", z1, z1 / "golden_float32.safetensors"}};
}

}  // namespace tern::testing
