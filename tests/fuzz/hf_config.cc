// config.json of every architecture, with its quantization_config.
#include "runtime/checkpoint/hf_config.h"

#include <cmath>

#include "runtime/files/on_fault.h"
#include "tests/fuzz/accepts.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"

namespace tern::fuzz {
namespace {

// What everything behind the configuration relies on.
void CheckUsable(const ModelConfig& config) {
  Check(config.num_layers > 0 && config.hidden_size > 0 &&
            config.ffn_size > 0 && config.vocab_size > 0 &&
            config.max_context > 0,
        "a size is 0");
  Check(config.head_dim > 0 && config.head_dim % 2 == 0, "head_dim is odd");
  Check(config.num_kv_heads > 0 && config.num_heads % config.num_kv_heads == 0,
        "key/value heads do not divide the heads");
  Check(std::isfinite(config.norm_eps) && config.norm_eps > 0, "norm_eps");
  Check(std::isfinite(config.rope_theta) && config.rope_theta > 0,
        "rope_theta");
  Check(config.rope_frequencies.empty() ||
            config.rope_frequencies.size() == config.head_dim / 2,
        "rope_frequencies");
  for (const float frequency : config.rope_frequencies) {
    Check(std::isfinite(frequency) && frequency > 0, "a rotary frequency");
  }
}

}  // namespace
}  // namespace tern::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace tern::fuzz;  // NOLINT(google-build-using-namespace)
  const auto path = PutFile("config.json", AsText(data, size));
  Accepts([&] {
    CheckUsable(
        tern::checkpoint::ReadHfConfig(path, tern::files::ThrowFault).model);
  });
  return 0;
}
