// A template after parsing.
#ifndef TERN_RUNTIME_CHAT_JINJA_SYNTAX_H_
#define TERN_RUNTIME_CHAT_JINJA_SYNTAX_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/chat/jinja/value.h"

namespace tern::jinja {

enum class ExpressionKind {
  kLiteral,      // `literal`
  kName,         // `name`
  kList,         // children: elements
  kTuple,        // the same
  kDict,         // children: key, value, key, value, ...
  kUnary,        // `name` + or -, one child
  kBinary,       // `name` + - * / // % ~, two children
  kAnd,          // two children
  kOr,           // two children
  kNot,          // one child
  kCompare,      // children a, b, c; `names` the operators between them
  kConditional,  // children: value, condition, and the other value if given
  kAttribute,    // a.name
  kIndex,        // a[b]
  kSlice,        // a[b:c:d], absent ones null
  kCall,         // children: callee, arguments; `named` arguments
  kFilter,       // a|name(...): children a, arguments
  kTest,         // a is name(...): children a, arguments
};

struct Expression;
using ExpressionPtr = std::unique_ptr<const Expression>;

struct Expression {
  ExpressionKind kind = ExpressionKind::kLiteral;
  int line = 1;
  int depth = 1;  // of the tree below
  std::string name;
  std::vector<std::string> names;
  Value literal;
  std::vector<ExpressionPtr> children;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
};

enum class StatementKind {
  kText,        // `text`
  kOutput,      // {{ value }}
  kIf,          // `branches`, `otherwise`
  kFor,         // for `targets` in `value` [if `condition`]: body, `otherwise`
  kSet,         // set `targets` = `value`
  kSetMember,   // set `targets[0]`.`targets[1]` = `value`
  kSetBlock,    // set `targets[0]`: body
  kMacro,       // macro `name`(`parameters`): body
  kGeneration,  // body
  kBreak,
  kContinue,
};

struct Statement;
using Block = std::vector<std::unique_ptr<const Statement>>;

struct Branch {
  ExpressionPtr condition;
  Block body;
};
struct Parameter {
  std::string name;
  ExpressionPtr default_value;  // or null
};

struct Statement {
  StatementKind kind = StatementKind::kText;
  int line = 1;
  MarkedText text;
  std::string name;
  std::vector<std::string> targets;
  ExpressionPtr value;
  ExpressionPtr condition;
  Block body;
  Block otherwise;
  std::vector<Branch> branches;
  std::vector<Parameter> parameters;
};

}  // namespace tern::jinja

#endif  // TERN_RUNTIME_CHAT_JINJA_SYNTAX_H_
