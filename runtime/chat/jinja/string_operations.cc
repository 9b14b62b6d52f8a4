// What filters and methods of strings have in common.  Each keeps the mask.
#include <algorithm>

#include "runtime/chat/jinja/operations.h"
#include "runtime/chat/jinja/utf8_text.h"

namespace tern::jinja {
namespace {

constexpr bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
char Upper(char c) { return IsLower(c) ? static_cast<char>(c - 32) : c; }
char Lower(char c) { return IsUpper(c) ? static_cast<char>(c + 32) : c; }

void RequireAscii(const MarkedText& text, Budget& budget) {
  const bool ascii =
      std::all_of(text.bytes.begin(), text.bytes.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!ascii) budget.FailUnknown("upper and lower case outside ASCII");
}

// Bytes at the start that are characters among `set`.
std::size_t LeadingAmong(const MarkedText& text, const MarkedText& set) {
  const std::vector<std::size_t> starts = CharacterStarts(text.bytes);
  const std::vector<std::size_t> known = CharacterStarts(set.bytes);
  const auto is_among = [&](std::size_t i) {
    const std::string_view character =
        std::string_view(text.bytes)
            .substr(starts[i], starts[i + 1] - starts[i]);
    for (std::size_t k = 0; k + 1 < known.size(); ++k) {
      if (std::string_view(set.bytes).substr(
              known[k], known[k + 1] - known[k]) == character) {
        return true;
      }
    }
    return false;
  };
  std::size_t i = 0;
  while (i + 1 < starts.size() && is_among(i)) ++i;
  return starts[i];
}

std::size_t TrailingAmong(const MarkedText& text, const MarkedText& set) {
  const std::vector<std::size_t> starts = CharacterStarts(text.bytes);
  std::size_t i = starts.size() - 1;
  while (i > 0) {
    const MarkedText last = text.Part(starts[i - 1], starts[i] - starts[i - 1]);
    if (LeadingAmong(last, set) != last.size()) break;
    --i;
  }
  return text.size() - starts[i];
}

}  // namespace

void StepSearch(Budget& budget, const MarkedText& text,
                const MarkedText& part) {
  budget.Step(1 + (text.size() / 1024 + 1) * (1 + part.size() / 64));
}

MarkedText Stripped(const MarkedText& text, const Value* characters,
                    bool at_start, bool at_end, Budget& budget) {
  budget.Step(1 + text.size() / 128);
  const MarkedText* set = nullptr;
  if (characters != nullptr && !IsNone(*characters)) {
    set = AsText(*characters);
    if (set == nullptr) budget.Fail("strips " + KindOf(*characters));
    budget.Charge(16 * text.size());
    budget.Step((text.size() + 1) * (set->size() + 1) / 16);
  }
  std::size_t begin = 0;
  if (at_start) {
    begin =
        set == nullptr ? LeadingSpace(text.bytes) : LeadingAmong(text, *set);
  }
  MarkedText rest = text.Part(begin);
  if (!at_end) return rest;
  const std::size_t end =
      set == nullptr ? TrailingSpace(rest.bytes) : TrailingAmong(rest, *set);
  return rest.Part(0, rest.size() - end);
}

MarkedText InCase(const MarkedText& text, LetterCase letter_case,
                  Budget& budget) {
  RequireAscii(text, budget);
  MarkedText out = text;
  for (std::size_t i = 0; i < out.bytes.size(); ++i) {
    const bool upper = letter_case == LetterCase::kUpper ||
                       (letter_case == LetterCase::kCapitalized && i == 0);
    out.bytes[i] = upper ? Upper(out.bytes[i]) : Lower(out.bytes[i]);
  }
  return out;
}

MarkedText InTitleCase(const MarkedText& text, bool (*is_boundary)(char),
                       Budget& budget) {
  RequireAscii(text, budget);
  MarkedText out = text;
  bool at_start = true;
  for (char& c : out.bytes) {
    const bool boundary = is_boundary(c);
    c = at_start ? Upper(c) : Lower(c);
    at_start = boundary;
  }
  return out;
}

MarkedText Replaced(const MarkedText& text, const Bound& arguments) {
  Budget& budget = arguments.budget();
  const MarkedText& from = arguments.Text(0);
  const MarkedText& to = arguments.Text(1);
  std::int64_t left = arguments.Whole(2, -1);
  if (from.size() == 0) budget.FailUnknown("a replacement of nothing");
  StepSearch(budget, text, from);
  MarkedText out;
  std::size_t at = 0;
  while (left != 0) {
    const std::size_t found = text.bytes.find(from.bytes, at);
    if (found == std::string::npos) break;
    budget.Charge(2 * (found - at + to.size()));
    out.Append(text, at, found - at);
    out.Append(to);
    at = found + from.size();
    --left;
  }
  out.Append(text.Part(at));
  return out;
}

MarkedText Joined(const Values& items, const MarkedText& separator,
                  Budget& budget) {
  MarkedText out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out.Append(separator);
    const MarkedText text = ToText(items[i], budget);
    budget.Charge(2 * (separator.size() + text.size()));
    out.Append(text);
  }
  return out;
}

}  // namespace tern::jinja
