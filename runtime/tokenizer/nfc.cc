#include "runtime/tokenizer/nfc.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utf8proc.h>
#include <vector>

#include <tern/error.h>

#include "runtime/tokenizer/utf8.h"

namespace tern::tokenizer {
namespace {

// All characters below U+0300, whose first byte is at most CB, are in form C,
// and none of them combines with what stands before it.
bool IsCertainlyNfc(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0xCC;
  });
}

void CheckResult(utf8proc_ssize_t result) {
  if (result >= 0) return;
  throw Error(ErrorCode::kUnsupported,
              "tokenizer: the text cannot be normalized (" +
                  std::string(utf8proc_errmsg(result)) +
                  "); encode it in parts");
}

// Puts marks that stand in a row in the order of their combining classes.
// utf8proc's own decomposition of a string does that by exchanging neighbours,
// which a megabyte of marks makes quadratic.
void OrderMarks(std::vector<utf8proc_int32_t>& characters) {
  const auto class_of = [](utf8proc_int32_t c) {
    return utf8proc_get_property(c)->combining_class;
  };
  const auto is_starter = [&](utf8proc_int32_t c) { return class_of(c) == 0; };
  for (auto begin = characters.begin(); begin != characters.end();) {
    begin = std::find_if_not(begin, characters.end(), is_starter);
    const auto end = std::find_if(begin, characters.end(), is_starter);
    std::stable_sort(begin, end,
                     [&](auto a, auto b) { return class_of(a) < class_of(b); });
    begin = end;
  }
}

// `text` is valid UTF-8.
void AppendNfc(std::string_view text, std::string& result) {
  std::vector<utf8proc_int32_t> characters;
  characters.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    utf8proc_int32_t character = 0;
    const auto size = utf8proc_iterate(
        reinterpret_cast<const utf8proc_uint8_t*>(text.data() + i),
        static_cast<utf8proc_ssize_t>(text.size() - i), &character);
    CheckResult(size);
    i += static_cast<std::size_t>(size);
    // The longest canonical decomposition has four characters.
    std::array<utf8proc_int32_t, 8> parts{};
    int boundary_class = 0;
    const auto count = utf8proc_decompose_char(
        character, parts.data(), parts.size(),
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE),
        &boundary_class);
    CheckResult(count);
    characters.insert(characters.end(), parts.begin(), parts.begin() + count);
  }
  OrderMarks(characters);
  const auto count = utf8proc_normalize_utf32(
      characters.data(), static_cast<utf8proc_ssize_t>(characters.size()),
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  CheckResult(count);
  characters.resize(static_cast<std::size_t>(count));
  for (const utf8proc_int32_t character : characters) {
    std::array<utf8proc_uint8_t, 4> bytes{};
    const auto size = utf8proc_encode_char(character, bytes.data());
    result.append(reinterpret_cast<const char*>(bytes.data()),
                  static_cast<std::size_t>(size));
  }
}

}  // namespace

std::optional<std::string> ToNfc(std::string_view text) {
  if (IsCertainlyNfc(text)) return std::nullopt;
  std::string result;
  result.reserve(text.size());
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t invalid = InvalidUtf8Prefix(rest);
    result += rest.substr(0, invalid);
    rest.remove_prefix(invalid);
    const std::size_t valid = ValidUtf8Prefix(rest);
    AppendNfc(rest.substr(0, valid), result);
    rest.remove_prefix(valid);
  }
  if (result == text) return std::nullopt;
  return result;
}

}  // namespace tern::tokenizer
