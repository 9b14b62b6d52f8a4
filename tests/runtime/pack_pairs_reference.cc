#include "tests/runtime/pack_pairs.h"
#include "tests/support/golden.h"

namespace tern::testing {

std::vector<std::filesystem::path> ModelsToPack() {
  std::vector<std::filesystem::path> models;
  for (const char* name :
       {"books-14m-packed", "books-14m-master", "books-14m-fp16",
        "books-79m-packed", "zoo/z1-bitnet-2b4t-packed",
        "zoo/z1m-bitnet-2b4t-master", "zoo/z2-llama-bitlinear",
        "zoo/z3-trilm-unpacked", "zoo/z4-falcon-e-offline",
        "zoo/z4c-falcon-e-bitlinear"}) {
    models.push_back(ReferenceDir() / "models" / name);
  }
  for (const char* name :
       {"books-14m.i2_s.gguf", "books-14m.published-metadata.i2_s.gguf",
        "books-79m.tq2_0.gguf", "zb-bitnet-256", "zb-bitnet-256.i2_s.gguf",
        "zb-bitnet-256.tq1_0.gguf",
        "zb-bitnet-256.archbitnet.scale-tensors.tq2_0.gguf",
        "zb-bitnet-256.iq2_bn.gguf", "zb-bitnet-256.f16.gguf", "zl-llama-256",
        "zl-llama-256.i2_s.gguf", "zl-llama-256.tq2_0.gguf",
        "zl-llama-256.iq1_bn.gguf", "zl-llama-256.f32.gguf",
        "z2-llama-bitlinear.K192-UNSOUND.i2_s.gguf"}) {
    models.push_back(ReferenceDir() / "gguf" / name);
  }
  return models;
}

}  // namespace tern::testing
