// Values as JSON, spelled as Python's json.dumps() spells it: templates put the
// definitions of tools into the text that a model was trained on.
#include <array>

#include "runtime/chat/jinja/operations.h"

namespace tern::jinja {
namespace {

class JsonWriter {
 public:
  JsonWriter(std::int64_t indent, Budget& budget)
      : indent_(indent), budget_(budget) {}

  void Write(const Value& value) {
    budget_.Step();
    budget_.CheckOutput(out_.size());
    if (const MarkedText* text = AsText(value)) return WriteString(*text);
    if (const List* list = AsList(value)) return WriteList(*list);
    if (const Dict* dict = AsDict(value)) return WriteDict(*dict);
    out_.Append(Plain(value), kFromTemplate);
  }

  MarkedText Finish() { return std::move(out_); }

 private:
  std::string Plain(const Value& value) {
    if (IsNone(value)) return "null";
    if (const bool* flag = std::get_if<bool>(&value)) {
      return *flag ? "true" : "false";
    }
    double number = 0;
    if (!IsNumber(value, &number)) {
      budget_.Fail("'tojson' cannot write " + KindOf(value));
    }
    return ToText(value, budget_).bytes;
  }

  void WriteString(const MarkedText& text) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    static constexpr std::string_view kEscaped = "\"\\\n\r\t\b\f";
    static constexpr std::string_view kLetters = "\"\\nrtbf";
    budget_.Step(text.size() / 1024);
    out_.Append("\"", kFromTemplate);
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text.bytes[i];
      const auto code = static_cast<unsigned char>(c);
      const std::size_t known = kEscaped.find(c);
      std::string shown(1, c);
      if (known != std::string_view::npos) {
        shown = "\\";
        shown += kLetters[known];
      } else if (code < 0x20) {
        shown = "\\u00";
        shown += kHex[code >> 4];
        shown += kHex[code & 15];
      }
      out_.Append(shown, text.mask[i]);
    }
    out_.Append("\"", kFromTemplate);
  }

  // Between elements, after `[` and before `]`.
  void Separate(bool first, bool last) {
    if (!first && !last) out_.Append(indent_ < 0 ? ", " : ",", kFromTemplate);
    if (indent_ < 0) return;
    const std::size_t width = static_cast<std::size_t>(indent_) * level_;
    budget_.Charge(width);
    out_.Append("\n" + std::string(width, ' '), kFromTemplate);
  }

  void WriteList(const List& list) {
    if (list.items.empty()) return out_.Append("[]", kFromTemplate);
    out_.Append("[", kFromTemplate);
    ++level_;
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      Separate(i == 0, false);
      Write(list.items[i]);
    }
    --level_;
    Separate(false, true);
    out_.Append("]", kFromTemplate);
  }

  void WriteDict(const Dict& dict) {
    if (dict.members.empty()) return out_.Append("{}", kFromTemplate);
    out_.Append("{", kFromTemplate);
    ++level_;
    bool first = true;
    for (const auto& [key, value] : dict.members) {
      Separate(first, false);
      first = false;
      WriteString(key);
      out_.Append(": ", kFromTemplate);
      Write(value);
    }
    --level_;
    Separate(false, true);
    out_.Append("}", kFromTemplate);
  }

  std::int64_t indent_;
  Budget& budget_;
  std::size_t level_ = 0;
  MarkedText out_;
};

}  // namespace

MarkedText ToJson(const Value& value, std::int64_t indent, Budget& budget) {
  constexpr std::int64_t kMaxIndent = 16;
  if (indent > kMaxIndent) {
    budget.FailUnknown("an indent of more than " + std::to_string(kMaxIndent));
  }
  JsonWriter writer(indent, budget);
  writer.Write(value);
  return writer.Finish();
}

}  // namespace tern::jinja
