// What a template computes with: Python's values, as far as chat templates use
// them.  Copies share; nothing but a namespace ever changes.
#ifndef TERN_RUNTIME_CHAT_JINJA_VALUE_H_
#define TERN_RUNTIME_CHAT_JINJA_VALUE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/chat/jinja/budget.h"
#include "runtime/chat/jinja/marked_text.h"

namespace tern::jinja {

struct List;
struct Dict;
struct Namespace;
struct Statement;  // syntax.h

// A name without a value: prints as nothing, and is an error in most uses.
struct Undefined {
  std::string name;
};
struct None {};

// Something to call: a macro, or a function of Jinja or of transformers.
struct Function {
  const Statement* macro = nullptr;
  std::string builtin;  // if it is none
};

using Value =
    std::variant<Undefined, None, bool, std::int64_t, double,
                 std::shared_ptr<const MarkedText>, std::shared_ptr<const List>,
                 std::shared_ptr<const Dict>, std::shared_ptr<Namespace>,
                 Function>;
using Values = std::vector<Value>;

// `depth` counts the levels of lists and dicts, itself included; it is bounded,
// for walking a value takes stack.
struct List {
  Values items;
  bool is_tuple = false;
  int depth = 1;
};
using Members = std::vector<std::pair<MarkedText, Value>>;
struct Dict {
  Members members;  // in the order of insertion, as Python has it
  int depth = 1;

  [[nodiscard]] const Value* Find(std::string_view key) const;
};
// {% set ns = namespace(found=false) %}: the one thing that can be assigned to
// from an inner scope.
struct Namespace {
  Members members;
};

// What every value is made by: charged, and refused if it is nested too deeply.
Value MakeText(MarkedText text, Budget& budget);
Value MakeList(Values items, Budget& budget, bool is_tuple = false);
Value MakeDict(Members members, Budget& budget);
// Puts it in, or replaces the value of the key.
void SetMember(Members& members, const MarkedText& key, Value value,
               Budget& budget);

// Null if it is not one.
inline const MarkedText* AsText(const Value& value) {
  const auto* found = std::get_if<std::shared_ptr<const MarkedText>>(&value);
  return found == nullptr ? nullptr : found->get();
}
inline const List* AsList(const Value& value) {
  const auto* found = std::get_if<std::shared_ptr<const List>>(&value);
  return found == nullptr ? nullptr : found->get();
}
inline const Dict* AsDict(const Value& value) {
  const auto* found = std::get_if<std::shared_ptr<const Dict>>(&value);
  return found == nullptr ? nullptr : found->get();
}
inline Namespace* AsNamespace(const Value& value) {
  const auto* found = std::get_if<std::shared_ptr<Namespace>>(&value);
  return found == nullptr ? nullptr : found->get();
}
inline bool IsUndefined(const Value& value) {
  return std::holds_alternative<Undefined>(value);
}
inline bool IsNone(const Value& value) {
  return std::holds_alternative<None>(value);
}
// A bool or an int64: Python counts with both.
bool IsWhole(const Value& value, std::int64_t* number);
bool IsNumber(const Value& value, double* number);

// "a string", "a list": for messages.
std::string KindOf(const Value& value);
bool IsTrue(const Value& value);

// str() of Python: what {{ }} prints.
MarkedText ToText(const Value& value, Budget& budget);
// repr(float) of Python: 0.5, 1e+16, 3.0.
std::string FloatText(double value);

// ==, and the order of < (negative, zero, positive); `what` names the operator
// in the Error for kinds that have no order.
bool Equal(const Value& a, const Value& b, Budget& budget);
int Order(const Value& a, const Value& b, const std::string& what,
          Budget& budget);

// The elements of a list, the keys of a dict, the characters of a string,
// nothing for an undefined value.  Throws Error for what has no elements.
Values Elements(const Value& value, Budget& budget);

}  // namespace tern::jinja

#endif  // TERN_RUNTIME_CHAT_JINJA_VALUE_H_
