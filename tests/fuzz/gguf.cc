// A GGUF file: header, keys and table of tensors, then everything that is done
// with a model.
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/whole_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  tern::fuzz::RunModel(
      tern::fuzz::PutFile("model.gguf", tern::fuzz::AsText(data, size)));
  return 0;
}
