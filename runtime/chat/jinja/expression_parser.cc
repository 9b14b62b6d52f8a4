#include "runtime/chat/jinja/expression_parser.h"

#include <algorithm>
#include <array>

#include "runtime/chat/jinja/known_names.h"
#include "runtime/files/quote.h"

namespace tern::jinja {
using Kind = ExpressionKind;

std::string ExpressionParser::ShownNext() const {
  switch (Peek().kind) {
    case LexemeKind::kText:
    case LexemeKind::kOutputBegin:
    case LexemeKind::kBlockBegin:
    case LexemeKind::kEnd:
      return "the end of the template";
    case LexemeKind::kOutputEnd:
    case LexemeKind::kBlockEnd:
      return "the end of the tag";
    default:
      return files::Quote(Peek().text);
  }
}

ExpressionParser::Level::Level(ExpressionParser& parser) : parser_(parser) {
  if (parser_.depth_ >= kMaxSyntaxDepth) {
    parser_.Fail("is nested more than " + std::to_string(kMaxSyntaxDepth) +
                 " deep");
  }
  ++parser_.depth_;
}

const Lexeme& ExpressionParser::Peek(std::size_t ahead) const {
  return lexemes_[std::min(at_ + ahead, lexemes_.size() - 1)];
}

Lexeme ExpressionParser::Take() {
  Lexeme taken = Peek();
  if (at_ + 1 < lexemes_.size()) ++at_;
  return taken;
}

bool ExpressionParser::TakeWord(std::string_view word) {
  if (!IsWord(word)) return false;
  Take();
  return true;
}

bool ExpressionParser::TakeOperator(std::string_view text) {
  if (!IsNext(LexemeKind::kOperator, text)) return false;
  Take();
  return true;
}

void ExpressionParser::ExpectOperator(std::string_view text) {
  if (TakeOperator(text)) return;
  Fail("has " + ShownNext() + " where '" + std::string(text) + "' has to be");
}

std::string ExpressionParser::ExpectName() {
  if (Peek().kind != LexemeKind::kName) {
    Fail("has " + ShownNext() + " where a name has to be");
  }
  return Take().text;
}

void ExpressionParser::Expect(LexemeKind kind, const std::string& what) {
  if (Peek().kind != kind) {
    Fail("has " + ShownNext() + " where " + what + " has to be");
  }
  Take();
}

void ExpressionParser::Fail(const std::string& what) const {
  jinja::Fail(
      ErrorCode::kMalformed, place_, Peek().line,
      "the chat template " + what + "; use the template as it was published");
}

void ExpressionParser::FailUnknown(const std::string& construct) const {
  jinja::FailUnknown(place_, Peek().line, construct);
}

ExpressionParser::Node ExpressionParser::Make(ExpressionKind kind,
                                              std::string name) const {
  auto node = std::make_unique<Expression>();
  node->kind = kind;
  node->line = Peek().line;
  node->name = std::move(name);
  return node;
}

void ExpressionParser::Add(Expression& node, ExpressionPtr child) const {
  if (child != nullptr) {
    node.depth = std::max(node.depth, child->depth + 1);
    if (node.depth > kMaxSyntaxDepth) {
      Fail("has an expression of more than " + std::to_string(kMaxSyntaxDepth) +
           " levels");
    }
  }
  node.children.push_back(std::move(child));
}

ExpressionPtr ExpressionParser::Pair(ExpressionKind kind, std::string name,
                                     ExpressionPtr left,
                                     ExpressionPtr right) const {
  Node node = Make(kind, std::move(name));
  node->line = left->line;
  Add(*node, std::move(left));
  Add(*node, std::move(right));
  return node;
}

ExpressionPtr ExpressionParser::ParseExpression(bool tuples) {
  const Level level(*this);
  ExpressionPtr value = ParseOr();
  while (TakeWord("if")) {
    Node node = Make(Kind::kConditional);
    Add(*node, std::move(value));
    Add(*node, ParseOr());
    if (TakeWord("else")) Add(*node, ParseExpression());
    value = std::move(node);
  }
  if (!tuples || !IsNext(LexemeKind::kOperator, ",")) return value;
  Node tuple = Make(Kind::kTuple);
  Add(*tuple, std::move(value));
  while (TakeOperator(",")) {
    if (Peek().kind == LexemeKind::kBlockEnd) break;
    Add(*tuple, ParseExpression());
  }
  return tuple;
}

ExpressionPtr ExpressionParser::ParseIterable() {
  ExpressionPtr value = ParseOr();
  if (!IsNext(LexemeKind::kOperator, ",")) return value;
  Node tuple = Make(Kind::kTuple);
  Add(*tuple, std::move(value));
  while (TakeOperator(",")) Add(*tuple, ParseOr());
  return tuple;
}

ExpressionPtr ExpressionParser::ParseOr() {
  ExpressionPtr left = ParseAnd();
  while (TakeWord("or")) {
    left = Pair(Kind::kOr, "", std::move(left), ParseAnd());
  }
  return left;
}

ExpressionPtr ExpressionParser::ParseAnd() {
  ExpressionPtr left = ParseNot();
  while (TakeWord("and")) {
    left = Pair(Kind::kAnd, "", std::move(left), ParseNot());
  }
  return left;
}

ExpressionPtr ExpressionParser::ParseNot() {
  if (!IsWord("not")) return ParseCompare();
  const Level level(*this);
  Node node = Make(Kind::kNot);
  Take();
  Add(*node, ParseNot());
  return node;
}

std::string ExpressionParser::TakeComparison() {
  static constexpr std::array<std::string_view, 6> kOperators = {
      "==", "!=", "<", "<=", ">", ">="};
  for (const std::string_view known : kOperators) {
    if (TakeOperator(known)) return std::string(known);
  }
  if (TakeWord("in")) return "in";
  if (IsWord("not") && Peek(1).kind == LexemeKind::kName &&
      Peek(1).text == "in") {
    Take();
    Take();
    return "not in";
  }
  return "";
}

ExpressionPtr ExpressionParser::ParseCompare() {
  ExpressionPtr left = ParseSum();
  std::string comparison = TakeComparison();
  if (comparison.empty()) return left;
  Node node = Make(Kind::kCompare);
  Add(*node, std::move(left));
  while (!comparison.empty()) {
    node->names.push_back(std::move(comparison));
    Add(*node, ParseSum());
    comparison = TakeComparison();
  }
  return node;
}

ExpressionPtr ExpressionParser::ParseSum() {
  ExpressionPtr left = ParseConcat();
  while (IsNext(LexemeKind::kOperator, "+") ||
         IsNext(LexemeKind::kOperator, "-")) {
    std::string name = Take().text;
    left = Pair(Kind::kBinary, std::move(name), std::move(left), ParseConcat());
  }
  return left;
}

ExpressionPtr ExpressionParser::ParseConcat() {
  ExpressionPtr left = ParseProduct();
  while (TakeOperator("~")) {
    left = Pair(Kind::kBinary, "~", std::move(left), ParseProduct());
  }
  return left;
}

ExpressionPtr ExpressionParser::ParseProduct() {
  static constexpr std::array<std::string_view, 4> kOperators = {"*", "/", "//",
                                                                 "%"};
  ExpressionPtr left = ParseUnary();
  while (true) {
    if (IsNext(LexemeKind::kOperator, "**")) FailUnknown("the operator '**'");
    const bool known = Peek().kind == LexemeKind::kOperator &&
                       std::find(kOperators.begin(), kOperators.end(),
                                 Peek().text) != kOperators.end();
    if (!known) return left;
    std::string name = Take().text;
    left = Pair(Kind::kBinary, std::move(name), std::move(left), ParseUnary());
  }
}

// A filter belongs to what comes after a sign: -1|abs is 1.
ExpressionPtr ExpressionParser::ParseUnary(bool with_filters) {
  const Level level(*this);
  ExpressionPtr value;
  if (IsNext(LexemeKind::kOperator, "-") ||
      IsNext(LexemeKind::kOperator, "+")) {
    Node node = Make(Kind::kUnary, Peek().text);
    Take();
    Add(*node, ParseUnary(false));
    value = std::move(node);
  } else {
    value = ParsePrimary();
  }
  value = ParsePostfix(std::move(value));
  return with_filters ? ParseFiltersAndTests(std::move(value))
                      : std::move(value);
}

ExpressionPtr ExpressionParser::ParsePostfix(ExpressionPtr value) {
  while (true) {
    if (TakeOperator(".")) {
      value = ParseAttribute(std::move(value));
    } else if (TakeOperator("[")) {
      value = ParseSubscript(std::move(value));
    } else if (IsNext(LexemeKind::kOperator, "(")) {
      value = ParseCall(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPtr ExpressionParser::ParseAttribute(ExpressionPtr value) {
  if (Peek().kind == LexemeKind::kInteger) FailUnknown("an attribute's number");
  std::string name = ExpectName();
  if (value->kind == Kind::kName && value->name == "loop" &&
      !IsKnownLoopMember(name)) {
    FailUnknown("loop." + name);
  }
  Node node = Make(Kind::kAttribute, std::move(name));
  Add(*node, std::move(value));
  return node;
}

// After the [.
ExpressionPtr ExpressionParser::ParseSubscript(ExpressionPtr value) {
  const auto at_end = [this] {
    return IsNext(LexemeKind::kOperator, ":") ||
           IsNext(LexemeKind::kOperator, "]");
  };
  ExpressionPtr begin = at_end() ? nullptr : ParseExpression();
  if (!IsNext(LexemeKind::kOperator, ":")) {
    ExpectOperator("]");
    if (begin == nullptr) Fail("has an index without a value");
    return Pair(Kind::kIndex, "", std::move(value), std::move(begin));
  }
  Node node = Make(Kind::kSlice);
  Add(*node, std::move(value));
  Add(*node, std::move(begin));
  for (int part = 0; part < 2; ++part) {
    const bool given = TakeOperator(":") && !at_end();
    Add(*node, given ? ParseExpression() : nullptr);
  }
  ExpectOperator("]");
  return node;
}

ExpressionPtr ExpressionParser::ParseCall(ExpressionPtr callee) {
  Node node = Make(Kind::kCall);
  Add(*node, std::move(callee));
  ParseArguments(*node);
  return node;
}

// From ( to ).
void ExpressionParser::ParseArguments(Expression& call) {
  ExpectOperator("(");
  while (!TakeOperator(")")) {
    if (IsNext(LexemeKind::kOperator, "*") ||
        IsNext(LexemeKind::kOperator, "**")) {
      FailUnknown("a call with '" + Peek().text + "'");
    }
    const bool is_named = Peek().kind == LexemeKind::kName &&
                          Peek(1).kind == LexemeKind::kOperator &&
                          Peek(1).text == "=";
    if (is_named) {
      std::string name = Take().text;
      Take();
      ExpressionPtr value = ParseExpression();
      call.depth = std::max(call.depth, value->depth + 1);
      call.named.emplace_back(std::move(name), std::move(value));
    } else {
      if (!call.named.empty()) Fail("has an argument after a named one");
      Add(call, ParseExpression());
    }
    if (!IsNext(LexemeKind::kOperator, ")")) ExpectOperator(",");
  }
}

ExpressionPtr ExpressionParser::ParseFiltersAndTests(ExpressionPtr value) {
  while (true) {
    if (TakeOperator("|")) {
      value = ParseFilter(std::move(value));
    } else if (TakeWord("is")) {
      value = ParseTest(std::move(value));
    } else if (IsNext(LexemeKind::kOperator, "(")) {
      value = ParseCall(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPtr ExpressionParser::ParseFilter(ExpressionPtr value) {
  std::string name = ExpectName();
  if (!IsKnownFilter(name)) FailUnknown("the filter '" + name + "'");
  Node node = Make(Kind::kFilter, std::move(name));
  Add(*node, std::move(value));
  if (IsNext(LexemeKind::kOperator, "(")) ParseArguments(*node);
  return node;
}

ExpressionPtr ExpressionParser::ParseTest(ExpressionPtr value) {
  const bool negated = TakeWord("not");
  std::string name = ExpectName();
  if (!IsKnownTest(name)) FailUnknown("the test '" + name + "'");
  Node node = Make(Kind::kTest, std::move(name));
  Add(*node, std::move(value));
  if (IsNext(LexemeKind::kOperator, "(")) {
    ParseArguments(*node);
  } else if (TestTakesValue(node->name)) {
    Add(*node, ParsePostfix(ParsePrimary()));
  }
  if (!negated) return node;
  Node outer = Make(Kind::kNot);
  Add(*outer, std::move(node));
  return outer;
}

}  // namespace tern::jinja
