// `x is test`.
#include <algorithm>
#include <array>

#include "runtime/chat/jinja/known_names.h"
#include "runtime/chat/jinja/operations.h"
#include "runtime/files/quote.h"

namespace tern::jinja {
namespace {

struct Test {
  std::string_view name;
  bool takes_value;
  bool (*apply)(const Value& value, const Bound& arguments);
};

bool IsSequence(const Value& value, const Bound& /*in*/) {
  return AsText(value) != nullptr || AsList(value) != nullptr ||
         AsDict(value) != nullptr || IsUndefined(value);
}

template <class Type>
bool Holds(const Value& value, const Bound& /*in*/) {
  return std::holds_alternative<Type>(value);
}

template <bool kWanted>
bool IsFlag(const Value& value, const Bound& /*in*/) {
  const bool* flag = std::get_if<bool>(&value);
  return flag != nullptr && *flag == kWanted;
}

// True for a boolean too, as in Python.
bool IsAnyNumber(const Value& value, const Bound& /*in*/) {
  double number = 0;
  return IsNumber(value, &number);
}

template <int kRemainder>
bool HasRemainder(const Value& value, const Bound& in) {
  std::int64_t number = 0;
  if (!IsWhole(value, &number)) in.budget().Fail("odd of " + KindOf(value));
  return (number % 2 == 0 ? 0 : 1) == kRemainder;
}

bool Equals(const Value& value, const Bound& in) {
  return Equal(value, in.Get(0), in.budget());
}
bool Differs(const Value& value, const Bound& in) { return !Equals(value, in); }
bool IsIn(const Value& value, const Bound& in) {
  return Contains(in.Get(0), value, in.budget());
}

constexpr std::array kTests = {
    Test{"boolean", false, Holds<bool>},
    Test{"defined", false,
         [](const Value& value, const Bound&) { return !IsUndefined(value); }},
    Test{"eq", true, Equals},
    Test{"equalto", true, Equals},
    Test{"even", false, HasRemainder<0>},
    Test{"false", false, IsFlag<false>},
    Test{"float", false, Holds<double>},
    Test{"in", true, IsIn},
    Test{"integer", false, Holds<std::int64_t>},
    Test{"iterable", false, IsSequence},
    Test{"mapping", false, Holds<std::shared_ptr<const Dict>>},
    Test{"ne", true, Differs},
    Test{"none", false, Holds<None>},
    Test{"number", false, IsAnyNumber},
    Test{"odd", false, HasRemainder<1>},
    Test{"sequence", false, IsSequence},
    Test{"string", false, Holds<std::shared_ptr<const MarkedText>>},
    Test{"true", false, IsFlag<true>},
    Test{"undefined", false, Holds<Undefined>},
};

const Test* FindTest(std::string_view name) {
  const auto* const found =
      std::find_if(kTests.begin(), kTests.end(),
                   [name](const Test& test) { return test.name == name; });
  return found == kTests.end() ? nullptr : found;
}

}  // namespace

bool IsKnownTest(std::string_view name) { return FindTest(name) != nullptr; }

bool TestTakesValue(std::string_view name) {
  const Test* test = FindTest(name);
  return test != nullptr && test->takes_value;
}

bool ApplyTest(const std::string& name, const Value& value,
               const Arguments& arguments, Budget& budget) {
  budget.Step();
  // The names of comparisons that selectattr() may use.
  std::string known = name;
  if (name == "==") known = "eq";
  if (name == "!=") known = "ne";
  const Test* test = FindTest(known);
  if (test == nullptr) budget.FailUnknown("the test " + files::Quote(name));
  std::vector<std::string_view> parameters;
  if (test->takes_value) parameters.emplace_back("other");
  return test->apply(value, Bound(name, parameters, arguments, budget));
}

}  // namespace tern::jinja
