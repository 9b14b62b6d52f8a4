// tokenizer.model: sentencepiece_model.proto, as much of it as tokenizer_model
// reads.
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/tokenizer/hf_files.h"
#include "runtime/tokenizer/sentence_piece.h"

namespace tern::tokenizer {
namespace {

// The fields of one message.
class ProtobufWriter {
 public:
  void Varint(std::uint32_t number, std::uint64_t value) {
    Raw(std::uint64_t{number} << 3U);
    Raw(value);
  }
  void Float(std::uint32_t number, float value) {
    constexpr std::uint32_t kFixed32 = 5;
    Raw((std::uint64_t{number} << 3U) | kFixed32);
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    bytes_ += bytes;
  }
  void Bytes(std::uint32_t number, std::string_view value) {
    constexpr std::uint32_t kBytes = 2;
    Raw((std::uint64_t{number} << 3U) | kBytes);
    Raw(value.size());
    bytes_.append(value);
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  void Raw(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) {
      bytes_ += static_cast<char>(0x80U | (value & 0x7fU));
    }
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

PieceType TypeOf(const TokenizerSpec& spec, std::size_t id) {
  if (spec.unknown.has_value() &&
      static_cast<std::size_t>(*spec.unknown) == id) {
    return PieceType::kUnknown;
  }
  switch (spec.tokens[id].kind) {
    case TokenKind::kControl:
      return PieceType::kControl;
    case TokenKind::kByte:
      return PieceType::kByte;
    default:
      // Added tokens are said to be such in tokenizer_config.json.
      return PieceType::kNormal;
  }
}

std::string Piece(const TokenizerSpec& spec, std::size_t id) {
  const SpecToken& token = spec.tokens[id];
  std::string name = token.bytes;
  if (token.kind == TokenKind::kText) name = EscapeSpaces(token.bytes);
  if (token.kind == TokenKind::kByte) {
    name = NameOfByte(static_cast<unsigned char>(token.bytes[0]));
  }
  ProtobufWriter piece;
  piece.Bytes(1, name);
  piece.Float(2, token.score);
  piece.Varint(3, static_cast<std::uint64_t>(TypeOf(spec, id)));
  return piece.bytes();
}

// -1 where there is none, as an int32 in 64 bits.
std::uint64_t IdOf(std::optional<Token> token) {
  return token ? static_cast<std::uint64_t>(*token)
               : std::numeric_limits<std::uint64_t>::max();
}

}  // namespace

std::string MakeSentencePieceModel(const TokenizerSpec& spec,
                                   std::size_t size) {
  ProtobufWriter trainer;
  trainer.Varint(3, 2);   // model_type: BPE
  trainer.Varint(35, 1);  // byte_fallback
  trainer.Varint(40, IdOf(spec.unknown));
  trainer.Varint(41, IdOf(spec.bos));
  trainer.Varint(42, IdOf(spec.eos));
  ProtobufWriter normalizer;
  normalizer.Bytes(1, "identity");
  normalizer.Varint(3, spec.dummy_prefix.added ? 1 : 0);
  normalizer.Varint(4, 0);  // remove_extra_whitespaces
  normalizer.Varint(5, 1);  // escape_whitespaces
  ProtobufWriter model;
  for (std::size_t id = 0; id < size; ++id) model.Bytes(1, Piece(spec, id));
  model.Bytes(2, trainer.bytes());
  model.Bytes(3, normalizer.bytes());
  return model.bytes();
}

}  // namespace tern::tokenizer
