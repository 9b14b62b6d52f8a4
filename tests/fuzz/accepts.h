// Calls that may refuse what they are given, by tern::Error alone.
#ifndef TERN_TESTS_FUZZ_ACCEPTS_H_
#define TERN_TESTS_FUZZ_ACCEPTS_H_

#include <algorithm>
#include <string>
#include <string_view>

#include <tern/error.h>

#include "tests/fuzz/fuzz.h"

namespace tern::fuzz {

// An Error's message is one line that a terminal shows as it is.
inline void CheckMessage(const Error& error) {
  const std::string_view message = error.what();
  const bool has_control = std::any_of(
      message.begin(), message.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (message.empty() || has_control) {
    Fail("the message of an Error is not one line of text: " +
         std::string(message));
  }
}

// False if `call` throws Error: the input is refused.  Everything else that it
// throws is a finding.
template <class Call>
bool Accepts(const Call& call) {
  try {
    call();
    return true;
  } catch (const Error& error) {
    CheckMessage(error);
    return false;
  }
}

}  // namespace tern::fuzz

#endif  // TERN_TESTS_FUZZ_ACCEPTS_H_
