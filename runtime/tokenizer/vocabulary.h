// The tokens of a vocabulary: their bytes by id, and ids by bytes.
#ifndef TERN_RUNTIME_TOKENIZER_VOCABULARY_H_
#define TERN_RUNTIME_TOKENIZER_VOCABULARY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tern/tokenizer.h>

#include "runtime/tokenizer/tokenizer_spec.h"

namespace tern::tokenizer {

// Good enough for open addressing.  Who chooses the tokens could make them
// collide; probing.h says what is done about it.
[[nodiscard]] std::uint64_t HashBytes(std::string_view bytes);

class Vocabulary {
 public:
  // Throws Error if two tokens that text can become have the same bytes, or if
  // one of the 256 bytes has no token, so that some text could not be encoded.
  // Only the bytes that are in no UTF-8 may be missing from a byte-level one.
  explicit Vocabulary(const TokenizerSpec& spec);

  [[nodiscard]] std::size_t size() const { return kinds_.size(); }
  // `token` must be within the vocabulary.
  [[nodiscard]] std::string_view Bytes(Token token) const;
  [[nodiscard]] TokenKind Kind(Token token) const;

  // The token that BPE may use for these bytes, -1 if there is none.
  [[nodiscard]] Token Find(std::string_view bytes) const;
  // The tokens that BPE of `piece` starts from: its bytes, or for SentencePiece
  // its characters, with bytes for what is no character or has no token.
  // Writes at most piece.size() of them and returns their number.  Throws Error
  // (kInvalidArgument) for a byte that has no token.
  std::size_t FirstSymbols(std::string_view piece, Token* symbols) const;

 private:
  // False if these bytes are there already.
  bool Insert(const TokenizerSpec& spec, Token token);
  // Where `bytes` are, or the free slot where they would be.
  [[nodiscard]] std::size_t Slot(std::string_view bytes) const;
  void InsertAll(const TokenizerSpec& spec);
  void SetByteTokens(const TokenizerSpec& spec);

  std::string bytes_;                 // of all tokens, one after another
  std::vector<std::size_t> offsets_;  // [size + 1] into bytes_
  std::vector<TokenKind> kinds_;
  std::vector<Token> slots_;  // open addressing, a power of two; -1: free
  std::array<Token, 256> byte_tokens_{};   // of bytes on their own
  std::array<Token, 128> ascii_tokens_{};  // of ASCII characters
  bool is_byte_level_;
  std::size_t longest_ = 0;
};

}  // namespace tern::tokenizer

#endif  // TERN_RUNTIME_TOKENIZER_VOCABULARY_H_
