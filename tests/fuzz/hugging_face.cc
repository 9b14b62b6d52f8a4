// A directory in Hugging Face layout: configuration, weights in one file or in
// shards that an index names, tokenizer and chat template.
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/whole_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace tern::fuzz;  // NOLINT(google-build-using-namespace)
  PutFiles(AsText(data, size),
           {"config.json", "generation_config.json", "tokenizer_config.json",
            "tokenizer.json", "chat_template.jinja", "model.safetensors",
            "model.safetensors.index.json", "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors"});
  RunModel(Directory().path());
  return 0;
}
