#include "runtime/tokenizer/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace tern::tokenizer {
namespace {

// What may follow a first byte: the number of bytes in all, and the range of
// the second one, which is where overlong forms, surrogates and values above
// U+10FFFF are excluded.  Later bytes are always 80..BF.
struct Lead {
  std::size_t size = 0;  // 0: no character starts with this byte
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
};

Lead LeadOf(unsigned char byte) {
  if (byte < 0x80) return {.size = 1};
  if (byte < 0xC2) return {};
  if (byte < 0xE0) return {.size = 2};
  if (byte == 0xE0) return {.size = 3, .low = 0xA0};
  if (byte == 0xED) return {.size = 3, .high = 0x9F};
  if (byte < 0xF0) return {.size = 3};
  if (byte == 0xF0) return {.size = 4, .low = 0x90};
  if (byte < 0xF4) return {.size = 4};
  if (byte == 0xF4) return {.size = 4, .high = 0x8F};
  return {};
}

unsigned char At(std::string_view bytes, std::size_t index) {
  return static_cast<unsigned char>(bytes[index]);
}

// True if bytes 1, 2, ... of `bytes`, as far as there are any, may follow byte
// 0 within one character.
bool MayContinue(std::string_view bytes, const Lead& lead) {
  const std::size_t end = std::min(bytes.size(), lead.size);
  for (std::size_t i = 1; i < end; ++i) {
    const unsigned char low = i == 1 ? lead.low : 0x80;
    const unsigned char high = i == 1 ? lead.high : 0xBF;
    if (At(bytes, i) < low || At(bytes, i) > high) return false;
  }
  return true;
}

}  // namespace

std::size_t Utf8CharacterSize(std::string_view bytes) {
  if (bytes.empty()) return 0;
  const Lead lead = LeadOf(At(bytes, 0));
  if (lead.size > bytes.size() || !MayContinue(bytes, lead)) return 0;
  return lead.size;
}

std::size_t ValidUtf8Prefix(std::string_view bytes) {
  std::size_t position = 0;
  while (position < bytes.size()) {
    // Eight ASCII bytes at a time: most text is mostly that.
    std::uint64_t word = 0;
    if (bytes.size() - position >= sizeof(word)) {
      std::memcpy(&word, bytes.data() + position, sizeof(word));
      if ((word & 0x8080808080808080u) == 0) {
        position += sizeof(word);
        continue;
      }
    }
    const std::size_t size = Utf8CharacterSize(bytes.substr(position));
    if (size == 0) break;
    position += size;
  }
  return position;
}

std::size_t InvalidUtf8Prefix(std::string_view bytes) {
  std::size_t position = 0;
  while (position < bytes.size() &&
         Utf8CharacterSize(bytes.substr(position)) == 0) {
    ++position;
  }
  return position;
}

std::size_t UnfinishedUtf8Suffix(std::string_view bytes) {
  for (std::size_t size = 1; size <= std::min<std::size_t>(3, bytes.size());
       ++size) {
    const std::string_view suffix = bytes.substr(bytes.size() - size);
    const Lead lead = LeadOf(At(suffix, 0));
    // A first byte is never a later one too, so the nearest one decides.
    if (lead.size == 0) continue;
    return lead.size > size && MayContinue(suffix, lead) ? size : 0;
  }
  return 0;
}

}  // namespace tern::tokenizer
