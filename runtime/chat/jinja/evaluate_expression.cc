// Expressions and calls.
#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "runtime/chat/jinja/evaluator.h"
#include "runtime/chat/jinja/evaluator_state.h"
#include "runtime/files/quote.h"

namespace tern::jinja {

using Kind = ExpressionKind;

namespace {

// Only what strftime() of C gives like that of Python, and in little room.
void CheckTimeFormat(const std::string& format, Budget& budget) {
  constexpr std::size_t kMaxBytes = 64;
  constexpr std::string_view kKnown = "aAbBdFHIjmMpSTyYZ%";
  bool sound =
      format.size() <= kMaxBytes && format.find('\0') == std::string::npos;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') continue;
    ++i;
    sound = sound && i < format.size() &&
            kKnown.find(format[i]) != std::string_view::npos;
  }
  if (!sound) budget.FailUnknown("the time format " + files::Quote(format));
}

}  // namespace

Value Evaluator::Evaluate(const Expression& expression) {
  const Depth depth(*this);
  budget_.SetLine(expression.line);
  budget_.Step();
  return EvaluateKind(expression);
}

Value Evaluator::EvaluateKind(const Expression& expression) {
  const auto child = [&](std::size_t i) {
    return Evaluate(*expression.children[i]);
  };
  switch (expression.kind) {
    case Kind::kLiteral:
      return expression.literal;
    case Kind::kName:
      return Lookup(expression.name);
    case Kind::kList:
    case Kind::kTuple:
      return MakeList(EvaluateChildren(expression, 0), budget_,
                      expression.kind == Kind::kTuple);
    case Kind::kDict:
      return EvaluateDict(expression);
    case Kind::kUnary: {
      const Value negative = Negate(child(0), budget_);
      return expression.name == "-" ? negative : Negate(negative, budget_);
    }
    case Kind::kBinary: {
      const Value left = child(0);
      return Calculate(expression.name, left, child(1), budget_);
    }
    case Kind::kAnd:
    case Kind::kOr: {
      Value left = child(0);
      return IsTrue(left) == (expression.kind == Kind::kOr) ? left : child(1);
    }
    case Kind::kNot:
      return !IsTrue(child(0));
    case Kind::kCompare:
      return EvaluateCompare(expression);
    case Kind::kConditional:
      if (IsTrue(child(1))) return child(0);
      return expression.children.size() > 2 ? child(2) : Value(Undefined{});
    case Kind::kAttribute:
      return EvaluateAttribute(expression);
    case Kind::kIndex: {
      const Value value = child(0);
      return Index(value, child(1), budget_);
    }
    case Kind::kSlice:
      return EvaluateSlice(expression);
    case Kind::kCall:
      return EvaluateCall(expression);
    case Kind::kFilter: {
      const Value value = child(0);
      return ApplyFilter(expression.name, value, EvaluateArguments(expression),
                         budget_);
    }
    case Kind::kTest: {
      const Value value = child(0);
      return ApplyTest(expression.name, value, EvaluateArguments(expression),
                       budget_);
    }
  }
  return Undefined{};
}

// x.name without a call: of a dict, Jinja2 would take Python's method before a
// member of that name.
Value Evaluator::EvaluateAttribute(const Expression& expression) {
  constexpr std::array<std::string_view, 11> kMethods = {
      "clear", "copy",    "fromkeys",   "get",    "items", "keys",
      "pop",   "popitem", "setdefault", "update", "values"};
  const Value value = Evaluate(*expression.children[0]);
  if (AsDict(value) != nullptr &&
      std::find(kMethods.begin(), kMethods.end(), expression.name) !=
          kMethods.end()) {
    budget_.FailUnknown("the method " + files::Quote(expression.name) +
                        " of a dict without a call");
  }
  return Member(value, expression.name, budget_);
}

Values Evaluator::EvaluateChildren(const Expression& expression,
                                   std::size_t from) {
  Values values;
  for (std::size_t i = from; i < expression.children.size(); ++i) {
    values.push_back(Evaluate(*expression.children[i]));
  }
  return values;
}

Value Evaluator::EvaluateDict(const Expression& expression) {
  const Values values = EvaluateChildren(expression, 0);
  Members members;
  for (std::size_t i = 0; i + 1 < values.size(); i += 2) {
    const MarkedText* key = AsText(values[i]);
    if (key == nullptr) {
      budget_.FailUnknown(KindOf(values[i]) + " as the key of a dict");
    }
    SetMember(members, *key, values[i + 1], budget_);
  }
  return MakeDict(std::move(members), budget_);
}

bool Evaluator::EvaluateCompare(const Expression& expression) {
  Value left = Evaluate(*expression.children[0]);
  for (std::size_t i = 0; i < expression.names.size(); ++i) {
    const std::string& name = expression.names[i];
    Value right = Evaluate(*expression.children[i + 1]);
    bool holds = false;
    if (name == "==" || name == "!=") {
      holds = Equal(left, right, budget_) == (name == "==");
    } else if (name == "in" || name == "not in") {
      holds = Contains(right, left, budget_) == (name == "in");
    } else {
      const int order = Order(left, right, name, budget_);
      holds = (order < 0 && name[0] == '<') || (order > 0 && name[0] == '>') ||
              (order == 0 && name.size() == 2);
    }
    if (!holds) return false;
    left = std::move(right);
  }
  return true;
}

Value Evaluator::EvaluateSlice(const Expression& expression) {
  const Value value = Evaluate(*expression.children[0]);
  const auto bound = [&](std::size_t i) -> Value {
    const ExpressionPtr& given = expression.children[i];
    return given == nullptr ? Value(None{}) : Evaluate(*given);
  };
  SliceBounds bounds;
  bounds.begin = bound(1);
  bounds.end = bound(2);
  bounds.step = bound(3);
  return Slice(value, bounds, budget_);
}

Arguments Evaluator::EvaluateArguments(const Expression& expression) {
  Arguments arguments{EvaluateChildren(expression, 1), {}};
  for (const auto& [name, value] : expression.named) {
    arguments.named.emplace_back(name, Evaluate(*value));
  }
  return arguments;
}

// value.method(), or a function by name.
Value Evaluator::EvaluateCall(const Expression& expression) {
  const Expression& callee = *expression.children[0];
  if (callee.kind == Kind::kAttribute) {
    const Value value = Evaluate(*callee.children[0]);
    if (AsNamespace(value) == nullptr) {
      return CallMethod(callee.name, value, EvaluateArguments(expression),
                        budget_);
    }
  }
  const Value value = Evaluate(callee);
  const Function* function = std::get_if<Function>(&value);
  if (function == nullptr) {
    if (IsUndefined(value) && callee.kind == Kind::kName) {
      budget_.FailUnknown("the function " + files::Quote(callee.name));
    }
    budget_.Fail("calls " + KindOf(value));
  }
  return Call(*function, EvaluateArguments(expression));
}

Value Evaluator::Call(const Function& function, const Arguments& arguments) {
  if (function.macro != nullptr) return CallMacro(*function.macro, arguments);
  if (function.builtin == "namespace") return MakeNamespace(arguments);
  if (function.builtin == "dict") return MakeDictFrom(arguments);
  if (function.builtin == "range") return Range(arguments);
  if (function.builtin == "strftime_now") return Now(arguments);
  const Bound bound("raise_exception", {"message"}, arguments, budget_);
  budget_.FailByTemplate(files::Quote(ToText(bound.Get(0), budget_).bytes));
}

// A macro sees its parameters and the variables of the template itself.
Value Evaluator::CallMacro(const Statement& macro, const Arguments& arguments) {
  std::vector<std::string_view> names;
  for (const Parameter& parameter : macro.parameters) {
    names.emplace_back(parameter.name);
  }
  const Bound bound(macro.name, names, arguments, budget_);
  const ScopeGuard scope(*this);
  const std::size_t outer = std::exchange(visible_, scopes_.size() - 1);
  Capture capture(*this);
  try {
    for (std::size_t i = 0; i < names.size(); ++i) {
      const ExpressionPtr& otherwise = macro.parameters[i].default_value;
      Value value = Undefined{std::string(names[i])};
      if (bound.Has(i)) {
        value = bound.Get(i);
      } else if (otherwise != nullptr) {
        value = Evaluate(*otherwise);
      }
      Assign(std::string(names[i]), std::move(value));
    }
    RunBlock(macro.body);
  } catch (...) {
    visible_ = outer;
    throw;
  }
  visible_ = outer;
  return MakeText(capture.Take(), budget_);
}

Value Evaluator::MakeDictFrom(const Arguments& arguments) {
  Members members;
  if (!arguments.positional.empty()) {
    const Dict* first = AsDict(arguments.positional[0]);
    if (first == nullptr || arguments.positional.size() > 1) {
      budget_.FailUnknown("such arguments of dict() or namespace()");
    }
    members = first->members;
  }
  for (const auto& [name, value] : arguments.named) {
    SetMember(members, MarkedText::Of(name, kFromTemplate), value, budget_);
  }
  return MakeDict(std::move(members), budget_);
}

Value Evaluator::MakeNamespace(const Arguments& arguments) {
  const Value members = MakeDictFrom(arguments);
  auto space = std::make_shared<Namespace>();
  space->members = AsDict(members)->members;
  return space;
}

Value Evaluator::Range(const Arguments& arguments) {
  const Bound bound("range", {"start", "stop", "step"}, arguments, budget_);
  const bool only_end = !bound.Has(1);
  if (!bound.Has(0)) budget_.Fail("range() without an end");
  std::int64_t at = only_end ? 0 : bound.Whole(0, 0);
  const std::int64_t end = bound.Whole(only_end ? 0 : 1, 0);
  const std::int64_t step = bound.Whole(2, 1);
  if (step == 0) budget_.Fail("range() with a step of zero");
  Values items;
  while (step > 0 ? at < end : at > end) {
    budget_.Charge(sizeof(Value));
    items.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return MakeList(std::move(items), budget_);
}

Value Evaluator::Now(const Arguments& arguments) {
  const Bound bound("strftime_now", {"format"}, arguments, budget_);
  CheckTimeFormat(bound.Text(0).bytes, budget_);
  return MakeText(MarkedText::Of(clock_(bound.Text(0).bytes), kFromTemplate),
                  budget_);
}

}  // namespace tern::jinja
