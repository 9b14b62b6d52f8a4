// SentencePiece's tokenizer.model, a protobuf, and the files beside it.
#include "runtime/tokenizer/tokenizer_model.h"

#include "tests/fuzz/accepts.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/tokenizer_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace tern::fuzz;  // NOLINT(google-build-using-namespace)
  const std::string_view input = AsText(data, size);
  PutFiles(input, {"tokenizer.model", "tokenizer_config.json",
                   "added_tokens.json", "generation_config.json"});
  Accepts([&] {
    const auto tokenizer =
        tern::tokenizer::LoadModelTokenizer(Directory() / "tokenizer.model");
    CheckEncoding(tokenizer, input.substr(0, 4096), {.parse_special = true},
                  Changes::kNormalization);
  });
  return 0;
}
