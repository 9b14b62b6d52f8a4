// What happens to a text before it is split: normalization form C, or for
// SentencePiece the dummy prefix.
#ifndef TERN_RUNTIME_TOKENIZER_NORMALIZER_H_
#define TERN_RUNTIME_TOKENIZER_NORMALIZER_H_

#include <optional>
#include <string>
#include <string_view>

#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {

class Normalizer {
 public:
  explicit Normalizer(const TokenizerSpec& spec)
      : is_sentence_piece_(spec.kind == VocabularyKind::kSentencePiece),
        nfc_(spec.nfc),
        dummy_prefix_(spec.dummy_prefix) {}

  // The text that takes the place of `text`, which stands between two tokens
  // found by name, or `is_first` before all of them; nullopt if it stays.
  [[nodiscard]] std::optional<std::string> Apply(std::string_view text,
                                                 bool is_first) const;

  // Whether a space that begins a decoded text is none of its own.
  [[nodiscard]] bool adds_prefix() const { return dummy_prefix_.added; }

 private:
  bool is_sentence_piece_;
  bool nfc_;
  DummyPrefix dummy_prefix_;
};

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_NORMALIZER_H_
