// Values as text: str() and repr() of Python.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "runtime/chat/jinja/value.h"

namespace tern::jinja {
namespace {

// One character within repr() of a string.  Python also escapes characters that
// cannot be printed outside ASCII, U+00A0 for one; they stay as they are here.
std::string Escaped(char c, char quote) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  const auto code = static_cast<unsigned char>(c);
  if (c == quote || c == '\\') return std::string("\\") + c;
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c == '\t') return "\\t";
  if (code >= 0x20 && code != 0x7F) return std::string(1, c);
  return std::string("\\x") + kHex[code >> 4] + kHex[code & 15];
}

void AppendRepr(const MarkedText& text, MarkedText& out) {
  const bool has_single = text.bytes.find('\'') != std::string::npos;
  const bool has_double = text.bytes.find('"') != std::string::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  out.Append(std::string_view(&quote, 1), kFromTemplate);
  for (std::size_t i = 0; i < text.size(); ++i) {
    out.Append(Escaped(text.bytes[i], quote), text.mask[i]);
  }
  out.Append(std::string_view(&quote, 1), kFromTemplate);
}

void AppendText(const Value& value, bool nested, MarkedText& out,
                Budget& budget);

void AppendList(const List& list, MarkedText& out, Budget& budget) {
  out.Append(list.is_tuple ? "(" : "[", kFromTemplate);
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out.Append(", ", kFromTemplate);
    AppendText(list.items[i], true, out, budget);
  }
  if (list.is_tuple && list.items.size() == 1) out.Append(",", kFromTemplate);
  out.Append(list.is_tuple ? ")" : "]", kFromTemplate);
}

void AppendDict(const Dict& dict, MarkedText& out, Budget& budget) {
  out.Append("{", kFromTemplate);
  bool first = true;
  for (const auto& [key, value] : dict.members) {
    if (!first) out.Append(", ", kFromTemplate);
    first = false;
    AppendRepr(key, out);
    out.Append(": ", kFromTemplate);
    AppendText(value, true, out, budget);
  }
  out.Append("}", kFromTemplate);
}

// Numbers and the like, which have no origin of their own.
std::string PlainText(const Value& value, Budget& budget) {
  if (IsUndefined(value)) return "";
  if (IsNone(value)) return "None";
  if (const bool* flag = std::get_if<bool>(&value)) {
    return *flag ? "True" : "False";
  }
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    return std::to_string(*whole);
  }
  if (const double* real = std::get_if<double>(&value)) {
    return FloatText(*real);
  }
  budget.FailUnknown("the text of " + KindOf(value));
}

void AppendText(const Value& value, bool nested, MarkedText& out,
                Budget& budget) {
  budget.Step();
  budget.CheckOutput(out.size());
  if (const MarkedText* text = AsText(value)) {
    budget.Step(text->size() / 1024);
    return nested ? AppendRepr(*text, out) : out.Append(*text);
  }
  if (const List* list = AsList(value)) return AppendList(*list, out, budget);
  if (const Dict* dict = AsDict(value)) return AppendDict(*dict, out, budget);
  if (nested && IsUndefined(value)) {
    return out.Append("Undefined", kFromTemplate);
  }
  out.Append(PlainText(value, budget), kFromTemplate);
}

}  // namespace

std::string FloatText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 64> buffer{};
  const auto scientific =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                    std::chars_format::scientific);
  std::string text(buffer.data(), scientific.ptr);
  const int exponent = std::atoi(text.c_str() + text.find('e') + 1);
  if (exponent < -4 || exponent >= 16) return text;  // as Python has it
  const auto fixed = std::to_chars(buffer.data(), buffer.data() + buffer.size(),
                                   value, std::chars_format::fixed);
  text.assign(buffer.data(), fixed.ptr);
  return text.find('.') == std::string::npos ? text + ".0" : text;
}

MarkedText ToText(const Value& value, Budget& budget) {
  MarkedText out;
  AppendText(value, false, out, budget);
  return out;
}

}  // namespace tern::jinja
