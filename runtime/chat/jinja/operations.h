// What a template can do with values, apart from names and control flow.
#ifndef TERN_RUNTIME_CHAT_JINJA_OPERATIONS_H_
#define TERN_RUNTIME_CHAT_JINJA_OPERATIONS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/chat/jinja/value.h"

namespace tern::jinja {

// As a call gives them.
struct Arguments {
  Values positional;
  std::vector<std::pair<std::string, Value>> named;
};

// The same in the order of a function's parameters; absent ones are null.
class Bound {
 public:
  // Throws Error, which names `function`, for an argument too many or of an
  // unknown name.
  Bound(std::string function, const std::vector<std::string_view>& parameters,
        const Arguments& arguments, Budget& budget);

  [[nodiscard]] bool Has(std::size_t index) const {
    return values_[index] != nullptr;
  }
  [[nodiscard]] const Value* Find(std::size_t index) const {
    return values_[index];
  }
  // Each throws Error if the argument is absent (and there is no `otherwise`)
  // or of another kind.
  [[nodiscard]] const Value& Get(std::size_t index) const;
  [[nodiscard]] const MarkedText& Text(std::size_t index) const;
  [[nodiscard]] std::int64_t Whole(std::size_t index,
                                   std::int64_t otherwise) const;
  [[nodiscard]] Budget& budget() const { return *budget_; }
  [[nodiscard]] const std::string& function() const { return function_; }

 private:
  std::string function_;
  std::vector<const Value*> values_;  // into the arguments
  Budget* budget_;
};

// a NAME b for + - * / // % ~.
Value Calculate(const std::string& name, const Value& a, const Value& b,
                Budget& budget);
Value Negate(const Value& value, Budget& budget);
bool Contains(const Value& container, const Value& element, Budget& budget);

// a.name, a[index], a[begin:end:step] (absent bounds null).
Value Member(const Value& value, const std::string& name, Budget& budget);
Value Index(const Value& value, const Value& index, Budget& budget);
struct SliceBounds {
  Value begin = None{};
  Value end = None{};
  Value step = None{};
};
Value Slice(const Value& value, const SliceBounds& bounds, Budget& budget);

Value ApplyFilter(const std::string& name, const Value& value,
                  const Arguments& arguments, Budget& budget);
bool ApplyTest(const std::string& name, const Value& value,
               const Arguments& arguments, Budget& budget);
// value.name(arguments).
Value CallMethod(const std::string& name, const Value& value,
                 const Arguments& arguments, Budget& budget);

// Counts the work of looking for `part` in `text`, which may compare all of it
// at each place.
void StepSearch(Budget& budget, const MarkedText& text, const MarkedText& part);

// Shared by filters and methods of strings.
MarkedText Stripped(const MarkedText& text, const Value* characters,
                    bool at_start, bool at_end, Budget& budget);
// Letters outside ASCII are refused: their other case is not known here.
enum class LetterCase { kUpper, kLower, kCapitalized };
MarkedText InCase(const MarkedText& text, LetterCase letter_case,
                  Budget& budget);
// The first letter of each word upper, the rest lower; a word begins after what
// `is_boundary` accepts.
MarkedText InTitleCase(const MarkedText& text, bool (*is_boundary)(char),
                       Budget& budget);
MarkedText Replaced(const MarkedText& text, const Bound& arguments);
MarkedText Joined(const Values& items, const MarkedText& separator,
                  Budget& budget);

// json.dumps(value, ensure_ascii=False), and with an `indent` of at least 0
// that much white space a level.
MarkedText ToJson(const Value& value, std::int64_t indent, Budget& budget);

}  // namespace tern::jinja

#endif  // TERN_RUNTIME_CHAT_JINJA_OPERATIONS_H_
