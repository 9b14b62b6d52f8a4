// value.method(arguments): those of Python's strings and dicts that templates
// call.  None of them changes its value; transformers, too, forbids those that
// would.
#include <algorithm>
#include <limits>

#include "runtime/chat/jinja/operations.h"
#include "runtime/chat/jinja/utf8_text.h"
#include "runtime/files/quote.h"

namespace tern::jinja {
namespace {

struct StringMethod {
  std::string_view name;
  std::vector<std::string_view> parameters;
  Value (*call)(const MarkedText& text, const Bound& arguments);
};
struct DictMethod {
  std::string_view name;
  std::vector<std::string_view> parameters;
  Value (*call)(const Dict& dict, const Bound& arguments);
};

template <bool kStart, bool kEnd>
Value Strip(const MarkedText& text, const Bound& in) {
  return MakeText(Stripped(text, in.Find(0), kStart, kEnd, in.budget()),
                  in.budget());
}

// At white space, any amount of which is one separator.
Values SplitAtSpace(const MarkedText& text, std::int64_t left, Budget& budget) {
  budget.Step(1 + text.size() / 128);
  Values parts;
  const std::string_view bytes = text.bytes;
  std::size_t at = LeadingSpace(bytes);
  while (at < bytes.size()) {
    std::size_t end = at;
    while (end < bytes.size() && left != 0 &&
           LeadingSpace(bytes.substr(end, 4)) == 0) {
      ++end;
    }
    if (left == 0) end = bytes.size();
    parts.push_back(MakeText(text.Part(at, end - at), budget));
    at = end + LeadingSpace(bytes.substr(end));
    --left;
  }
  return parts;
}

Value Split(const MarkedText& text, const Bound& in) {
  Budget& budget = in.budget();
  std::int64_t left = in.Whole(1, -1);
  if (!in.Has(0) || IsNone(in.Get(0))) {
    return MakeList(SplitAtSpace(text, left, budget), budget);
  }
  const MarkedText& separator = in.Text(0);
  if (separator.size() == 0) budget.Fail("splits a string at nothing");
  StepSearch(budget, text, separator);
  Values parts;
  std::size_t at = 0;
  while (true) {
    const std::size_t found =
        left == 0 ? std::string::npos : text.bytes.find(separator.bytes, at);
    parts.push_back(MakeText(text.Part(at, found - at), budget));
    if (found == std::string::npos) break;
    at = found + separator.size();
    --left;
  }
  return MakeList(std::move(parts), budget);
}

template <bool kStart>
Value HasEnd(const MarkedText& text, const Bound& in) {
  const auto matches = [&](const MarkedText& part) {
    return kStart ? text.bytes.starts_with(part.bytes)
                  : text.bytes.ends_with(part.bytes);
  };
  const List* list = AsList(in.Get(0));
  if (list == nullptr) return matches(in.Text(0));
  return std::any_of(list->items.begin(), list->items.end(),
                     [&](const Value& item) {
                       if (AsText(item) == nullptr) {
                         in.budget().Fail("compares with no string");
                       }
                       return matches(*AsText(item));
                     });
}

template <LetterCase kCase>
Value Cased(const MarkedText& text, const Bound& in) {
  return MakeText(InCase(text, kCase, in.budget()), in.budget());
}

Value Title(const MarkedText& text, const Bound& in) {
  const auto is_boundary = [](char c) {
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
  };
  return MakeText(InTitleCase(text, is_boundary, in.budget()), in.budget());
}

Value Replace(const MarkedText& text, const Bound& in) {
  return MakeText(Replaced(text, in), in.budget());
}

Value Join(const MarkedText& text, const Bound& in) {
  const Values items = Elements(in.Get(0), in.budget());
  for (const Value& item : items) {
    if (AsText(item) == nullptr) in.budget().Fail("joins " + KindOf(item));
  }
  return MakeText(Joined(items, text, in.budget()), in.budget());
}

Value Find(const MarkedText& text, const Bound& in) {
  StepSearch(in.budget(), text, in.Text(0));
  const std::size_t found = text.bytes.find(in.Text(0).bytes);
  if (found == std::string::npos) return std::int64_t{-1};
  return static_cast<std::int64_t>(
      CountCharacters(std::string_view(text.bytes).substr(0, found)));
}

Value Keys(const Dict& dict, const Bound& in) {
  Values out;
  for (const auto& member : dict.members) {
    out.push_back(MakeText(member.first, in.budget()));
  }
  return MakeList(std::move(out), in.budget());
}

Value ValuesOf(const Dict& dict, const Bound& in) {
  Values out;
  for (const auto& member : dict.members) out.push_back(member.second);
  return MakeList(std::move(out), in.budget());
}

Value Items(const Dict& dict, const Bound& in) {
  Values out;
  for (const auto& [key, value] : dict.members) {
    out.push_back(
        MakeList({MakeText(key, in.budget()), value}, in.budget(), true));
  }
  return MakeList(std::move(out), in.budget());
}

Value Get(const Dict& dict, const Bound& in) {
  in.budget().Step(dict.members.size() / 8);
  const MarkedText* key = AsText(in.Get(0));
  const Value* found = key == nullptr ? nullptr : dict.Find(key->bytes);
  if (found != nullptr) return *found;
  return in.Has(1) ? in.Get(1) : Value(None{});
}

const std::vector<StringMethod>& StringMethods() {
  static const std::vector<StringMethod> methods = {
      {"capitalize", {}, Cased<LetterCase::kCapitalized>},
      {"endswith", {"suffix"}, HasEnd<false>},
      {"find", {"sub"}, Find},
      {"join", {"iterable"}, Join},
      {"lower", {}, Cased<LetterCase::kLower>},
      {"lstrip", {"chars"}, Strip<true, false>},
      {"replace", {"old", "new", "count"}, Replace},
      {"rstrip", {"chars"}, Strip<false, true>},
      {"split", {"sep", "maxsplit"}, Split},
      {"startswith", {"prefix"}, HasEnd<true>},
      {"strip", {"chars"}, Strip<true, true>},
      {"title", {}, Title},
      {"upper", {}, Cased<LetterCase::kUpper>},
  };
  return methods;
}

const std::vector<DictMethod>& DictMethods() {
  static const std::vector<DictMethod> methods = {
      {"get", {"key", "default"}, Get},
      {"items", {}, Items},
      {"keys", {}, Keys},
      {"values", {}, ValuesOf},
  };
  return methods;
}

}  // namespace

Value CallMethod(const std::string& name, const Value& value,
                 const Arguments& arguments, Budget& budget) {
  budget.Step();
  if (const MarkedText* text = AsText(value)) {
    budget.Step(text->size() / 1024);
    for (const StringMethod& method : StringMethods()) {
      if (method.name != name) continue;
      return method.call(*text,
                         Bound(name, method.parameters, arguments, budget));
    }
  }
  if (const Dict* dict = AsDict(value)) {
    for (const DictMethod& method : DictMethods()) {
      if (method.name != name) continue;
      return method.call(*dict,
                         Bound(name, method.parameters, arguments, budget));
    }
  }
  if (IsUndefined(value)) {
    budget.Fail("calls " + files::Quote(name) + " of " + KindOf(value));
  }
  budget.FailUnknown("the method " + files::Quote(name) + " of " +
                     KindOf(value));
}

}  // namespace tern::jinja
