// tokenizer.json and the files beside it, then a text through what they make.
#include "runtime/tokenizer/tokenizer_json.h"

#include "tests/fuzz/accepts.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/tokenizer_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace tern::fuzz;  // NOLINT(google-build-using-namespace)
  const std::string_view input = AsText(data, size);
  PutFiles(input, {"tokenizer.json", "tokenizer_config.json",
                   "generation_config.json", "config.json"});
  Accepts([&] {
    const auto tokenizer =
        tern::tokenizer::LoadJsonTokenizer(Directory() / "tokenizer.json");
    // Its own names are the best text for it.
    CheckEncoding(tokenizer, input.substr(0, 4096), {.parse_special = true},
                  Changes::kNormalization);
  });
  return 0;
}
