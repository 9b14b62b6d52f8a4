#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include "runtime/chat/jinja/known_names.h"
#include "runtime/chat/jinja/operations.h"
#include "runtime/chat/jinja/utf8_text.h"
#include "runtime/files/quote.h"

namespace tern::jinja {
namespace {

struct Filter {
  std::string_view name;
  std::vector<std::string_view> parameters;
  Value (*apply)(const Value& value, const Bound& arguments);
};

Value Trim(const Value& value, const Bound& in) {
  Budget& budget = in.budget();
  return MakeText(
      Stripped(ToText(value, budget), in.Find(0), true, true, budget), budget);
}

Value Length(const Value& value, const Bound& in) {
  std::size_t size = 0;
  if (const MarkedText* text = AsText(value)) {
    in.budget().Step(text->size() / 1024);
    size = CountCharacters(text->bytes);
  } else if (const List* list = AsList(value)) {
    size = list->items.size();
  } else if (const Dict* dict = AsDict(value)) {
    size = dict->members.size();
  } else if (!IsUndefined(value)) {
    in.budget().Fail("asks for the length of " + KindOf(value));
  }
  return static_cast<std::int64_t>(size);
}

Value Json(const Value& value, const Bound& in) {
  if (in.Has(1) && IsTrue(in.Get(1))) {
    in.budget().FailUnknown("tojson(ensure_ascii=true)");
  }
  const bool indents = in.Has(0) && !IsNone(in.Get(0));
  const std::int64_t indent = indents ? in.Whole(0, -1) : -1;
  return MakeText(ToJson(value, indent, in.budget()), in.budget());
}

Value AttributeOf(const Value& value, const MarkedText& path, Budget& budget) {
  Value found = value;
  std::size_t at = 0;
  while (true) {
    const std::size_t dot = path.bytes.find('.', at);
    found = Member(found, path.bytes.substr(at, dot - at), budget);
    if (dot == std::string::npos) return found;
    at = dot + 1;
  }
}

Value Join(const Value& value, const Bound& in) {
  Values items = Elements(value, in.budget());
  if (in.Has(1)) {
    for (Value& item : items) {
      item = AttributeOf(item, in.Text(1), in.budget());
    }
  }
  const MarkedText separator = in.Has(0) ? in.Text(0) : MarkedText{};
  return MakeText(Joined(items, separator, in.budget()), in.budget());
}

Value Default(const Value& value, const Bound& in) {
  const bool also_false = in.Has(1) && IsTrue(in.Get(1));
  const bool keep = also_false ? IsTrue(value) : !IsUndefined(value);
  if (keep) return value;
  return in.Has(0) ? in.Get(0) : MakeText({}, in.budget());
}

template <LetterCase kCase>
Value Cased(const Value& value, const Bound& in) {
  return MakeText(InCase(ToText(value, in.budget()), kCase, in.budget()),
                  in.budget());
}

Value Title(const Value& value, const Bound& in) {
  const auto is_boundary = [](char c) {
    return std::string_view("- \t\n\r\v\f({[<").find(c) !=
           std::string_view::npos;
  };
  return MakeText(
      InTitleCase(ToText(value, in.budget()), is_boundary, in.budget()),
      in.budget());
}

template <bool kLast>
Value End(const Value& value, const Bound& in) {
  if (kLast && AsDict(value) != nullptr) in.budget().FailUnknown("dict|last");
  const Values items = Elements(value, in.budget());
  if (items.empty()) return Undefined{};
  return kLast ? items.back() : items.front();
}

Value ToListValue(const Value& value, const Bound& in) {
  return MakeList(Elements(value, in.budget()), in.budget());
}

Value String(const Value& value, const Bound& in) {
  return MakeText(ToText(value, in.budget()), in.budget());
}

Value Same(const Value& value, const Bound& /*in*/) { return value; }

// As int(): a string may hold a number, anything else gives the default.
Value Int(const Value& value, const Bound& in) {
  Value otherwise = in.Has(0) ? in.Get(0) : Value(std::int64_t{0});
  std::int64_t whole = 0;
  if (IsWhole(value, &whole)) return whole;
  double real = 0;
  const MarkedText* text = AsText(value);
  if (text != nullptr) {
    const std::string trimmed =
        Stripped(*text, nullptr, true, true, in.budget()).bytes;
    const char* begin = trimmed.data();
    const char* end = begin + trimmed.size();
    const auto as_whole = std::from_chars(begin, end, whole);
    if (as_whole.ec == std::errc() && as_whole.ptr == end) return whole;
    const auto as_real = std::from_chars(begin, end, real);
    if (as_real.ec != std::errc() || as_real.ptr != end) return otherwise;
  } else if (!IsNumber(value, &real)) {
    return otherwise;
  }
  constexpr double kLimit = 9e18;
  if (!(std::abs(real) < kLimit)) return otherwise;
  return static_cast<std::int64_t>(real);
}

Value Replace(const Value& value, const Bound& in) {
  return MakeText(Replaced(ToText(value, in.budget()), in), in.budget());
}

Value Items(const Value& value, const Bound& in) {
  if (IsUndefined(value)) return MakeList({}, in.budget());
  return CallMethod("items", value, {}, in.budget());
}

// map(attribute='name'), map('filter').
Value Map(const Value& value, const Bound& in) {
  Values out;
  for (const Value& item : Elements(value, in.budget())) {
    out.push_back(in.Has(1)
                      ? AttributeOf(item, in.Text(1), in.budget())
                      : ApplyFilter(in.Text(0).bytes, item, {}, in.budget()));
  }
  return MakeList(std::move(out), in.budget());
}

bool Passes(const Value& value, const Bound& in, std::size_t test) {
  if (!in.Has(test)) return IsTrue(value);
  Arguments arguments;
  if (in.Has(test + 1)) arguments.positional.push_back(in.Get(test + 1));
  return ApplyTest(in.Text(test).bytes, value, arguments, in.budget());
}

// selectattr('name', 'test', value) keeps the elements that pass.
template <bool kWanted>
Value SelectAttribute(const Value& value, const Bound& in) {
  Values out;
  for (const Value& item : Elements(value, in.budget())) {
    const Value attribute = AttributeOf(item, in.Text(0), in.budget());
    if (Passes(attribute, in, 1) == kWanted) out.push_back(item);
  }
  return MakeList(std::move(out), in.budget());
}

template <bool kWanted>
Value Select(const Value& value, const Bound& in) {
  Values out;
  for (const Value& item : Elements(value, in.budget())) {
    if (Passes(item, in, 0) == kWanted) out.push_back(item);
  }
  return MakeList(std::move(out), in.budget());
}

Value Abs(const Value& value, const Bound& in) {
  double real = 0;
  if (!IsNumber(value, &real)) in.budget().Fail("abs of " + KindOf(value));
  return real < 0 ? Negate(value, in.budget()) : value;
}

Value Reverse(const Value& value, const Bound& in) {
  return Slice(value, {.step = std::int64_t{-1}}, in.budget());
}

const std::vector<Filter>& Filters() {
  static const std::vector<Filter> filters = {
      {"abs", {}, Abs},
      {"capitalize", {}, Cased<LetterCase::kCapitalized>},
      {"count", {}, Length},
      {"d", {"default_value", "boolean"}, Default},
      {"default", {"default_value", "boolean"}, Default},
      {"first", {}, End<false>},
      {"int", {"default"}, Int},
      {"items", {}, Items},
      {"join", {"d", "attribute"}, Join},
      {"last", {}, End<true>},
      {"length", {}, Length},
      {"list", {}, ToListValue},
      {"lower", {}, Cased<LetterCase::kLower>},
      {"map", {"filter", "attribute"}, Map},
      {"reject", {"test", "value"}, Select<false>},
      {"rejectattr", {"attribute", "test", "value"}, SelectAttribute<false>},
      {"replace", {"old", "new", "count"}, Replace},
      {"reverse", {}, Reverse},
      {"safe", {}, Same},
      {"select", {"test", "value"}, Select<true>},
      {"selectattr", {"attribute", "test", "value"}, SelectAttribute<true>},
      {"string", {}, String},
      {"title", {}, Title},
      {"tojson", {"indent", "ensure_ascii"}, Json},
      {"trim", {"chars"}, Trim},
      {"upper", {}, Cased<LetterCase::kUpper>},
  };
  return filters;
}

const Filter* FindFilter(std::string_view name) {
  for (const Filter& filter : Filters()) {
    if (filter.name == name) return &filter;
  }
  return nullptr;
}

}  // namespace

bool IsKnownFilter(std::string_view name) {
  return FindFilter(name) != nullptr;
}

Value ApplyFilter(const std::string& name, const Value& value,
                  const Arguments& arguments, Budget& budget) {
  budget.Step();
  const Filter* filter = FindFilter(name);
  if (filter == nullptr) {
    budget.FailUnknown("the filter " + files::Quote(name));
  }
  return filter->apply(value,
                       Bound(name, filter->parameters, arguments, budget));
}

}  // namespace tern::jinja
