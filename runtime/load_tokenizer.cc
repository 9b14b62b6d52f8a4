#include "runtime/load_tokenizer.h"

#include <string>

#include <tern/error.h>

namespace tern {

Tokenizer LoadTokenizer(const std::filesystem::path& model,
                        const std::optional<std::size_t>& vocab_size) {
  Tokenizer tokenizer = Tokenizer::Load(model);
  if (vocab_size) CheckVocabulary(model, tokenizer, *vocab_size);
  return tokenizer;
}

void CheckVocabulary(const std::filesystem::path& model,
                     const Tokenizer& tokenizer, std::size_t vocab_size) {
  if (tokenizer.vocab_size() <= vocab_size) return;
  throw Error(ErrorCode::kMalformed,
              model.string() + ": the tokenizer has " +
                  std::to_string(tokenizer.vocab_size()) +
                  " tokens, the model only " + std::to_string(vocab_size) +
                  "; they do not belong together");
}

}  // namespace tern
