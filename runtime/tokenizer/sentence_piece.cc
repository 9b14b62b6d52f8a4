#include "runtime/tokenizer/sentence_piece.h"

#include <utility>

#include "runtime/files/quote.h"

namespace tern::tokenizer {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEF";

std::string ReplaceAll(std::string_view text, std::string_view from,
                       std::string_view to) {
  std::string result;
  result.reserve(text.size());
  std::size_t begin = 0;
  for (auto at = text.find(from); at != std::string_view::npos;
       at = text.find(from, begin)) {
    result.append(text.substr(begin, at - begin)).append(to);
    begin = at + from.size();
  }
  return result.append(text.substr(begin));
}

std::optional<TokenKind> KindOf(std::int64_t type) {
  switch (static_cast<PieceType>(type)) {
    case PieceType::kNormal:
      return TokenKind::kText;
    case PieceType::kUnknown:
    case PieceType::kControl:
      return TokenKind::kControl;
    case PieceType::kUserDefined:
      return TokenKind::kAdded;
    case PieceType::kUnused:
      return TokenKind::kUnused;
    case PieceType::kByte:
      return TokenKind::kByte;
  }
  return std::nullopt;
}

}  // namespace

std::string EscapeSpaces(std::string_view text) {
  return ReplaceAll(text, " ", kEscapedSpace);
}

std::string UnescapeSpaces(std::string_view text) {
  return ReplaceAll(text, kEscapedSpace, " ");
}

std::string NameOfByte(unsigned byte) {
  return std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + '>';
}

std::optional<char> ByteOfName(std::string_view name) {
  if (name.size() != 6) return std::nullopt;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (name == NameOfByte(byte)) return static_cast<char>(byte);
  }
  return std::nullopt;
}

SpecToken TextPiece(std::string_view name) {
  if (name.find(' ') != std::string_view::npos) {
    return {.bytes = std::string(name), .kind = TokenKind::kUnused};
  }
  return {.bytes = UnescapeSpaces(name), .kind = TokenKind::kText};
}

void AppendPiece(TokenizerSpec& spec, std::string_view name, float score,
                 std::int64_t type, const std::string& key) {
  const auto kind =
      type >= 0 && type <= 6 ? KindOf(type) : std::optional<TokenKind>();
  if (!kind.has_value()) {
    Refuse(ErrorCode::kUnsupported, spec.file, key,
           "type " + std::to_string(type) +
               " is not known; tern knows 1 (normal), 2 (unknown), 3 "
               "(control), 4 (user-defined), 5 (unused), 6 (byte)");
  }
  const auto id = static_cast<Token>(spec.tokens.size());
  SpecToken token{.bytes = std::string(name), .kind = *kind, .score = score};
  if (*kind == TokenKind::kByte) {
    const auto byte = ByteOfName(name);
    if (!byte.has_value()) {
      Refuse(ErrorCode::kMalformed, spec.file, key,
             files::Quote(name) +
                 " is no byte <0x00> to <0xFF>; convert the model again");
    }
    token.bytes = *byte;
  } else if (*kind == TokenKind::kText) {
    if (name.empty()) {
      Refuse(ErrorCode::kMalformed, spec.file, key,
             "an empty piece; convert the model again");
    }
    token = TextPiece(name);
    token.score = score;
  }
  if (*kind == TokenKind::kAdded &&
      name.find(kEscapedSpace) != std::string_view::npos) {
    Refuse(ErrorCode::kUnsupported, spec.file, key,
           files::Quote(name) +
               " is user-defined and has a space, so it is looked for within "
               "the normalized text, which tern does not do; use a model "
               "without such tokens");
  }
  if (type == static_cast<std::int64_t>(PieceType::kUnknown) &&
      !spec.unknown.has_value()) {
    spec.unknown = id;
  }
  spec.tokens.push_back(std::move(token));
}

}  // namespace tern::tokenizer
