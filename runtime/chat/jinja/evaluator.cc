// Statements and variables.
#include "runtime/chat/jinja/evaluator.h"

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/chat/jinja/evaluator_state.h"
#include "runtime/chat/jinja/known_names.h"
#include "runtime/files/quote.h"

namespace tern::jinja {
namespace {

constexpr std::array<std::string_view, 5> kBuiltins = {
    "dict", "namespace", "raise_exception", "range", "strftime_now"};

constexpr std::array<std::string_view, 9> kLoopMembers = {
    "index", "index0", "revindex", "revindex0", "first",
    "last",  "length", "previtem", "nextitem"};

}  // namespace

bool IsKnownLoopMember(std::string_view name) {
  return std::find(kLoopMembers.begin(), kLoopMembers.end(), name) !=
         kLoopMembers.end();
}

Evaluator::Evaluator(Members variables, const Clock& clock, Budget& budget)
    : clock_(clock), budget_(budget), scopes_(2), visible_(2) {
  for (const std::string_view name : kBuiltins) {
    scopes_[0].emplace_back(name, Function{.builtin = std::string(name)});
  }
  for (auto& variable : variables) {
    scopes_[0].emplace_back(variable.first.bytes, std::move(variable.second));
  }
}

MarkedText Evaluator::Run(const Block& block) {
  Capture capture(*this);
  RunBlock(block);
  return capture.Take();
}

void Evaluator::Write(const MarkedText& text) {
  budget_.Charge(2 * text.size());
  out_->Append(text);
  budget_.CheckOutput(out_->size());
}

Evaluator::Flow Evaluator::RunBlock(const Block& block) {
  for (const auto& statement : block) {
    const Flow flow = RunStatement(*statement);
    if (flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::RunStatement(const Statement& statement) {
  const Depth depth(*this);
  budget_.SetLine(statement.line);
  budget_.Step();
  switch (statement.kind) {
    case StatementKind::kText:
      Write(statement.text);
      break;
    case StatementKind::kOutput:
      Write(ToText(Evaluate(*statement.value), budget_));
      break;
    case StatementKind::kIf:
      return RunIf(statement);
    case StatementKind::kFor:
      return RunFor(statement);
    case StatementKind::kSet:
    case StatementKind::kSetMember:
      RunSet(statement);
      break;
    case StatementKind::kSetBlock:
      return RunSetBlock(statement);
    case StatementKind::kMacro:
      Assign(statement.name, Function{.macro = &statement, .builtin = ""});
      break;
    case StatementKind::kGeneration:
      return RunBlock(statement.body);
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::RunIf(const Statement& statement) {
  for (const Branch& branch : statement.branches) {
    if (IsTrue(Evaluate(*branch.condition))) return RunBlock(branch.body);
  }
  return RunBlock(statement.otherwise);
}

Values Evaluator::LoopItems(const Statement& loop) {
  Values items = Elements(Evaluate(*loop.value), budget_);
  if (loop.condition == nullptr) return items;
  Values passing;
  for (Value& item : items) {
    const ScopeGuard scope(*this);
    AssignTargets(loop.targets, item);
    if (IsTrue(Evaluate(*loop.condition))) passing.push_back(std::move(item));
  }
  return passing;
}

Evaluator::Flow Evaluator::RunFor(const Statement& statement) {
  const Values items = LoopItems(statement);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (RunBody(statement, items, i) == Flow::kBreak) break;
  }
  return items.empty() ? RunBlock(statement.otherwise) : Flow::kNormal;
}

// Each turn has fresh variables: what the body sets is gone after it.
Evaluator::Flow Evaluator::RunBody(const Statement& loop, const Values& items,
                                   std::size_t index) {
  const ScopeGuard scope(*this);
  Assign("loop", LoopVariable(items, index));
  AssignTargets(loop.targets, items[index]);
  return RunBlock(loop.body);
}

Value Evaluator::LoopVariable(const Values& items, std::size_t index) {
  const auto at = static_cast<std::int64_t>(index);
  const auto size = static_cast<std::int64_t>(items.size());
  const Value undefined = Undefined{"loop item"};
  const std::array<Value, kLoopMembers.size()> values = {
      at + 1,
      at,
      size - at,
      size - at - 1,
      at == 0,
      at + 1 == size,
      size,
      index > 0 ? items[index - 1] : undefined,
      index + 1 < items.size() ? items[index + 1] : undefined};
  Members members;
  for (std::size_t i = 0; i < values.size(); ++i) {
    members.emplace_back(MarkedText::Of(kLoopMembers[i], kFromTemplate),
                         values[i]);
  }
  return MakeDict(std::move(members), budget_);
}

void Evaluator::RunSet(const Statement& statement) {
  Value value = Evaluate(*statement.value);
  if (statement.kind == StatementKind::kSet) {
    return AssignTargets(statement.targets, value);
  }
  const Value target = Lookup(statement.targets[0]);
  Namespace* space = AsNamespace(target);
  if (space == nullptr) {
    budget_.Fail("assigns to a member of " + KindOf(target));
  }
  if (AsNamespace(value) != nullptr) {
    budget_.FailUnknown("a namespace inside another value");
  }
  budget_.Charge(sizeof(space->members[0]));
  SetMember(space->members, MarkedText::Of(statement.targets[1], kFromTemplate),
            std::move(value), budget_);
}

Evaluator::Flow Evaluator::RunSetBlock(const Statement& statement) {
  Capture capture(*this);
  Flow flow = Flow::kNormal;
  {
    const ScopeGuard scope(*this);
    flow = RunBlock(statement.body);
  }
  Assign(statement.targets[0], MakeText(capture.Take(), budget_));
  return flow;
}

void Evaluator::Assign(const std::string& name, Value value) {
  Scope& scope = scopes_.back();
  budget_.Step(1 + scope.size() / 16);
  for (auto& [known, old] : scope) {
    if (known != name) continue;
    old = std::move(value);
    return;
  }
  budget_.Charge(sizeof(scope[0]));
  scope.emplace_back(name, std::move(value));
}

void Evaluator::AssignTargets(const std::vector<std::string>& targets,
                              const Value& value) {
  if (targets.size() == 1) return Assign(targets[0], value);
  const Values parts = Elements(value, budget_);
  if (parts.size() != targets.size()) {
    budget_.Fail("assigns " + std::to_string(parts.size()) + " values to " +
                 std::to_string(targets.size()) + " names");
  }
  for (std::size_t i = 0; i < parts.size(); ++i) Assign(targets[i], parts[i]);
}

Value Evaluator::Lookup(const std::string& name) {
  const auto find = [&name](const Scope& scope) -> const Value* {
    for (const auto& [known, value] : scope) {
      if (known == name) return &value;
    }
    return nullptr;
  };
  for (std::size_t i = scopes_.size(); i > 0; --i) {
    if (i - 1 < visible_ && i - 1 >= 2) continue;  // of a macro's caller
    budget_.Step(1 + scopes_[i - 1].size() / 16);
    if (const Value* found = find(scopes_[i - 1])) return *found;
  }
  return Undefined{name};
}

}  // namespace tern::jinja
