// Text to token ids and back.
//
// Byte-level BPE (Sennrich et al. 2016, as in GPT-2, Llama 3 and Qwen) and
// SentencePiece's BPE (Kudo and Richardson 2018, as in Llama 2), read from a
// Hugging Face tokenizer.json, from a tokenizer.model or from the metadata of a
// GGUF file.  A kind of tokenizer that tern does not know is refused when it is
// loaded.
//
// A Tokenizer never changes after it is made: any number of threads may use
// one at once.  A StreamDecoder belongs to one thread at a time.
#ifndef TERN_TOKENIZER_H_
#define TERN_TOKENIZER_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tern/api.h>

namespace tern {

using Token = std::int32_t;

struct EncodeOptions {
  // Put the beginning-of-text token first if the model was trained with one
  // (adds_bos()).  It is never doubled: a text that, with parse_special, starts
  // with that token already gets no second one.
  bool add_bos = true;
  // Read the names of special tokens in the text, such as <|eot_id|>, as those
  // tokens.  Off by default: what a user types is ordinary text.
  bool parse_special = false;
  // Empty, or a byte for each byte of the text: a token that is found by its
  // name is found only where all of its bytes have '1' here.  That holds for
  // special tokens, with parse_special, and for others that were added to the
  // vocabulary, such as Qwen's <think>, but not for runs of white space.  So
  // the names in a chat template are tokens, those in what a user says are
  // text, and both are still encoded as one text.  (Where normalization changes
  // the text, the few tokens that are looked for after it need '1' for all of
  // the text up to the next token.)  Another size throws Error
  // (kInvalidArgument).
  std::string_view special_mask = {};
};

class TERN_API Tokenizer {
 public:
  // Reads the tokenizer of a GGUF file, of a directory that holds
  // tokenizer.json or else tokenizer.model, of one of these itself, or of a
  // .safetensors file that lies beside one.  Throws Error.
  static Tokenizer Load(const std::filesystem::path& path);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;
  ~Tokenizer();

  // Any bytes are accepted, valid UTF-8 or not, and Decode(Encode(text))
  // without a BOS gives them back, as far as the model's own normalization
  // leaves them: Qwen's and GPT-NeoX's tokenizers bring text to normalization
  // form C, and to Llama 2's a U+2581 is a space.  (GPT-NeoX has no tokens for
  // bytes that are in no UTF-8: they throw Error, kInvalidArgument.)  Time is
  // linear in text.size(), up to a logarithm, whatever the text.
  [[nodiscard]] std::vector<Token> Encode(std::string_view text,
                                          EncodeOptions options = {}) const;

  // The bytes of the tokens, special tokens included by name.  The tokens are
  // a text from its start: where Encode puts a space before a text
  // (SentencePiece), the first token that is not special loses it again.  An id
  // outside the vocabulary throws Error (kInvalidArgument).
  [[nodiscard]] std::string Decode(std::span<const Token> tokens) const;
  // The bytes of one token, maybe a part of a UTF-8 character only: print a
  // stream of tokens through a StreamDecoder.
  [[nodiscard]] std::string Decode(Token token) const;

  // Number of ids; valid ids are 0 .. vocab_size()-1.  It can be smaller than
  // the model's vocabulary, which may be padded.
  [[nodiscard]] std::size_t vocab_size() const;
  // The token that starts a text, if the vocabulary has one.
  [[nodiscard]] std::optional<Token> bos() const;
  // The token that ends a text, the one that chat templates call eos_token, if
  // the files name one.  Decode(*eos()) is its name.
  [[nodiscard]] std::optional<Token> eos() const;
  // True if Encode puts bos() first by default.
  [[nodiscard]] bool adds_bos() const;
  // Tokens that end a text or a turn: generation stops there.
  [[nodiscard]] std::span<const Token> end_tokens() const;
  [[nodiscard]] bool IsEndOfText(Token token) const;
  // True for control tokens such as <|eot_id|>, which are not text.
  [[nodiscard]] bool IsSpecial(Token token) const;
  // One line: kind, pre-tokenizer and where it came from, for people.
  [[nodiscard]] const std::string& description() const;

  class TERN_PRIVATE Impl;  // private to runtime/tokenizer/
  explicit Tokenizer(std::unique_ptr<const Impl> impl);
  [[nodiscard]] const Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<const Impl> impl_;
};

// Turns a stream of tokens into a stream of whole UTF-8 characters: bytes that
// only begin a character are held back until the rest arrives.  Bytes that can
// never become a valid character are passed on as they are.
class TERN_API StreamDecoder {
 public:
  // What the stream is part of: tokens that follow a prompt go on with a text,
  // and their first space belongs to it.
  enum class Position { kContinuesText, kStartsText };

  // The tokenizer must outlive the decoder.
  explicit StreamDecoder(const Tokenizer& tokenizer,
                         Position position = Position::kContinuesText)
      : tokenizer_(&tokenizer), at_start_(position == Position::kStartsText) {}
  // What may be printed now, possibly nothing.
  [[nodiscard]] std::string Push(Token token);
  // What is still held back, at the end of the stream.
  [[nodiscard]] std::string Flush();

 private:
  const Tokenizer* tokenizer_;
  bool at_start_;
  std::string held_;
};

}  // namespace tern

#endif  // TERN_TOKENIZER_H_
