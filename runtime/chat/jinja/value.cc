#include "runtime/chat/jinja/value.h"

#include <algorithm>
#include <cmath>

#include "runtime/chat/jinja/utf8_text.h"
#include "runtime/files/quote.h"

namespace tern::jinja {
namespace {

int DepthOf(const Value& value) {
  if (const List* list = AsList(value)) return list->depth;
  if (const Dict* dict = AsDict(value)) return dict->depth;
  return 0;
}

// A namespace can be changed, so one that held itself would never be freed.
void CheckElement(const Value& value, int depth, Budget& budget) {
  if (depth > kMaxValueDepth) {
    budget.Fail("lists are nested more than " + std::to_string(kMaxValueDepth) +
                " deep");
  }
  if (AsNamespace(value) != nullptr) {
    budget.FailUnknown("a namespace inside another value");
  }
}

bool EqualLists(const List& a, const List& b, Budget& budget) {
  if (a.is_tuple != b.is_tuple) return false;
  return std::equal(a.items.begin(), a.items.end(), b.items.begin(),
                    b.items.end(), [&budget](const Value& x, const Value& y) {
                      return Equal(x, y, budget);
                    });
}

bool EqualDicts(const Dict& a, const Dict& b, Budget& budget) {
  if (a.members.size() != b.members.size()) return false;
  budget.Step(a.members.size() * b.members.size());
  return std::all_of(
      a.members.begin(), a.members.end(), [&](const auto& member) {
        const Value* other = b.Find(member.first.bytes);
        return other != nullptr && Equal(member.second, *other, budget);
      });
}

}  // namespace

const Value* Dict::Find(std::string_view key) const {
  for (const auto& [name, value] : members) {
    if (name.bytes == key) return &value;
  }
  return nullptr;
}

Value MakeText(MarkedText text, Budget& budget) {
  budget.Charge(sizeof(MarkedText) + 2 * text.size());
  return std::make_shared<const MarkedText>(std::move(text));
}

Value MakeList(Values items, Budget& budget, bool is_tuple) {
  budget.Charge(sizeof(List) + items.size() * sizeof(Value));
  auto list = std::make_shared<List>();
  for (const Value& item : items) {
    list->depth = std::max(list->depth, 1 + DepthOf(item));
    CheckElement(item, list->depth, budget);
  }
  list->items = std::move(items);
  list->is_tuple = is_tuple;
  return std::shared_ptr<const List>(std::move(list));
}

Value MakeDict(Members members, Budget& budget) {
  std::size_t bytes = sizeof(Dict) + members.size() * sizeof(members[0]);
  auto dict = std::make_shared<Dict>();
  for (const auto& [key, value] : members) {
    bytes += 2 * key.size();
    dict->depth = std::max(dict->depth, 1 + DepthOf(value));
    CheckElement(value, dict->depth, budget);
  }
  budget.Charge(bytes);
  dict->members = std::move(members);
  return std::shared_ptr<const Dict>(std::move(dict));
}

void SetMember(Members& members, const MarkedText& key, Value value,
               Budget& budget) {
  budget.Step(1 + members.size() / 16);
  for (auto& [name, old] : members) {
    if (name.bytes != key.bytes) continue;
    old = std::move(value);
    return;
  }
  members.emplace_back(key, std::move(value));
}

bool IsWhole(const Value& value, std::int64_t* number) {
  if (const bool* flag = std::get_if<bool>(&value)) {
    *number = *flag ? 1 : 0;
    return true;
  }
  const auto* whole = std::get_if<std::int64_t>(&value);
  if (whole != nullptr) *number = *whole;
  return whole != nullptr;
}

bool IsNumber(const Value& value, double* number) {
  if (const double* real = std::get_if<double>(&value)) {
    *number = *real;
    return true;
  }
  std::int64_t whole = 0;
  if (!IsWhole(value, &whole)) return false;
  *number = static_cast<double>(whole);
  return true;
}

std::string KindOf(const Value& value) {
  static constexpr const char* kNames[] = {
      "an undefined value", "none",   "a boolean", "a number",    "a number",
      "a string",           "a list", "a dict",    "a namespace", "a function"};
  const Undefined* undefined = std::get_if<Undefined>(&value);
  if (undefined != nullptr && !undefined->name.empty()) {
    return files::Quote(undefined->name) + ", which is undefined,";
  }
  return kNames[value.index()];
}

bool IsTrue(const Value& value) {
  if (IsUndefined(value) || IsNone(value)) return false;
  if (const MarkedText* text = AsText(value)) return text->size() > 0;
  if (const List* list = AsList(value)) return !list->items.empty();
  if (const Dict* dict = AsDict(value)) return !dict->members.empty();
  double number = 0;
  return !IsNumber(value, &number) || number != 0;
}

bool Equal(const Value& a, const Value& b, Budget& budget) {
  budget.Step();
  std::int64_t whole_a = 0;
  std::int64_t whole_b = 0;
  if (IsWhole(a, &whole_a) && IsWhole(b, &whole_b)) return whole_a == whole_b;
  double x = 0;
  double y = 0;
  if (IsNumber(a, &x) && IsNumber(b, &y)) return x == y;
  if (a.index() != b.index()) return false;
  if (const MarkedText* text = AsText(a)) {
    budget.Step(text->size() / 1024);
    return text->bytes == AsText(b)->bytes;
  }
  if (const List* list = AsList(a)) {
    return EqualLists(*list, *AsList(b), budget);
  }
  if (const Dict* dict = AsDict(a)) {
    return EqualDicts(*dict, *AsDict(b), budget);
  }
  if (AsNamespace(a) != nullptr) return AsNamespace(a) == AsNamespace(b);
  if (const auto* function = std::get_if<Function>(&a)) {
    const auto& other = std::get<Function>(b);
    return function->macro == other.macro && function->builtin == other.builtin;
  }
  return true;  // both undefined, or both none
}

int Order(const Value& a, const Value& b, const std::string& what,
          Budget& budget) {
  double x = 0;
  double y = 0;
  if (IsNumber(a, &x) && IsNumber(b, &y)) return x < y ? -1 : (x > y ? 1 : 0);
  if (AsText(a) != nullptr && AsText(b) != nullptr) {
    budget.Step(1 + std::min(AsText(a)->size(), AsText(b)->size()) / 1024);
    // Bytes of UTF-8 are in the order of their characters.
    return AsText(a)->bytes.compare(AsText(b)->bytes);
  }
  budget.Fail("'" + what + "' cannot compare " + KindOf(a) + " and " +
              KindOf(b));
}

Values Elements(const Value& value, Budget& budget) {
  Values out;
  if (IsUndefined(value)) return out;
  if (const List* list = AsList(value)) {
    budget.Charge(list->items.size() * sizeof(Value));
    return list->items;
  }
  if (const Dict* dict = AsDict(value)) {
    for (const auto& member : dict->members) {
      out.push_back(MakeText(member.first, budget));
    }
    return out;
  }
  const MarkedText* text = AsText(value);
  if (text == nullptr) budget.Fail(KindOf(value) + " has no elements");
  const std::vector<std::size_t> starts = CharacterStarts(text->bytes);
  for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
    out.push_back(
        MakeText(text->Part(starts[i], starts[i + 1] - starts[i]), budget));
  }
  return out;
}

}  // namespace tern::jinja
