// Text that knows where each of its bytes came from.
//
// A conversation is written around what a user typed.  Only the template may
// speak in special tokens: if a user types <|eot_id|>, the model has to read
// ten ordinary characters.  So every string of a template's run carries a mask
// of its own length, which concatenation, slicing, trimming and replacing keep.
#ifndef TERN_RUNTIME_CHAT_JINJA_MARKED_TEXT_H_
#define TERN_RUNTIME_CHAT_JINJA_MARKED_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace tern::jinja {

inline constexpr char kFromTemplate = '1';
inline constexpr char kFromCaller = '0';

struct MarkedText {
  std::string bytes;
  std::string mask;  // kFromTemplate or kFromCaller for each byte

  static MarkedText Of(std::string_view text, char origin) {
    return {std::string(text), std::string(text.size(), origin)};
  }
  void Append(std::string_view text, char origin) {
    bytes.append(text);
    mask.append(text.size(), origin);
  }
  void Append(const MarkedText& other) {
    bytes += other.bytes;
    mask += other.mask;
  }
  void Append(const MarkedText& other, std::size_t begin, std::size_t size) {
    bytes.append(other.bytes, begin, size);
    mask.append(other.mask, begin, size);
  }
  [[nodiscard]] MarkedText Part(std::size_t begin,
                                std::size_t size = std::string::npos) const {
    return {bytes.substr(begin, size), mask.substr(begin, size)};
  }
  [[nodiscard]] std::size_t size() const { return bytes.size(); }
};

}  // namespace tern::jinja

#endif  // TERN_RUNTIME_CHAT_JINJA_MARKED_TEXT_H_
