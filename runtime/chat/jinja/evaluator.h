// Runs a parsed template.
#ifndef TERN_RUNTIME_CHAT_JINJA_EVALUATOR_H_
#define TERN_RUNTIME_CHAT_JINJA_EVALUATOR_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/chat/jinja/budget.h"
#include "runtime/chat/jinja/operations.h"
#include "runtime/chat/jinja/syntax.h"
#include "runtime/chat/jinja/value.h"

namespace tern::jinja {

// strftime_now(format): what to answer.  Throws nothing.
using Clock = std::function<std::string(const std::string& format)>;

// For one run.
class Evaluator {
 public:
  Evaluator(Members variables, const Clock& clock, Budget& budget);

  MarkedText Run(const Block& block);

 private:
  // How a block ended: on to the next statement, or out of the loop's body.
  enum class Flow { kNormal, kBreak, kContinue };
  // The variables of a loop's body, a set block or a macro.
  using Scope = std::vector<std::pair<std::string, Value>>;
  class Depth;
  class ScopeGuard;
  class Capture;

  Flow RunBlock(const Block& block);
  Flow RunStatement(const Statement& statement);
  Flow RunIf(const Statement& statement);
  Flow RunFor(const Statement& statement);
  Flow RunBody(const Statement& loop, const Values& items, std::size_t index);
  void RunSet(const Statement& statement);
  Flow RunSetBlock(const Statement& statement);
  void Write(const MarkedText& text);

  void Assign(const std::string& name, Value value);
  // To the one name, or to several by unpacking.
  void AssignTargets(const std::vector<std::string>& targets,
                     const Value& value);
  Value Lookup(const std::string& name);
  // Those of a for's elements that pass its `if`.
  Values LoopItems(const Statement& loop);
  Value LoopVariable(const Values& items, std::size_t index);

  Value Evaluate(const Expression& expression);
  Value EvaluateKind(const Expression& expression);
  Values EvaluateChildren(const Expression& expression, std::size_t from);
  Value EvaluateDict(const Expression& expression);
  Value EvaluateAttribute(const Expression& expression);
  bool EvaluateCompare(const Expression& expression);
  Value EvaluateSlice(const Expression& expression);
  Value EvaluateCall(const Expression& expression);
  Arguments EvaluateArguments(const Expression& expression);

  Value Call(const Function& function, const Arguments& arguments);
  Value CallMacro(const Statement& macro, const Arguments& arguments);
  Value MakeNamespace(const Arguments& arguments);
  Value MakeDictFrom(const Arguments& arguments);
  Value Range(const Arguments& arguments);
  Value Now(const Arguments& arguments);

  const Clock& clock_;
  Budget& budget_;
  std::vector<Scope> scopes_;  // [0] the caller's, [1] the template's own
  std::size_t visible_ = 0;    // scopes from here on, and the first two
  int depth_ = 0;
  MarkedText* out_ = nullptr;
};

}  // namespace tern::jinja

#endif  // TERN_RUNTIME_CHAT_JINJA_EVALUATOR_H_
