// The tokenizer and the chat template among the keys of a GGUF file, which
// needs no tensors for that.
#include "runtime/tokenizer/tokenizer_gguf.h"

#include <tern/chat.h>

#include "runtime/files/gguf.h"
#include "tests/fuzz/accepts.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/tokenizer_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace tern::fuzz;  // NOLINT(google-build-using-namespace)
  const std::string_view input = AsText(data, size);
  const auto path = PutFile("model.gguf", input);
  Accepts([&] { (void)tern::ChatTemplate::Load(path); });
  Accepts([&] {
    const auto tokenizer =
        tern::tokenizer::MakeGgufTokenizer(tern::files::ReadGguf(path));
    CheckEncoding(tokenizer, input.substr(0, 4096), {.parse_special = true},
                  Changes::kNormalization);
  });
  return 0;
}
