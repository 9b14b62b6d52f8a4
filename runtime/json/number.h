// Numbers of JSON, character by character.
#ifndef TERN_RUNTIME_JSON_NUMBER_H_
#define TERN_RUNTIME_JSON_NUMBER_H_

#include <cstdint>

namespace tern::json {

inline bool IsDigit(unsigned char byte) { return byte >= '0' && byte <= '9'; }

// What a number is after some characters.
struct Number {
  // What was read last; to it kIntegerBit is added in a number without point
  // and exponent.
  std::uint32_t state = 0;
  std::uint32_t digits = 0;  // in a row

  static Number Any() { return {}; }
  static Number Integer();

  // Reads one more character; false if it cannot follow.
  bool Read(unsigned char byte);
  // Whether the number may end here.
  [[nodiscard]] bool IsComplete() const;
};

}  // namespace tern::json

#endif  // TERN_RUNTIME_JSON_NUMBER_H_
