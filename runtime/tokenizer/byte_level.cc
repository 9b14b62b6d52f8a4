#include "runtime/tokenizer/byte_level.h"

#include <array>
#include <cstddef>
#include <cstdint>

#include "runtime/tokenizer/utf8.h"

namespace tern::tokenizer {
namespace {

constexpr std::uint32_t kCharacters = 0x100 + 68;  // all are below this

constexpr bool IsPrintable(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
}

struct Spelling {
  std::array<std::uint16_t, 256> character_of_byte{};
  std::array<std::int16_t, kCharacters> byte_of_character{};  // -1: none
};

constexpr Spelling MakeSpelling() {
  Spelling spelling;
  for (std::int16_t& byte : spelling.byte_of_character) byte = -1;
  std::uint16_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const auto character =
        IsPrintable(byte) ? static_cast<std::uint16_t>(byte) : next++;
    spelling.character_of_byte[byte] = character;
    spelling.byte_of_character[character] = static_cast<std::int16_t>(byte);
  }
  return spelling;
}

constexpr Spelling kSpelling = MakeSpelling();

}  // namespace

std::optional<std::string> BytesOfSpelling(std::string_view spelling) {
  std::string bytes;
  bytes.reserve(spelling.size());
  for (std::size_t i = 0; i < spelling.size();) {
    // Every character of the table is one or two bytes long in UTF-8.
    const std::size_t size = Utf8CharacterSize(spelling.substr(i));
    if (size == 0 || size > 2) return std::nullopt;
    std::uint32_t character = static_cast<unsigned char>(spelling[i]);
    if (size == 2) {
      character = (character & 0x1F) << 6 |
                  (static_cast<unsigned char>(spelling[i + 1]) & 0x3F);
    }
    if (character >= kCharacters ||
        kSpelling.byte_of_character[character] < 0) {
      return std::nullopt;
    }
    bytes.push_back(static_cast<char>(kSpelling.byte_of_character[character]));
    i += size;
  }
  return bytes;
}

std::string SpellingOfBytes(std::string_view bytes) {
  std::string spelling;
  for (const char byte : bytes) {
    const std::uint32_t character =
        kSpelling.character_of_byte[static_cast<unsigned char>(byte)];
    if (character < 0x80) {
      spelling.push_back(static_cast<char>(character));
    } else {
      spelling.push_back(static_cast<char>(0xC0 | character >> 6));
      spelling.push_back(static_cast<char>(0x80 | (character & 0x3F)));
    }
  }
  return spelling;
}

}  // namespace tern::tokenizer
