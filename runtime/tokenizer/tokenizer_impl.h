// What a Tokenizer is made of.  Never changes after it is made.
#ifndef TERN_RUNTIME_TOKENIZER_TOKENIZER_IMPL_H_
#define TERN_RUNTIME_TOKENIZER_TOKENIZER_IMPL_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tern/tokenizer.h>

#include "runtime/tokenizer/added_tokens.h"
#include "runtime/tokenizer/merges.h"
#include "runtime/tokenizer/normalizer.h"
#include "runtime/tokenizer/split.h"
#include "runtime/tokenizer/tokenizer_spec.h"
#include "runtime/tokenizer/vocabulary.h"

namespace tern {

class Tokenizer::Impl {
 public:
  // Throws Error if the parts of `spec` contradict each other.
  explicit Impl(const tokenizer::TokenizerSpec& spec);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  Impl(Impl&&) = delete;
  Impl& operator=(Impl&&) = delete;
  ~Impl() = default;

  [[nodiscard]] std::vector<Token> Encode(std::string_view text,
                                          EncodeOptions options) const;
  // Throws Error if `token` is not in the vocabulary.
  [[nodiscard]] std::string_view Bytes(Token token) const;
  // The same within a text: without the dummy prefix if `at_start` says that
  // only control tokens stand before, which this keeps up to date.
  [[nodiscard]] std::string_view Text(Token token, bool& at_start) const;

  [[nodiscard]] const tokenizer::Vocabulary& vocabulary() const {
    return vocabulary_;
  }
  [[nodiscard]] std::optional<Token> bos() const { return bos_; }
  [[nodiscard]] std::optional<Token> eos() const { return eos_; }
  [[nodiscard]] bool adds_bos() const { return adds_bos_; }
  [[nodiscard]] const std::vector<Token>& end_tokens() const {
    return end_tokens_;
  }
  [[nodiscard]] const std::string& description() const { return description_; }

 private:
  class Call;

  tokenizer::Vocabulary vocabulary_;
  tokenizer::Merges merges_;
  bool ignore_merges_;
  tokenizer::Normalizer normalizer_;
  tokenizer::Splitter splitter_;
  tokenizer::AddedTokens added_tokens_;
  tokenizer::AddedTokens normalized_added_tokens_;  // in normalized text
  std::optional<Token> bos_;
  std::optional<Token> eos_;
  bool adds_bos_;
  std::vector<Token> end_tokens_;  // sorted
  std::string description_;
};

}  // namespace tern

#endif  // TERN_RUNTIME_TOKENIZER_TOKENIZER_IMPL_H_
