#include "runtime/json/number.h"

namespace tern::json {
namespace {

enum State : std::uint32_t {
  kStart,
  kMinus,
  kZero,
  kDigits,
  kPoint,
  kFraction,
  kE,
  kESign,
  kExponent,
};
constexpr std::uint32_t kIntegerBit = 16;
// Digits in a row: so that every number fits a double, and integers 64 bits.
constexpr std::uint32_t kMostDigits = 18;
constexpr std::uint32_t kMostExponentDigits = 2;

struct Step {
  bool is_taken = false;
  std::uint32_t state = 0;
  std::uint32_t digits = 0;
};

Step AfterDigit(std::uint32_t state, std::uint32_t digits, unsigned char byte) {
  switch (state) {
    case kStart:
    case kMinus:
      return {true, byte == '0' ? kZero : kDigits, 1};
    case kDigits:
    case kFraction:
      return {digits < kMostDigits, state, digits + 1};
    case kPoint:
      return {true, kFraction, 1};
    case kE:
    case kESign:
      return {true, kExponent, 1};
    case kExponent:
      return {digits < kMostExponentDigits, state, digits + 1};
    default:
      return {};
  }
}

Step AfterCharacter(std::uint32_t state, std::uint32_t digits, bool is_integer,
                    unsigned char byte) {
  if (IsDigit(byte)) return AfterDigit(state, digits, byte);
  if (byte == '-' && state == kStart) return {true, kMinus, 0};
  if (is_integer) return {};
  const bool after_whole = state == kZero || state == kDigits;
  if (byte == '.' && after_whole) return {true, kPoint, 0};
  if ((byte == 'e' || byte == 'E') && (after_whole || state == kFraction)) {
    return {true, kE, 0};
  }
  if ((byte == '+' || byte == '-') && state == kE) return {true, kESign, 0};
  return {};
}

}  // namespace

Number Number::Integer() { return {kIntegerBit + kStart, 0}; }

bool Number::Read(unsigned char byte) {
  const std::uint32_t integer = state & kIntegerBit;
  const Step step = AfterCharacter(state - integer, digits, integer != 0, byte);
  if (!step.is_taken) return false;
  state = step.state + integer;
  digits = step.digits;
  return true;
}

bool Number::IsComplete() const {
  const std::uint32_t last = state % kIntegerBit;
  return last == kZero || last == kDigits || last == kFraction ||
         last == kExponent;
}

}  // namespace tern::json
