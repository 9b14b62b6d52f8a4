#include "runtime/load_tokenizer.h"

#include <string>
#include <system_error>

#include <tern/error.h>

#include "runtime/files/input_file.h"

namespace tern {

Tokenizer LoadTokenizer(const std::filesystem::path& model,
                        const std::optional<std::size_t>& vocab_size) {
  Tokenizer tokenizer = Tokenizer::Load(model);
  if (vocab_size) CheckVocabulary(model, tokenizer, *vocab_size);
  return tokenizer;
}

bool HasTokenizer(const files::GgufFile& file) {
  return file.metadata.contains("tokenizer.ggml.model");
}

bool HasTokenizer(const std::filesystem::path& model) {
  std::error_code ignored;  // then it is no directory
  std::filesystem::path directory = model;
  if (!std::filesystem::is_directory(model, ignored)) {
    if (files::IsGguf(model)) return HasTokenizer(files::ReadGguf(model));
    directory = model.parent_path();
  }
  return files::IsThere(directory / "tokenizer.json") ||
         files::IsThere(directory / "tokenizer.model");
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
