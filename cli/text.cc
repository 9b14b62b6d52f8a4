#include "cli/text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>

namespace tern::cli {
namespace {

// Bytes of the UTF-8 character that `text` begins with (RFC 3629: no overlong
// forms, no surrogates), 0 if it begins with none.
std::size_t CharacterSize(std::string_view text) {
  const auto at = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto continues = [&](std::size_t i) {
    return (at(i) & 0xC0U) == 0x80U;
  };
  const unsigned first = at(0);
  const unsigned second = at(1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (first == 0xE0 && second < 0xA0) return 0;
    if (first == 0xED && second > 0x9F) return 0;
    return continues(1) && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (first == 0xF0 && second < 0x90) return 0;
    if (first == 0xF4 && second > 0x8F) return 0;
    return continues(1) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

std::string EscapeByte(unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  switch (byte) {
    case '\n':
      return "\\n";
    case '\t':
      return "\\t";
    case '\r':
      return "\\r";
    case '\\':
      return "\\\\";
    default:
      break;
  }
  return {'\\', 'x', kDigits[byte >> 4U], kDigits[byte & 15U]};
}

std::vector<Token> IdsOfJson(const Json& array) {
  std::vector<Token> ids;
  for (const Json& item : array) {
    constexpr auto kMax = std::numeric_limits<Token>::max();
    if (!item.is_number_unsigned() || item.get<std::uint64_t>() > kMax) {
      throw std::invalid_argument(
          item.dump(-1, ' ', true, Json::error_handler_t::replace) +
          " is not a token id");
    }
    ids.push_back(item.get<Token>());
  }
  return ids;
}

Json ParseJsonArray(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_array()) {
    throw std::invalid_argument("not a JSON array of token ids");
  }
  return json;
}

}  // namespace

std::string DumpJson(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string EscapePiece(std::string_view piece) {
  std::string out;
  while (!piece.empty()) {
    const auto first = static_cast<unsigned char>(piece[0]);
    std::size_t size = CharacterSize(piece);
    const bool control = first < 0x20 || first == 0x7F;
    if (size == 0 || control || first == '\\') {
      out += EscapeByte(first);
      size = 1;
    } else {
      out += piece.substr(0, size);
    }
    piece.remove_prefix(size);
  }
  return out;
}

std::vector<Token> ParseTokenIds(std::string_view text) {
  constexpr std::string_view kSeparators = ", \t\r\n";
  const std::size_t start = text.find_first_not_of(kSeparators);
  if (start == std::string_view::npos) return {};
  if (text[start] == '[') return IdsOfJson(ParseJsonArray(text));
  std::vector<Token> ids;
  for (std::size_t begin = start; begin != std::string_view::npos;) {
    const std::size_t end =
        std::min(text.find_first_of(kSeparators, begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    Token id = 0;
    const auto result =
        std::from_chars(word.data(), word.data() + word.size(), id);
    if (result.ec != std::errc() || result.ptr != word.data() + word.size() ||
        id < 0) {
      throw std::invalid_argument("'" + EscapePiece(word.substr(0, 40)) +
                                  "' is not a token id");
    }
    ids.push_back(id);
    begin = text.find_first_not_of(kSeparators, end);
  }
  return ids;
}

TokenLists ParseTokenLists(std::string_view text) {
  const Json json = ParseJsonArray(text);
  TokenLists result;
  result.nested = !json.empty() && json[0].is_array();
  if (!result.nested) {
    result.lists.push_back(IdsOfJson(json));
    return result;
  }
  for (const Json& item : json) {
    if (!item.is_array()) {
      throw std::invalid_argument("ids and arrays of ids are mixed");
    }
    result.lists.push_back(IdsOfJson(item));
  }
  return result;
}

std::string JoinIds(const std::vector<Token>& ids) {
  std::string out;
  for (const Token id : ids) {
    if (!out.empty()) out += ',';
    out += std::to_string(id);
  }
  return out;
}

std::string HumanBytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  if (bytes < 1000) return std::to_string(bytes) + " B";
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return Fixed(value, decimals) + " " + kUnits[unit];
}

std::string Fixed(double value, int decimals) {
  std::array<char, 400> buffer{};
  const auto result =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                    std::chars_format::fixed, decimals);
  return {buffer.data(), result.ptr};
}

}  // namespace tern::cli
