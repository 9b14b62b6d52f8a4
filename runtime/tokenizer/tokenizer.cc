#include <algorithm>
#include <utility>

#include <tern/error.h>
#include <tern/tokenizer.h>

#include "runtime/files/gguf.h"
#include "runtime/files/input_file.h"
#include "runtime/out_of_memory.h"
#include "runtime/tokenizer/tokenizer_gguf.h"
#include "runtime/tokenizer/tokenizer_impl.h"
#include "runtime/tokenizer/tokenizer_json.h"
#include "runtime/tokenizer/tokenizer_model.h"

namespace tern {
namespace {

namespace fs = std::filesystem;

Tokenizer LoadFromDirectory(const fs::path& directory) {
  if (files::IsThere(directory / "tokenizer.json")) {
    return tokenizer::LoadJsonTokenizer(directory / "tokenizer.json");
  }
  if (files::IsThere(directory / "tokenizer.model")) {
    return tokenizer::LoadModelTokenizer(directory / "tokenizer.model");
  }
  throw Error(ErrorCode::kNotFound,
              directory.string() +
                  ": no tokenizer.json and no tokenizer.model in this "
                  "directory; copy the one that was published with the model "
                  "there");
}

Tokenizer LoadFromPath(const fs::path& path) {
  if (!files::IsThere(path)) {
    throw Error(ErrorCode::kNotFound,
                path.string() +
                    ": no such file; give a GGUF file, a tokenizer.json, a "
                    "tokenizer.model or a directory that holds one");
  }
  std::error_code ignored;  // opening it says what is wrong
  if (fs::is_directory(path, ignored)) return LoadFromDirectory(path);
  // By what it is, not by its name: packing may call a GGUF file anything.
  if (files::IsGguf(path)) {
    return tokenizer::MakeGgufTokenizer(files::ReadGguf(path));
  }
  if (path.extension() == ".json") return tokenizer::LoadJsonTokenizer(path);
  if (path.extension() == ".model") {
    return tokenizer::LoadModelTokenizer(path);
  }
  if (path.extension() == ".safetensors") {
    return LoadFromDirectory(path.has_parent_path() ? path.parent_path() : ".");
  }
  throw Error(ErrorCode::kUnsupported,
              path.string() +
                  ": not a tokenizer; give a GGUF file, a tokenizer.json, a "
                  "tokenizer.model or a directory that holds one");
}

}  // namespace

Tokenizer Tokenizer::Load(const fs::path& path) {
  return NamingOutOfMemory(path, [&] { return LoadFromPath(path); });
}

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl)
    : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

std::vector<Token> Tokenizer::Encode(std::string_view text,
                                     EncodeOptions options) const {
  return impl_->Encode(text, options);
}

std::string Tokenizer::Decode(std::span<const Token> tokens) const {
  std::string text;
  bool at_start = true;
  for (const Token token : tokens) text += impl_->Text(token, at_start);
  return text;
}

std::string Tokenizer::Decode(Token token) const {
  return std::string(impl_->Bytes(token));
}

std::size_t Tokenizer::vocab_size() const { return impl_->vocabulary().size(); }

std::optional<Token> Tokenizer::bos() const { return impl_->bos(); }

std::optional<Token> Tokenizer::eos() const { return impl_->eos(); }

bool Tokenizer::adds_bos() const { return impl_->adds_bos(); }

std::span<const Token> Tokenizer::end_tokens() const {
  return impl_->end_tokens();
}

bool Tokenizer::IsEndOfText(Token token) const {
  const auto ends = end_tokens();
  return std::binary_search(ends.begin(), ends.end(), token);
}

bool Tokenizer::IsSpecial(Token token) const {
  return token >= 0 && static_cast<std::size_t>(token) < vocab_size() &&
         impl_->vocabulary().Kind(token) == tokenizer::TokenKind::kControl;
}

const std::string& Tokenizer::description() const {
  return impl_->description();
}

}  // namespace tern
