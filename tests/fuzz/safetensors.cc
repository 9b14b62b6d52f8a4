// The header of a .safetensors file, then the bytes of every tensor.
#include "runtime/files/safetensors.h"

#include <cstdint>
#include <vector>

#include "tests/fuzz/accepts.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"

namespace tern::fuzz {
namespace {

void ReadTensor(const files::StoredTensor& tensor) {
  const std::vector<std::uint8_t> bytes = tensor.ReadAll();
  Check(bytes.size() == tensor.bytes, "a tensor has another size than it says");
  if (tensor.shape.empty() || tensor.ElementCount() == 0) return;
  const std::uint64_t rows = tensor.ElementCount() / tensor.shape.back();
  std::vector<float> values(tensor.ElementCount());
  Accepts([&] { files::ReadFloats(tensor, 0, rows, values.data()); });
}

}  // namespace
}  // namespace tern::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace tern::fuzz;  // NOLINT(google-build-using-namespace)
  const auto path = PutFile("model.safetensors", AsText(data, size));
  Accepts([&] {
    for (const auto& [name, tensor] : tern::files::ReadSafetensors(path)) {
      ReadTensor(tensor);
    }
  });
  return 0;
}
