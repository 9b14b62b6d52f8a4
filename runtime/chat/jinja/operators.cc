// Arithmetic, `in`, and access to parts of values.
#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/chat/jinja/operations.h"
#include "runtime/chat/jinja/utf8_text.h"
#include "runtime/files/quote.h"

namespace tern::jinja {
namespace {

[[noreturn]] void FailKinds(const std::string& name, const Value& a,
                            const Value& b, Budget& budget) {
  budget.Fail("'" + name + "' cannot take " + KindOf(a) + " and " + KindOf(b));
}

Value WholeResult(const std::string& name, std::int64_t a, std::int64_t b,
                  Budget& budget) {
  std::int64_t result = 0;
  bool overflow = false;
  if (name == "+") overflow = __builtin_add_overflow(a, b, &result);
  if (name == "-") overflow = __builtin_sub_overflow(a, b, &result);
  if (name == "*") overflow = __builtin_mul_overflow(a, b, &result);
  if (name == "//" || name == "%") {
    if (b == 0) budget.Fail("divides by zero");
    overflow = b == -1 && a == std::numeric_limits<std::int64_t>::min();
    if (!overflow) {
      // Towards minus infinity, as Python divides.
      const std::int64_t remainder = a % b;
      const bool adjust = remainder != 0 && (remainder < 0) != (b < 0);
      result =
          name == "%" ? remainder + (adjust ? b : 0) : a / b - (adjust ? 1 : 0);
    }
  }
  if (overflow) budget.Fail("has a number beyond 64 bits");
  return result;
}

Value RealResult(const std::string& name, double a, double b, Budget& budget) {
  if (name == "+") return a + b;
  if (name == "-") return a - b;
  if (name == "*") return a * b;
  if (b == 0) budget.Fail("divides by zero");
  if (name == "/") return a / b;
  double remainder = std::fmod(a, b);
  if (remainder != 0 && (remainder < 0) != (b < 0)) remainder += b;
  return name == "%" ? remainder : std::floor(a / b);
}

Value Sum(const Value& a, const Value& b, Budget& budget) {
  if (AsText(a) != nullptr && AsText(b) != nullptr) {
    budget.Charge(AsText(a)->size() + AsText(b)->size());
    MarkedText text = *AsText(a);
    text.Append(*AsText(b));
    return MakeText(std::move(text), budget);
  }
  if (AsList(a) != nullptr && AsList(b) != nullptr) {
    Values items = Elements(a, budget);
    const Values more = Elements(b, budget);
    items.insert(items.end(), more.begin(), more.end());
    return MakeList(std::move(items), budget, AsList(a)->is_tuple);
  }
  FailKinds("+", a, b, budget);
}

Value Repeated(const MarkedText& text, std::int64_t count, Budget& budget) {
  MarkedText out;
  for (std::int64_t i = 0; i < count; ++i) {
    budget.Charge(2 * text.size());
    out.Append(text);
  }
  return MakeText(std::move(out), budget);
}

// A position in a list or string of `size`, or nothing beyond it.
std::optional<std::size_t> Position(const Value& index, std::size_t size) {
  std::int64_t at = 0;
  if (!IsWhole(index, &at)) return std::nullopt;
  if (at < 0) at += static_cast<std::int64_t>(size);
  if (at < 0 || at >= static_cast<std::int64_t>(size)) return std::nullopt;
  return static_cast<std::size_t>(at);
}

std::int64_t Bounded(const Value& bound, std::int64_t otherwise,
                     std::int64_t low, std::int64_t size, Budget& budget) {
  if (IsNone(bound)) return otherwise;
  std::int64_t at = 0;
  if (!IsWhole(bound, &at)) budget.Fail("slices by " + KindOf(bound));
  if (at < 0) at = std::max(at, -size - 1) + size;
  return std::clamp(at, low, low + size);
}

// The positions that [begin:end:step] takes of `size` elements.
std::vector<std::size_t> SlicePositions(const SliceBounds& bounds,
                                        std::size_t count, Budget& budget) {
  const auto size = static_cast<std::int64_t>(count);
  std::int64_t step = 1;
  if (!IsNone(bounds.step) && !IsWhole(bounds.step, &step)) {
    budget.Fail("slices by " + KindOf(bounds.step));
  }
  if (step == 0) budget.Fail("slices with a step of zero");
  step = std::clamp<std::int64_t>(step, -size - 1, size + 1);
  const std::int64_t low = step > 0 ? 0 : -1;
  std::int64_t at =
      Bounded(bounds.begin, step > 0 ? 0 : size - 1, low, size, budget);
  const std::int64_t end =
      Bounded(bounds.end, step > 0 ? size : -1, low, size, budget);
  std::vector<std::size_t> positions;
  for (; step > 0 ? at < end : at > end; at += step) {
    positions.push_back(static_cast<std::size_t>(at));
  }
  budget.Charge(positions.size() * sizeof(std::size_t));
  return positions;
}

}  // namespace

Value Calculate(const std::string& name, const Value& a, const Value& b,
                Budget& budget) {
  if (name == "~") {
    MarkedText text = ToText(a, budget);
    text.Append(ToText(b, budget));
    return MakeText(std::move(text), budget);
  }
  std::int64_t whole_a = 0;
  std::int64_t whole_b = 0;
  if (name != "/" && IsWhole(a, &whole_a) && IsWhole(b, &whole_b)) {
    return WholeResult(name, whole_a, whole_b, budget);
  }
  double x = 0;
  double y = 0;
  if (IsNumber(a, &x) && IsNumber(b, &y)) return RealResult(name, x, y, budget);
  if (name == "+") return Sum(a, b, budget);
  if (name == "*" && AsText(a) != nullptr && IsWhole(b, &whole_b)) {
    return Repeated(*AsText(a), whole_b, budget);
  }
  if (name == "*" && AsText(b) != nullptr && IsWhole(a, &whole_a)) {
    return Repeated(*AsText(b), whole_a, budget);
  }
  if (name == "%" && AsText(a) != nullptr) {
    budget.FailUnknown("'%' after a string");
  }
  FailKinds(name, a, b, budget);
}

Value Negate(const Value& value, Budget& budget) {
  std::int64_t whole = 0;
  if (IsWhole(value, &whole)) return WholeResult("-", 0, whole, budget);
  double real = 0;
  if (!IsNumber(value, &real)) budget.Fail("negates " + KindOf(value));
  return -real;
}

bool Contains(const Value& container, const Value& element, Budget& budget) {
  if (const MarkedText* text = AsText(container)) {
    const MarkedText* part = AsText(element);
    if (part == nullptr) {
      budget.Fail("'in' looks for " + KindOf(element) + " in a string");
    }
    StepSearch(budget, *text, *part);
    return text->bytes.find(part->bytes) != std::string::npos;
  }
  if (const Dict* dict = AsDict(container)) {
    budget.Step(dict->members.size());
    const MarkedText* key = AsText(element);
    return key != nullptr && dict->Find(key->bytes) != nullptr;
  }
  if (IsUndefined(container)) return false;
  const List* list = AsList(container);
  if (list == nullptr) budget.Fail("'in' looks into " + KindOf(container));
  return std::any_of(
      list->items.begin(), list->items.end(),
      [&](const Value& item) { return Equal(item, element, budget); });
}

Value Member(const Value& value, const std::string& name, Budget& budget) {
  budget.Step();
  if (const Dict* dict = AsDict(value)) {
    budget.Step(dict->members.size() / 8);
    const Value* found = dict->Find(name);
    return found != nullptr ? *found : Undefined{name};
  }
  if (const Namespace* space = AsNamespace(value)) {
    for (const auto& [key, member] : space->members) {
      if (key.bytes == name) return member;
    }
    return Undefined{name};
  }
  if (IsUndefined(value)) {
    budget.Fail("asks for " + files::Quote(name) + " of " + KindOf(value));
  }
  return Undefined{name};
}

Value Index(const Value& value, const Value& index, Budget& budget) {
  if (const MarkedText* key = AsText(index)) {
    return Member(value, key->bytes, budget);
  }
  if (IsUndefined(value)) budget.Fail("takes an element of " + KindOf(value));
  if (const List* list = AsList(value)) {
    const auto at = Position(index, list->items.size());
    return at.has_value() ? list->items[*at] : Undefined{};
  }
  if (const MarkedText* text = AsText(value)) {
    budget.Charge(text->size() * sizeof(std::size_t));
    const std::vector<std::size_t> starts = CharacterStarts(text->bytes);
    const auto at = Position(index, starts.size() - 1);
    if (!at.has_value()) return Undefined{};
    return MakeText(text->Part(starts[*at], starts[*at + 1] - starts[*at]),
                    budget);
  }
  return Undefined{};
}

Value Slice(const Value& value, const SliceBounds& bounds, Budget& budget) {
  if (const List* list = AsList(value)) {
    Values items;
    for (const std::size_t at :
         SlicePositions(bounds, list->items.size(), budget)) {
      items.push_back(list->items[at]);
    }
    return MakeList(std::move(items), budget, list->is_tuple);
  }
  const MarkedText* text = AsText(value);
  if (text == nullptr) budget.Fail("takes a slice of " + KindOf(value));
  budget.Charge(text->size() * sizeof(std::size_t));
  const std::vector<std::size_t> starts = CharacterStarts(text->bytes);
  MarkedText out;
  for (const std::size_t at :
       SlicePositions(bounds, starts.size() - 1, budget)) {
    out.Append(*text, starts[at], starts[at + 1] - starts[at]);
  }
  return MakeText(std::move(out), budget);
}

}  // namespace tern::jinja
