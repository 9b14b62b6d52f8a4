// What a tokenizer promises for any text (tern/tokenizer.h).
#ifndef TERN_TESTS_FUZZ_TOKENIZER_TEXT_H_
#define TERN_TESTS_FUZZ_TOKENIZER_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

#include <tern/tokenizer.h>

#include "tests/fuzz/accepts.h"
#include "tests/fuzz/fuzz.h"

namespace tern::fuzz {

// A stream's pieces are those of the whole.
inline void CheckStream(const Tokenizer& tokenizer,
                        const std::vector<Token>& tokens) {
  StreamDecoder stream(tokenizer, StreamDecoder::Position::kStartsText);
  std::string text;
  for (const Token token : tokens) text += stream.Push(token);
  text += stream.Flush();
  Check(text == tokenizer.Decode(tokens), "a stream's text is another");
}

// How Encode may change a text: not at all, or by the model's normalization.
enum class Changes { kNothing, kNormalization };

inline void CheckEncoding(const Tokenizer& tokenizer, std::string_view text,
                          const EncodeOptions& options, Changes changes) {
  std::vector<Token> tokens;
  if (!Accepts([&] { tokens = tokenizer.Encode(text, options); })) {
    Check(changes == Changes::kNormalization, "a text is refused");
    return;
  }
  for (const Token token : tokens) {
    Check(
        token >= 0 && static_cast<std::size_t>(token) < tokenizer.vocab_size(),
        "an id outside the vocabulary");
    Check(
        options.parse_special || options.add_bos || !tokenizer.IsSpecial(token),
        "a special token of ordinary text");
  }
  CheckStream(tokenizer, tokens);
  if (changes == Changes::kNothing && !options.add_bos) {
    Check(tokenizer.Decode(tokens) == text, "Decode(Encode(text)) is not text");
  }
}

}  // namespace tern::fuzz

#endif  // TERN_TESTS_FUZZ_TOKENIZER_TEXT_H_
