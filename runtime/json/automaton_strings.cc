// The automaton in strings.
#include <algorithm>
#include <string_view>

#include "runtime/json/automaton.h"
#include "runtime/json/number.h"

namespace tern::json {

void Automaton::ReadString(const Frame& frame, unsigned char byte) {
  const Range length = frame.x == kNoNode ? Range{} : schema_[frame.x].length;
  if (byte == '"') {
    if (frame.y >= length.least) out_.push_back(frame.below);
    return;
  }
  if (byte < 0x20 || frame.y >= length.most) return;
  // Counted no further than it matters, so that states come again.
  const std::size_t counted =
      length.most != kUnlimited ? length.most : length.least;
  const std::uint32_t then = frames_.Push(
      Kind::kString, frame.x,
      static_cast<std::uint32_t>(std::min<std::size_t>(frame.y + 1, counted)),
      frame.below);
  if (byte == '\\') {
    out_.push_back(frames_.Push(Kind::kEscape, 0, 0, then));
  } else {
    ReadCharacter(byte, then);
  }
}

// A character of a string that begins with `byte`, and then `then`.
void Automaton::ReadCharacter(unsigned char byte, std::uint32_t then) {
  const auto more = [&](std::uint32_t count, std::uint32_t least = 0x80,
                        std::uint32_t most = 0xBF) {
    out_.push_back(
        frames_.Push(Kind::kContinue, count, least * 256 + most, then));
  };
  // RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
  if (byte < 0x20) return;
  if (byte < 0x80) {
    out_.push_back(then);
  } else if (byte >= 0xC2 && byte <= 0xDF) {
    more(1);
  } else if (byte == 0xE0) {
    more(2, 0xA0);
  } else if (byte == 0xED) {
    more(2, 0x80, 0x9F);
  } else if (byte >= 0xE1 && byte <= 0xEF) {
    more(2);
  } else if (byte == 0xF0) {
    more(3, 0x90);
  } else if (byte == 0xF4) {
    more(3, 0x80, 0x8F);
  } else if (byte >= 0xF1 && byte <= 0xF3) {
    more(3);
  }
}

void Automaton::ReadContinue(const Frame& frame, unsigned char byte) {
  const std::uint32_t least = frame.y / 256;
  const std::uint32_t most = frame.y % 256;
  if (byte < least || byte > most) return;
  out_.push_back(frame.x == 1 ? frame.below
                              : frames_.Push(frame.kind, frame.x - 1,
                                             0x80 * 256 + 0xBF, frame.below));
}

void Automaton::ReadEscape(const Frame& frame, unsigned char byte) {
  if (byte == 'u') {
    out_.push_back(frames_.Push(Kind::kHex, 0, 0, frame.below));
  } else if (std::string_view("\"\\/bfnrt").find(static_cast<char>(byte)) !=
             std::string_view::npos) {
    out_.push_back(frame.below);
  }
}

// Four digits that are no half of a surrogate pair: D800 to DFFF.
void Automaton::ReadHex(const Frame& frame, unsigned char byte) {
  const bool is_letter =
      (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
  if (!IsDigit(byte) && !is_letter) return;
  if (frame.x == 1 && frame.y == 1 && (is_letter || byte > '7')) return;
  const bool is_d = frame.x == 0 && (byte == 'd' || byte == 'D');
  out_.push_back(frame.x == 3 ? frame.below
                              : frames_.Push(frame.kind, frame.x + 1,
                                             is_d ? 1 : 0, frame.below));
}

}  // namespace tern::json
