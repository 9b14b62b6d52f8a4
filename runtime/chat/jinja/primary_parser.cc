// Literals, names and brackets.
#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

#include "runtime/chat/jinja/expression_parser.h"
#include "runtime/files/quote.h"

namespace tern::jinja {

using Kind = ExpressionKind;

ExpressionPtr ExpressionParser::ParsePrimary() {
  switch (Peek().kind) {
    case LexemeKind::kName:
      return ParseName();
    case LexemeKind::kString:
      return ParseString();
    case LexemeKind::kInteger:
    case LexemeKind::kFloat:
      return ParseNumber();
    default:
      break;
  }
  if (TakeOperator("(")) return ParseParentheses();
  if (TakeOperator("[")) return ParseList();
  if (TakeOperator("{")) return ParseDict();
  Fail("has " + ShownNext() + " where a value has to be");
}

ExpressionPtr ExpressionParser::ParseName() {
  static constexpr std::array<std::string_view, 7> kReserved = {
      "if", "else", "and", "or", "not", "in", "is"};
  if (std::find(kReserved.begin(), kReserved.end(), Peek().text) !=
      kReserved.end()) {
    Fail("has '" + Peek().text + "' where a value has to be");
  }
  Node node = Make(Kind::kLiteral);
  std::string name = Take().text;
  if (name == "true" || name == "True") {
    node->literal = true;
  } else if (name == "false" || name == "False") {
    node->literal = false;
  } else if (name == "none" || name == "None") {
    node->literal = None{};
  } else {
    node->kind = Kind::kName;
    node->name = std::move(name);
  }
  return node;
}

// Strings side by side are one.
ExpressionPtr ExpressionParser::ParseString() {
  Node node = Make(Kind::kLiteral);
  std::string text;
  while (Peek().kind == LexemeKind::kString) text += Take().text;
  node->literal =
      std::make_shared<const MarkedText>(MarkedText::Of(text, kFromTemplate));
  return node;
}

ExpressionPtr ExpressionParser::ParseNumber() {
  Node node = Make(Kind::kLiteral);
  const Lexeme lexeme = Take();
  const char* begin = lexeme.text.data();
  const char* end = begin + lexeme.text.size();
  bool sound = false;
  if (lexeme.kind == LexemeKind::kInteger) {
    std::int64_t number = 0;
    sound = std::from_chars(begin, end, number).ec == std::errc();
    node->literal = number;
  } else {
    double number = 0;
    sound = std::from_chars(begin, end, number).ec == std::errc();
    node->literal = number;
  }
  if (!sound) FailUnknown("the number " + files::Quote(lexeme.text));
  return node;
}

// After the (: a value in brackets, or a tuple.
ExpressionPtr ExpressionParser::ParseParentheses() {
  Node tuple = Make(Kind::kTuple);
  bool is_tuple = IsNext(LexemeKind::kOperator, ")");
  while (!TakeOperator(")")) {
    Add(*tuple, ParseExpression());
    if (TakeOperator(",")) {
      is_tuple = true;
    } else if (!IsNext(LexemeKind::kOperator, ")")) {
      ExpectOperator(")");
    }
  }
  if (is_tuple) return tuple;
  return std::move(tuple->children[0]);
}

// After the [.
ExpressionPtr ExpressionParser::ParseList() {
  Node list = Make(Kind::kList);
  while (!TakeOperator("]")) {
    Add(*list, ParseExpression());
    if (!IsNext(LexemeKind::kOperator, "]")) ExpectOperator(",");
  }
  return list;
}

// After the {.
ExpressionPtr ExpressionParser::ParseDict() {
  Node dict = Make(Kind::kDict);
  while (!TakeOperator("}")) {
    Add(*dict, ParseExpression());
    ExpectOperator(":");
    Add(*dict, ParseExpression());
    if (!IsNext(LexemeKind::kOperator, "}")) ExpectOperator(",");
  }
  return dict;
}

}  // namespace tern::jinja
