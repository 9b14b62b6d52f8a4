#include "tests/support/golden.h"
#include "tests/support/ternary_encoders.h"
#include "tests/support/ternary_encoders_test.h"

namespace tern::testing {

std::vector<EncodedFile> EncodedFiles() {
  return {{"I2S", "bitnet-b1.58", GoldenDir() / "zb-bitnet-256",
           GoldenDir() / "zb-bitnet-256.i2_s.gguf", gguf::kI2S}};
}

}  // namespace tern::testing
