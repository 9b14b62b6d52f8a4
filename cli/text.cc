#include "cli/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>

namespace tern::cli {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n";
constexpr std::string_view kSeparators = ", \t\r\n";

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

// U+0080..U+009F too: some terminals obey them.
bool IsControl(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  return first < 0x20 || first == 0x7F ||
         (first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0);
}

std::string Escape(std::string_view text, bool backslash) {
  std::string out;
  while (!text.empty()) {
    std::size_t size = CharacterSize(text);
    if (size == 0 || IsControl(text) || (backslash && text[0] == '\\')) {
      out += EscapeByte(static_cast<unsigned char>(text[0]));
      size = 1;
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
  return out;
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

bool IsJson(std::string_view text) {
  const std::size_t start = text.find_first_not_of(kWhiteSpace);
  return start != std::string_view::npos &&
         (text[start] == '[' || text[start] == '{');
}

// The array, or that under "ids" of an object, as `tern tokenize --json` writes
// it.
Json ParseJsonIds(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_object() && json.contains("ids")) json = Json(json["ids"]);
  if (!json.is_array()) {
    throw std::invalid_argument(
        "neither a JSON array of token ids nor an object with such \"ids\"");
  }
  return json;
}

Token ParseId(std::string_view word) {
  Token id = 0;
  const char* end = word.data() + word.size();
  const auto result = std::from_chars(word.data(), end, id);
  if (result.ec != std::errc() || result.ptr != end || id < 0) {
    throw std::invalid_argument("'" + EscapePiece(word.substr(0, 40)) +
                                "' is not a token id");
  }
  return id;
}

// Ids between white space or single commas.
std::vector<Token> ParseSeparatedIds(std::string_view text) {
  std::vector<Token> ids;
  bool after_comma = false;
  while (true) {
    const std::size_t start = text.find_first_not_of(kWhiteSpace);
    if (start == std::string_view::npos) break;
    text.remove_prefix(start);
    if (text[0] == ',') {
      if (after_comma || ids.empty()) {
        throw std::invalid_argument(
            ids.empty() ? "an id is missing before the first comma"
                        : "an id is missing between two commas");
      }
      after_comma = true;
      text.remove_prefix(1);
      continue;
    }
    const std::size_t size =
        std::min(text.find_first_of(kSeparators), text.size());
    ids.push_back(ParseId(text.substr(0, size)));
    text.remove_prefix(size);
    after_comma = false;
  }
  if (after_comma) {
    throw std::invalid_argument("an id is missing after the last comma");
  }
  return ids;
}

}  // namespace

std::string DumpJson(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string ReplaceInvalidUtf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t size = CharacterSize(text);
    out += size == 0 ? "\xEF\xBF\xBD" : text.substr(0, size);
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

std::string EscapePiece(std::string_view piece) { return Escape(piece, true); }

std::string EscapeControls(std::string_view line) {
  return Escape(line, false);
}

std::vector<Token> ParseTokenIds(std::string_view text) {
  return IsJson(text) ? IdsOfJson(ParseJsonIds(text)) : ParseSeparatedIds(text);
}

TokenLists ParseTokenLists(std::string_view text) {
  TokenLists result;
  if (!IsJson(text)) {
    result.lists.push_back(ParseSeparatedIds(text));
    return result;
  }
  const Json json = ParseJsonIds(text);
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
