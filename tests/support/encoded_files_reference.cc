#include "tests/support/golden.h"
#include "tests/support/ternary_encoders.h"
#include "tests/support/ternary_encoders_test.h"

namespace tern::testing {

std::vector<EncodedFile> EncodedFiles() {
  const std::filesystem::path folder = ReferenceDir() / "gguf";
  const auto bitnet = folder / "zb-bitnet-256";
  const auto llama = folder / "zl-llama-256";
  const std::string b = "zb-bitnet-256.";
  const std::string l = "zl-llama-256.";
  return {
      {"TQ1", "bitnet-b1.58", bitnet, folder / (b + "tq1_0.gguf"),
       gguf::kTq1_0},
      {"TQ2WithScaleTensors", "bitnet", bitnet,
       folder / (b + "archbitnet.scale-tensors.tq2_0.gguf"), gguf::kTq2_0,
       true},
      {"IQ2BN", "bitnet-b1.58", bitnet, folder / (b + "iq2_bn.gguf"),
       gguf::kIq2Bn},
      {"LlamaI2S", "llama", llama, folder / (l + "i2_s.gguf"), gguf::kI2S},
      {"LlamaTQ2", "llama", llama, folder / (l + "tq2_0.gguf"), gguf::kTq2_0},
      {"LlamaIQ1BN", "llama", llama, folder / (l + "iq1_bn.gguf"),
       gguf::kIq1Bn},
  };
}

}  // namespace tern::testing
