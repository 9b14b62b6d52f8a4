#include "runtime/files/quote.h"

namespace tern::files {

std::string Quote(std::string_view text) {
  constexpr std::size_t kShown = 100;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string quoted = "'";
  for (const char c : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      quoted += c;
    } else {
      quoted += "\\x";
      quoted += kHex[byte >> 4];
      quoted += kHex[byte & 15];
    }
  }
  if (text.size() > kShown) {
    quoted += "...";
  }
  return quoted + "'";
}

}  // namespace tern::files
