#include "runtime/chat/jinja/lexer.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "runtime/chat/jinja/budget.h"
#include "runtime/chat/jinja/utf8_text.h"
#include "runtime/files/quote.h"

namespace tern::jinja {
namespace {

constexpr std::string_view kSpace = " \t\n\r\v\f";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// Line ends become \n, and one at the very end goes.
std::string Normalized(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      text += source[i];
      continue;
    }
    text += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& place)
      : source_(Normalized(source)), place_(place) {}

  std::vector<Lexeme> Run() {
    while (at_ < source_.size()) CutTextAndTag();
    Emit(LexemeKind::kEnd, "");
    return std::move(out_);
  }

 private:
  [[noreturn]] void Fail(const std::string& what) const {
    jinja::Fail(ErrorCode::kMalformed, place_, line_,
                what + "; use the template as it was published");
  }

  void Emit(LexemeKind kind, std::string text) {
    out_.push_back({kind, std::move(text), line_});
  }

  [[nodiscard]] bool StartsWith(std::string_view text) const {
    return std::string_view(source_).substr(at_, text.size()) == text;
  }

  // Goes on by `count` bytes.
  void Take(std::size_t count) {
    const auto begin = source_.begin() + static_cast<std::ptrdiff_t>(at_);
    line_ += static_cast<int>(
        std::count(begin, begin + static_cast<std::ptrdiff_t>(count), '\n'));
    at_ += count;
    if (count > 0) after_newline_ = source_[at_ - 1] == '\n';
  }

  void TakeSpace() {
    const std::size_t end = source_.find_first_not_of(kSpace, at_);
    Take(std::min(end, source_.size()) - at_);
  }

  // Where the next tag begins, or the end.
  [[nodiscard]] std::size_t FindTag() const {
    for (std::size_t i = at_; i + 1 < source_.size(); ++i) {
      const char next = source_[i + 1];
      if (source_[i] == '{' && (next == '{' || next == '%' || next == '#')) {
        return i;
      }
    }
    return source_.size();
  }

  void CutTextAndTag() {
    const std::size_t tag = FindTag();
    std::string text = source_.substr(at_, tag - at_);
    if (tag == source_.size()) {
      Emit(LexemeKind::kText, std::move(text));
      Take(tag - at_);
      return;
    }
    const char kind = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    if (sign == '-') {
      text.resize(text.find_last_not_of(kSpace) + 1);  // npos + 1 is 0
    } else if (sign != '+' && kind != '{') {
      CutIndentation(text);
    }
    if (!text.empty()) Emit(LexemeKind::kText, std::move(text));
    Take(tag - at_);
    Take(sign == '-' || sign == '+' ? 3 : 2);
    if (kind == '#') return SkipComment();
    CutTag(kind == '{');
  }

  // White space between the start of a line and a block goes.
  void CutIndentation(std::string& text) const {
    const std::size_t newline = text.rfind('\n');
    if (newline == std::string::npos && !after_newline_) return;
    const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
    if (text.find_first_not_of(kSpace, begin) == std::string::npos) {
      text.resize(begin);
    }
  }

  void SkipComment() {
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string::npos) Fail("a comment {# does not end");
    const char sign = end > at_ ? source_[end - 1] : '\0';
    Take(end + 2 - at_);
    TakeAfterTag(sign);
  }

  // What the end of a tag takes with it.
  void TakeAfterTag(char sign) {
    if (sign == '-') return TakeSpace();
    if (sign != '+' && StartsWith("\n")) Take(1);
  }

  void CutTag(bool is_output) {
    const std::string_view end = is_output ? "}}" : "%}";
    Emit(is_output ? LexemeKind::kOutputBegin : LexemeKind::kBlockBegin, "");
    brackets_.clear();
    while (true) {
      TakeSpace();
      if (at_ == source_.size()) Fail("a tag does not end");
      if (brackets_.empty() && TakeEnd(is_output, end)) return;
      CutWord();
    }
  }

  bool TakeEnd(bool is_output, std::string_view end) {
    const char first = source_[at_];
    const bool has_sign = first == '-' || (first == '+' && !is_output);
    const std::size_t skipped = has_sign ? 1 : 0;
    if (source_.compare(at_ + skipped, end.size(), end) != 0) return false;
    Emit(is_output ? LexemeKind::kOutputEnd : LexemeKind::kBlockEnd, "");
    Take(skipped + end.size());
    // An output tag leaves the line end after it.
    if (!is_output || has_sign) TakeAfterTag(has_sign ? first : '\0');
    return true;
  }

  void CutWord() {
    const char c = source_[at_];
    if (c == '"' || c == '\'') return CutString();
    if (IsDigit(c)) return CutNumber();
    if (IsNameStart(c)) return CutName();
    CutOperator();
  }

  void CutName() {
    std::size_t end = at_;
    while (end < source_.size() &&
           (IsNameStart(source_[end]) || IsDigit(source_[end]))) {
      ++end;
    }
    Emit(LexemeKind::kName, source_.substr(at_, end - at_));
    Take(end - at_);
  }

  [[nodiscard]] std::size_t SkipDigits(std::size_t from) const {
    while (from < source_.size() && IsDigit(source_[from])) ++from;
    return from;
  }

  void CutNumber() {
    std::size_t end = SkipDigits(at_);
    bool is_float = false;
    if (end + 1 < source_.size() && source_[end] == '.' &&
        IsDigit(source_[end + 1])) {
      is_float = true;
      end = SkipDigits(end + 1);
    }
    if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      std::size_t digits = end + 1;
      if (digits < source_.size() &&
          (source_[digits] == '+' || source_[digits] == '-')) {
        ++digits;
      }
      if (SkipDigits(digits) > digits) {
        is_float = true;
        end = SkipDigits(digits);
      }
    }
    if (end < source_.size() && IsNameStart(source_[end])) {
      Fail("a number is followed by letters");
    }
    Emit(is_float ? LexemeKind::kFloat : LexemeKind::kInteger,
         source_.substr(at_, end - at_));
    Take(end - at_);
  }

  void CutString() {
    const char quote = source_[at_];
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) {
      end += source_[end] == '\\' ? 2 : 1;
    }
    if (end >= source_.size()) Fail("a string does not end");
    Emit(LexemeKind::kString,
         Unescaped(std::string_view(source_).substr(at_ + 1, end - at_ - 1)));
    Take(end + 1 - at_);
  }

  [[nodiscard]] std::string Unescaped(std::string_view text) const {
    static constexpr std::string_view kLetters = "nrtabfv\\'\"\n";
    static constexpr std::array<const char*, 11> kMeanings = {
        "\n", "\r", "\t", "\a", "\b", "\f", "\v", "\\", "'", "\"", ""};
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        out += text[i];
        continue;
      }
      const char letter = text[++i];  // CutString saw that there is one
      const std::size_t known = kLetters.find(letter);
      if (known != std::string_view::npos) {
        out += kMeanings[known];
      } else if (letter == 'x' || letter == 'u' || letter == 'U') {
        const std::size_t digits = letter == 'x' ? 2 : letter == 'u' ? 4 : 8;
        AppendUtf8(CodePoint(text.substr(i + 1, digits), digits), out);
        i += digits;
      } else if (IsDigit(letter) || letter == 'N') {
        FailUnknown(place_, line_, "an octal or named escape in a string");
      } else {
        out += '\\';
        out += letter;
      }
    }
    return out;
  }

  [[nodiscard]] std::uint32_t CodePoint(std::string_view digits,
                                        std::size_t count) const {
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::uint32_t code = 0;
    for (const char c : digits) {
      const char lower = c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c;
      const std::size_t digit = kHex.find(lower);
      if (digit == std::string_view::npos) Fail("a string has a wrong escape");
      code = code * 16 + static_cast<std::uint32_t>(digit);
    }
    const bool is_scalar = code < 0xD800 || (code > 0xDFFF && code <= 0x10FFFF);
    if (digits.size() < count || !is_scalar) {
      Fail("a string has a wrong escape");
    }
    return code;
  }

  void CutOperator() {
    static constexpr std::array<std::string_view, 6> kLong = {
        "==", "!=", "<=", ">=", "//", "**"};
    static constexpr std::string_view kShort = "+-*/%~<>=()[]{},.:|";
    std::size_t size = 1;
    for (const std::string_view known : kLong) {
      if (StartsWith(known)) size = 2;
    }
    const char c = source_[at_];
    if (size == 1 && kShort.find(c) == std::string_view::npos) {
      Fail("a tag holds " + files::Quote(source_.substr(at_, 1)));
    }
    Balance(c);
    Emit(LexemeKind::kOperator, source_.substr(at_, size));
    Take(size);
  }

  void Balance(char c) {
    if (c == '(') brackets_ += ')';
    if (c == '[') brackets_ += ']';
    if (c == '{') brackets_ += '}';
    if (c != ')' && c != ']' && c != '}') return;
    if (brackets_.empty() || brackets_.back() != c) {
      Fail(std::string("a '") + c + "' closes nothing");
    }
    brackets_.pop_back();
  }

  std::string source_;
  const std::string& place_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool after_newline_ = true;  // at the start of a line
  std::string brackets_;       // that are open, as what closes them
  std::vector<Lexeme> out_;
};

}  // namespace

std::vector<Lexeme> CutTemplate(std::string_view source,
                                const std::string& place) {
  if (source.size() > kMaxTemplateBytes) {
    Fail(ErrorCode::kUnsupported, place, 1,
         "the chat template has " + std::to_string(source.size()) +
             " bytes, more than " + std::to_string(kMaxTemplateBytes) +
             "; give one with --chat-template FILE");
  }
  return Lexer(source, place).Run();
}

}  // namespace tern::jinja
