#include "runtime/chat/jinja/utf8_text.h"

#include <algorithm>
#include <array>

#include "runtime/tokenizer/utf8.h"

namespace tern::jinja {
namespace {

// str.isspace() of Python 3 outside ASCII.
constexpr std::array<std::string_view, 19> kWideSpaces = {
    "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80",
    "\xE2\x80\x81", "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84",
    "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87", "\xE2\x80\x88",
    "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8", "\xE2\x80\xA9",
    "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};

bool IsAsciiSpace(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f');
}

std::size_t CharacterSize(std::string_view text) {
  return std::max<std::size_t>(1, tokenizer::Utf8CharacterSize(text));
}

}  // namespace

void AppendUtf8(std::uint32_t code, std::string& out) {
  const auto byte = [&out](std::uint32_t value) {
    out += static_cast<char>(static_cast<unsigned char>(value));
  };
  if (code < 0x80) return byte(code);
  if (code < 0x800) {
    byte(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      byte(0xE0 | code >> 12);
    } else {
      byte(0xF0 | code >> 18);
      byte(0x80 | (code >> 12 & 0x3F));
    }
    byte(0x80 | (code >> 6 & 0x3F));
  }
  byte(0x80 | (code & 0x3F));
}

std::vector<std::size_t> CharacterStarts(std::string_view text) {
  std::vector<std::size_t> starts;
  std::size_t at = 0;
  while (at < text.size()) {
    starts.push_back(at);
    at += CharacterSize(text.substr(at));
  }
  starts.push_back(at);
  return starts;
}

std::size_t CountCharacters(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(CharacterSize(text));
  return count;
}

std::size_t LeadingSpace(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::string_view rest = text.substr(at);
    const auto* const wide =
        std::find_if(kWideSpaces.begin(), kWideSpaces.end(),
                     [rest](auto space) { return rest.starts_with(space); });
    if (wide != kWideSpaces.end()) {
      at += wide->size();
    } else if (IsAsciiSpace(rest[0])) {
      ++at;
    } else {
      break;
    }
  }
  return at;
}

std::size_t TrailingSpace(std::string_view text) {
  std::size_t left = text.size();
  while (left > 0) {
    const std::string_view rest = text.substr(0, left);
    const auto* const wide =
        std::find_if(kWideSpaces.begin(), kWideSpaces.end(),
                     [rest](auto space) { return rest.ends_with(space); });
    if (wide != kWideSpaces.end()) {
      left -= wide->size();
    } else if (IsAsciiSpace(rest.back())) {
      --left;
    } else {
      break;
    }
  }
  return text.size() - left;
}

}  // namespace tern::jinja
